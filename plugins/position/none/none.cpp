// The identity of the interface, as a component: an attention that rotates nothing says so in the
// recipe.
#include "none.hpp"

#include "mortise/plugin.hpp"

MORTISE_PLUGIN("org.mortise.position.none",
               MORTISE_VERSION,
               "Apache-2.0",
               mortise::component<mortise::position::none::None>("none", "changes nothing"));
