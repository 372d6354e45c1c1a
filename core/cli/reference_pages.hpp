// docs/reference/: one Markdown page a kind, made of the schemas.  A test fails when the committed
// pages are stale.
#pragma once

#include <string>

#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// Writes index.md and <kind>.md; removes pages of kinds that are gone.  Throws: Error{Io}.
void write_reference_pages(const Catalog& catalog, const std::string& directory);

}  // namespace mortise::core
