/* abi.h is C11, and its layout is frozen: these numbers never change. */
#include <stddef.h>

#include "mortise/abi.h"

_Static_assert(sizeof(mortise_error_sink) == 16, "the error sink is frozen");
_Static_assert(sizeof(mortise_create_args) == 48, "the create arguments are frozen up to here");
_Static_assert(sizeof(mortise_component) == 56, "the component record is frozen up to here");
_Static_assert(sizeof(mortise_plugin) == 72, "the descriptor is frozen up to here");
_Static_assert(offsetof(mortise_plugin, abi) == 12, "the ABI number stays in its place");
_Static_assert(offsetof(mortise_plugin, components) == 56, "the components stay in their place");

int mortise_abi_is_c(void) { return (int)MORTISE_ABI; }
