// The contract suites of the interfaces of this SDK, one function a kind, one file each.
#pragma once

#include "mortise/conform.hpp"

namespace mortise::conform {

Suite architecture_suite();
Suite data_source_suite();
Suite guard_suite();
Suite metric_suite();
Suite schedule_suite();
Suite tokenizer_suite();
Suite tracker_suite();
Suite transform_suite();
Suite weight_format_suite();

}  // namespace mortise::conform
