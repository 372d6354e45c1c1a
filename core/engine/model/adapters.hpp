// Adapters on a model: from an [adapter] table, or from a folder in PEFT's layout.
#pragma once

#include <string>

#include "mortise/tokenizer.hpp"

#include "core/engine/model/language_model.hpp"
#include "core/plugin/catalog.hpp"

namespace mortise::core {

/// Makes the component of an [adapter] table and puts it on; with `from` it takes the shape of that
/// folder's.  `is_sample`: see AdapterArgs.   Throws: Error, DataError.
void attach_adapter(LanguageModel& model,
                    const Value& table,
                    Host& host,
                    const BuildContext& build,
                    bool is_sample);

/// Gives the adapter, if there is one, its first values, once the base weights are there: from the
/// folder `from`, else from its prompt, else by seed and path.  Throws: DataError.
void start_adapter(LanguageModel& model,
                   const Value* table,
                   const Tokenizer* tokenizer,
                   uint64_t seed,
                   double std);

/// Puts the adapter of a PEFT folder over the model of `spec` with the component that declares
/// `peft_<type>`.  Throws: DataError when no component does or the base is another one; Error when
/// an attention of the model lacks a capability that the adapter needs.
void open_adapter(LanguageModel& model,
                  const Value& spec,
                  const std::string& directory,
                  Host& host,
                  const Catalog& catalog);

}  // namespace mortise::core
