// lib/mortise/conform/torch.so: the suites of the tensor tier.
#include "suites.hpp"

MORTISE_CONFORM_SUITES(mortise::conform::adapter_suite(),
                       mortise::conform::attention_suite(),
                       mortise::conform::device_suite(),
                       mortise::conform::embedding_suite(),
                       mortise::conform::ffn_suite(),
                       mortise::conform::head_suite(),
                       mortise::conform::layer_suite(),
                       mortise::conform::norm_suite(),
                       mortise::conform::objective_suite(),
                       mortise::conform::optimizer_suite(),
                       mortise::conform::parallel_suite(),
                       mortise::conform::path_set_suite(),
                       mortise::conform::position_suite(),
                       mortise::conform::router_suite());
