// [sweep]: one recipe, several runs.  Each point of the grid becomes a list of overrides.
#pragma once

#include <string>
#include <vector>

#include "core/recipe/resolve.hpp"

namespace mortise::core {

struct SweepRun {
  std::string name;                 // "lr=0.001,seed=2": the end of the run directory's name
  std::vector<Override> overrides;  // after those of the command line
  bool is_probe = false;            // all probes together hold every value of every list
};

/// Expands the `sweep` table of a resolved recipe; empty when it has none.  Reports lists that do
/// not fit.   Thread: [any-thread].
std::vector<SweepRun> expand_sweep(const Resolved& resolved, Diagnostics& diagnostics);
/// Expands, and checks each value once; mistakes are added to `outcome`.
std::vector<SweepRun> check_sweep(const std::string& path,
                                  const Catalog& catalog,
                                  const ResolveOptions& options,
                                  Outcome& outcome);

}  // namespace mortise::core
