// Opening references and running them.
#include "core/engine/train/references.hpp"

#include <ATen/ATen.h>

#include "mortise/error.hpp"

#include "core/engine/model/open_model.hpp"
#include "core/engine/train/model_io.hpp"

namespace mortise::core {

namespace {

std::shared_ptr<LanguageModel> initial_copy(const Workspace& space, const EngineCall& call) {
  const auto model =
      build_base(space.model_spec, space.tables, *space.host, space.device->device());
  fill_model(*model, space, call);
  return model;
}

std::shared_ptr<LanguageModel> open_reference(const Workspace& space,
                                              const EngineCall& call,
                                              const std::string& name,
                                              const std::string& from) {
  if (from.empty()) return initial_copy(space, call);
  MORTISE_CHECK(call.catalog != nullptr, "no catalog of plugins was given");
  OpenedModel opened =
      open_model(from, *call.host, *call.catalog, scalar_type_of(space.tables.run.dtype));
  const int64_t vocab = space.model_spec.get("vocab", int64_t{0});
  if (opened.model->vocab() != vocab)
    throw DataError(
        fmt::format("[reference.{}] {} has a vocabulary of {} tokens, the trained model "
                    "one of {}",
                    name,
                    from,
                    opened.model->vocab(),
                    vocab),
        "both must use one tokenizer: set tokenizer.from to the reference's folder");
  return opened.model;
}

}  // namespace

References make_references(const Workspace& space, const EngineCall& call) {
  References references;
  const Value* tables = space.recipe.find("reference");
  if (tables == nullptr) return references;
  for (const auto& [name, table] : tables->as_table()) {
    const auto model = open_reference(space, call, name, table.get("from", ""));
    for (NamedTensor& tensor : model->parameters()) tensor.tensor.set_requires_grad(false);
    model->train(false);
    references.push_back({name, model});
  }
  return references;
}

std::vector<ReferenceHidden> reference_hidden(const References& references,
                                              const TokenBatch& batch) {
  const at::NoGradGuard no_grad;
  std::vector<ReferenceHidden> hidden;
  for (const Reference& reference : references) {
    const at::Tensor hidden_BTD = reference.model->forward(batch).hidden_BTD;
    hidden.push_back({reference.name, hidden_BTD.flatten(0, 1), &reference.model->head()});
  }
  return hidden;
}

}  // namespace mortise::core
