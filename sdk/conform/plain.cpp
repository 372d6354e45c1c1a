// lib/mortise/conform/plain.so: the suites of the plain tier.
#include "suites.hpp"

MORTISE_CONFORM_SUITES(mortise::conform::architecture_suite(),
                       mortise::conform::data_source_suite(),
                       mortise::conform::guard_suite(),
                       mortise::conform::metric_suite(),
                       mortise::conform::schedule_suite(),
                       mortise::conform::tokenizer_suite(),
                       mortise::conform::tracker_suite(),
                       mortise::conform::transform_suite(),
                       mortise::conform::weight_format_suite());
