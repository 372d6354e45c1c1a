// The contract suites of the tensor tier, one function a kind.
#pragma once

#include "mortise/conform.hpp"

namespace mortise::conform {

Suite adapter_suite();
Suite attention_suite();
Suite device_suite();
Suite embedding_suite();
Suite ffn_suite();
Suite head_suite();
Suite layer_suite();
Suite norm_suite();
Suite objective_suite();
Suite optimizer_suite();
Suite parallel_suite();
Suite path_set_suite();
Suite position_suite();
Suite router_suite();

}  // namespace mortise::conform
