// Weights between a directory and the model, through an architecture's name map.
//
// Loading checks all names and shapes first (on meta tensors, so nothing is read), then copies
// tensor by tensor. Saving turns the map around: every tensor on disk is planned with its shape,
// then written one at a time.
#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"
#include "mortise/torch/tensor_rules.hpp"

#include "core/engine/model/language_model.hpp"
#include "core/recipe/suggest.hpp"

namespace mortise::core {

namespace {

constexpr size_t kMostListed = 8;  // names of one kind of problem in a message

/// Problems of one kind; the message shows the first ones and counts the rest.
struct Problems {
  std::string title;
  std::vector<std::string> lines;

  void append_to(std::string& text) const {
    if (lines.empty()) return;
    text += fmt::format("\n  {} ({}):", title, lines.size());
    for (size_t i = 0; i < std::min(lines.size(), kMostListed); ++i) text += "\n    " + lines[i];
    if (lines.size() > kMostListed)
      text += fmt::format("\n    … and {} more", lines.size() - kMostListed);
  }
};

std::string shape_text(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// The tensors of a directory by name.
class Stored {
 public:
  explicit Stored(const WeightReader& reader) : reader_(reader) {
    for (size_t i = 0; i < reader.tensors().size(); ++i)
      index_.emplace(reader.tensors()[i].name, i);
  }

  bool has(const std::string& name) const { return index_.contains(name); }

  const StoredTensor& info(const std::string& name) const {
    return reader_.tensors()[index_.at(name)];
  }

  /// The tensor itself; a view of the mapped file where alignment allows.
  at::Tensor tensor(const std::string& name) const {
    const StoredTensor& stored = info(name);
    const at::ScalarType type = scalar_type(stored.dtype).value();
    const std::span<const std::byte> bytes = reader_.data(index_.at(name));
    if (reinterpret_cast<uintptr_t>(bytes.data()) % at::elementSize(type) == 0)
      return at::from_blob(const_cast<std::byte*>(bytes.data()), stored.shape, type);  // only read
    at::Tensor copy = at::empty(stored.shape, type);
    std::memcpy(copy.mutable_data_ptr(), bytes.data(), bytes.size());
    return copy;
  }

  at::Tensor meta(const std::string& name) const {
    return at::empty(info(name).shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, index] : index_) all.push_back(name);
    return all;
  }

 private:
  const WeightReader& reader_;
  std::map<std::string, size_t> index_;
};

/// `stored` is null when a folder is written: then names keep their optional prefix.
std::map<std::string, TensorRule> rules_by_name(const Architecture& architecture,
                                                const Value& spec,
                                                const Stored* stored) {
  std::map<std::string, TensorRule> rules;
  const std::string prefix = architecture.optional_prefix();
  for (TensorRule& rule : architecture.names(spec)) {
    for (std::string& theirs : rule.theirs)
      if (stored != nullptr && theirs.starts_with(prefix) && !stored->has(theirs) &&
          stored->has(theirs.substr(prefix.size())))
        theirs.erase(0, prefix.size());
    std::string name = rule.ours;
    rules.emplace(std::move(name), std::move(rule));
  }
  return rules;
}

/// A message when the tensors of `rule` do not make one of `shape`; empty when they do.
std::string shape_problem(const TensorRule& rule, const Stored& stored, at::IntArrayRef shape) {
  std::vector<at::Tensor> theirs;
  std::string found;
  for (const std::string& name : rule.theirs) {
    theirs.push_back(stored.meta(name));
    found += (found.empty() ? "" : ", ") + shape_text(theirs.back().sizes());
  }
  const std::string expected = fmt::format(
      "{}: expected {}, the file has {}", rule.theirs.front(), shape_text(shape), found);
  if (!rule.stored.empty() && theirs.front().sizes() != at::IntArrayRef(rule.stored))
    return fmt::format(
        "{}: expected {}, the file has {}", rule.theirs.front(), shape_text(rule.stored), found);
  try {
    const at::Tensor made = ours_from(rule, theirs);
    return made.sizes() == shape ? "" : expected;
  } catch (const c10::Error&) {
    return expected;
  }
}

void throw_if_any(std::initializer_list<const Problems*> all) {
  std::string text;
  for (const Problems* problems : all) problems->append_to(text);
  if (text.empty()) return;
  throw DataError("the weights do not fit the model:" + text,
                  "config.json and the weights must come from one model; `mortise show --from-hf "
                  "DIR` prints what config.json describes");
}

/// Checks every name and shape.  Throws: DataError with all problems.
void check_weights(const std::vector<NamedTensor>& wanted,
                   const std::map<std::string, TensorRule>& rules,
                   const Stored& stored,
                   const std::set<std::string>& aliases,
                   const std::vector<std::string>& ignored) {
  Problems missing{"missing", {}}, unexpected{"unexpected", {}}, misshapen{"misshapen", {}},
      mistyped{"of an element type that is no weight", {}};
  std::set<std::string> used;
  for (const NamedTensor& tensor : wanted)
    if (const auto rule = rules.find(tensor.name); rule != rules.end())
      used.insert(rule->second.theirs.begin(), rule->second.theirs.end());
  std::vector<std::string> unused;
  for (const std::string& name : stored.names()) {
    const bool known = used.contains(name) || aliases.contains(name) ||
                       std::any_of(ignored.begin(), ignored.end(), [&](const std::string& pattern) {
                         return matches(pattern, name);
                       });
    if (!known) unused.push_back(name);
  }
  for (const NamedTensor& tensor : wanted) {
    const auto rule = rules.find(tensor.name);
    MORTISE_CHECK(
        rule != rules.end(), "the architecture has no rule for the parameter {}", tensor.name);
    bool complete = true;
    for (const std::string& name : rule->second.theirs) {
      if (stored.has(name)) {
        if (!scalar_type(stored.info(name).dtype))
          mistyped.lines.push_back(
              fmt::format("{}: {}", name, dtype_name(stored.info(name).dtype)));
        continue;
      }
      complete = false;
      const std::string near = nearest(name, unused);
      missing.lines.push_back(near.empty() ? name
                                           : fmt::format("{} (the file has {})", name, near));
    }
    if (!complete) continue;
    if (std::string problem = shape_problem(rule->second, stored, tensor.tensor.sizes());
        !problem.empty())
      misshapen.lines.push_back(std::move(problem));
  }
  unexpected.lines = std::move(unused);
  throw_if_any({&missing, &unexpected, &misshapen, &mistyped});
}

/// A file may hold a tied tensor twice; then both must agree, because only one of them can be used.
void check_aliases(const LanguageModel& model,
                   const std::map<std::string, TensorRule>& rules,
                   const Stored& stored) {
  for (const auto& [alias, owner] : model.ties()) {
    if (!stored.has(alias)) continue;
    const at::Tensor kept =
        ours_from(rules.at(owner), {stored.tensor(rules.at(owner).theirs.at(0))});
    if (!at::equal(stored.tensor(alias), kept))
      throw DataError(
          fmt::format("{} and {} are tied in this model, but the file holds two different tensors",
                      alias,
                      owner),
          "set tie_word_embeddings to false in config.json (head.tied in a recipe)");
  }
}

/// One tensor of the directory to be written: its shape, and how to make it.
struct Planned {
  std::string name;
  std::vector<int64_t> shape;
  std::function<at::Tensor()> make;
};

/// Slices that share one tensor on disk are joined: begin → rule and our tensor.
using Joined = std::map<int64_t, std::pair<TensorRule, at::Tensor>>;

Planned plan_joined(const std::string& name, const Joined& slices) {
  const TensorRule& first = slices.begin()->second.first;
  const auto make = [slices, dim = first.dim, stored = first.stored](at::Device device) {
    std::vector<at::Tensor> pieces;
    for (const auto& [begin, slice] : slices)
      pieces.push_back(theirs_from(slice.first, slice.second.to(device))[0]);
    const at::Tensor whole = at::cat(pieces, dim);
    return stored.empty() ? whole : whole.reshape(stored);
  };
  int64_t end = 0;
  for (const auto& [begin, slice] : slices) {
    MORTISE_CHECK_EQ(begin, end, "the slices of {} leave a gap or overlap", name);
    end += slice.first.sizes.at(0);
  }
  return {name, make(at::kMeta).sizes().vec(), [make] { return make(at::kCPU); }};
}

std::vector<Planned> plan_files(const LanguageModel& model,
                                const std::map<std::string, TensorRule>& rules) {
  std::vector<Planned> plan;
  std::map<std::string, Joined> joined;
  for (const NamedTensor& tensor : model.base_tensors()) {
    const auto found = rules.find(tensor.name);
    MORTISE_CHECK(found != rules.end(),
                  "the architecture has no rule for the parameter {}: it cannot be written",
                  tensor.name);
    const TensorRule& rule = found->second;
    const at::Tensor ours = tensor.tensor.detach();
    if (rule.op == TensorRule::Op::Slice) {
      const bool is_new =
          joined[rule.theirs.at(0)].emplace(rule.begin, std::pair(rule, ours)).second;
      MORTISE_CHECK(is_new, "two slices of {} begin at {}", rule.theirs.at(0), rule.begin);
      continue;
    }
    const std::vector<at::Tensor> shapes = theirs_from(rule, ours.to(at::kMeta));
    for (size_t i = 0; i < shapes.size(); ++i)
      plan.push_back({rule.theirs.at(i), shapes[i].sizes().vec(), [rule, ours, i] {
                        return theirs_from(rule, ours)[i];
                      }});
  }
  for (const auto& [name, slices] : joined) plan.push_back(plan_joined(name, slices));
  return plan;
}

Value config_of(const Architecture& architecture,
                const Value& spec,
                at::ScalarType dtype,
                const Value& extra) {
  Value config = architecture.to_hf(spec);
  config["torch_dtype"] = dtype == at::kFloat      ? "float32"
                          : dtype == at::kBFloat16 ? "bfloat16"
                          : dtype == at::kHalf     ? "float16"
                                                   : "float64";
  if (extra.is_table())
    for (const auto& [key, value] : extra.as_table()) config[key] = value;
  return config;
}

}  // namespace

WeightSource weight_source(const LanguageModel& model,
                           const WeightReader& reader,
                           const Architecture& architecture,
                           const Value& spec,
                           bool with_adapter) {
  const Stored stored(reader);
  std::map<std::string, TensorRule> rules = rules_by_name(architecture, spec, &stored);
  const std::vector<NamedTensor> wanted = with_adapter ? model.tensors() : model.base_tensors();
  std::set<std::string> aliases;
  for (const auto& [alias, owner] : model.ties()) aliases.insert(alias);
  check_weights(wanted, rules, stored, aliases, architecture.ignored());
  check_aliases(model, rules, stored);
  return [stored, rules = std::move(rules)](const std::string& ours) {
    const TensorRule& rule = rules.at(ours);
    std::vector<at::Tensor> theirs;
    for (const std::string& name : rule.theirs) theirs.push_back(stored.tensor(name));
    return ours_from(rule, theirs);
  };
}

void load_weights(LanguageModel& model,
                  const WeightReader& reader,
                  const Architecture& architecture,
                  const Value& spec,
                  bool with_adapter) {
  const at::NoGradGuard no_grad;
  const WeightSource read = weight_source(model, reader, architecture, spec, with_adapter);
  for (NamedTensor& tensor : with_adapter ? model.tensors() : model.base_tensors())
    tensor.tensor.copy_(read(tensor.name));
}

void check_writable(const LanguageModel& model,
                    const Architecture& architecture,
                    const Value& spec) {
  architecture.to_hf(spec);
  plan_files(model, rules_by_name(architecture, spec, nullptr));
}

void save_weights(const LanguageModel& model,
                  const std::string& directory,
                  const WeightFormat& format,
                  const Architecture& architecture,
                  const Value& spec,
                  at::ScalarType dtype,
                  const Value& config_extra) {
  const at::NoGradGuard no_grad;
  const Value config = config_of(architecture, spec, dtype, config_extra);
  const std::vector<Planned> plan = plan_files(model, rules_by_name(architecture, spec, nullptr));
  std::vector<StoredTensor> tensors;
  for (const Planned& planned : plan) {
    int64_t bytes = static_cast<int64_t>(at::elementSize(dtype));
    for (const int64_t size : planned.shape) bytes *= size;
    tensors.push_back({planned.name, file_dtype(dtype), planned.shape, bytes});
  }
  const std::unique_ptr<WeightWriter> writer = format.create(directory, std::move(tensors));
  for (const Planned& planned : plan) {
    const at::Tensor tensor = planned.make().to(at::kCPU, dtype).contiguous();
    writer->write({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
  }
  writer->commit();
  write_file(directory + "/config.json", to_json(config, 2) + "\n");
}

}  // namespace mortise::core
