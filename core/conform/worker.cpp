// Suites are shared libraries in <prefix>/lib/mortise/conform: plain.so always, torch.so for
// tensor-tier plugins.
#include "core/conform/worker.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/json.hpp"

#include "core/conform/checks.hpp"
#include "core/conform/example_file.hpp"
#include "core/plugin/catalog.hpp"
#include "core/plugin/load_error.hpp"
#include "core/plugin/plugin_host.hpp"

namespace mortise::core {

namespace fs = std::filesystem;

namespace {

// One component behind the interface that suites use.
class ComponentFactory final : public conform::Factory {
 public:
  ComponentFactory(const ComponentEntry& entry,
                   PluginHost& host,
                   Value example,
                   uint64_t seed,
                   std::string scratch)
      : entry_(entry),
        host_(host),
        example_(std::move(example)),
        seed_(seed),
        scratch_(std::move(scratch)) {
    config_ = Value::table();
    config_["type"] = fmt::format("{}:{}", entry.plugin->id, entry.name);
    for (const FieldInfo& field : entry.schema().fields)
      if (!field.default_value.is_null()) config_[field.name] = field.default_value;
    for (const FieldInfo& field : entry.schema().fields)
      if (const Value value = smallest(field); field.required && !value.is_null())
        config_[field.name] = value;
    if (const Value* given = example_.find("config"))
      for (const auto& [key, value] : given->as_table()) config_[key] = value;
  }

  const std::string& name() const override { return entry_.name; }

  const std::string& interface_id() const override { return entry_.interface_id; }

  const SchemaInfo& schema() const override { return entry_.schema(); }

  const Value& config() const override { return config_; }

  const Value& example() const override { return example_; }

  void* create(const Value& config, const void* args) override {
    return host_.make(entry_.interface_id, config, args);
  }

  Host& host() override { return host_; }

  uint64_t seed() const override { return seed_; }

  const std::string& scratch() const override { return scratch_; }

 private:
  // A required number or choice can be guessed: the smallest that is allowed.
  static Value smallest(const FieldInfo& field) {
    if (!field.choices.empty()) return field.choices.front();
    const double low = field.min.value_or(1) + (field.min_excluded ? 1 : 0);
    if (field.type == FieldType::Int) return static_cast<int64_t>(low);
    return field.type == FieldType::Float ? Value(low) : Value();
  }

  const ComponentEntry& entry_;
  PluginHost& host_;
  Value example_, config_;
  uint64_t seed_;
  std::string scratch_;
};

// The lines that the parent reads, on a descriptor of their own.
class Reporter {
 public:
  Reporter() : stream_(fdopen(dup(STDOUT_FILENO), "w")) { dup2(STDERR_FILENO, STDOUT_FILENO); }

  void say(const Value::Table& event) {
    const std::string line = to_json(Value(event)) + "\n";
    std::fwrite(line.data(), 1, line.size(), stream_);
    std::fflush(stream_);
  }

 private:
  std::FILE* stream_;
};

const std::vector<conform::Suite>& open_suites(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const std::string reason = dlerror();
    throw PluginError(
        fmt::format(
            "the suite {} cannot be loaded: {}", library, explain_load_error(library, reason)),
        load_error_fix(reason));
  }
  const auto function = reinterpret_cast<conform::SuitesFn>(dlsym(handle, conform::kSuitesSymbol));
  if (function == nullptr)
    throw PluginError(fmt::format("{} exports no {}", library, conform::kSuitesSymbol),
                      "declare it with MORTISE_CONFORM_SUITES");
  return *function();
}

std::vector<const conform::Suite*> all_suites(const WorkerOptions& options, bool torch) {
  std::vector<std::string> libraries = options.suites;
  const std::string folder = installation_prefix() + "/lib/mortise/conform/";
  libraries.push_back(folder + "plain.so");
  if (torch) libraries.push_back(folder + "torch.so");
  std::vector<const conform::Suite*> suites;
  for (const std::string& library : libraries)
    for (const conform::Suite& suite : open_suites(library)) suites.push_back(&suite);
  return suites;
}

struct Plan {
  std::vector<std::unique_ptr<ComponentFactory>> factories;
  std::vector<NamedCheck> checks;
  std::vector<std::string> skipped;  // by the author, in conform.toml
};

void add_component(Plan& plan,
                   const ComponentEntry& entry,
                   const Subject& subject,
                   const Value& examples,
                   const std::vector<const conform::Suite*>& suites,
                   const std::string& scratch) {
  const Value* example = examples.find(entry.name);
  plan.factories.push_back(std::make_unique<ComponentFactory>(
      entry, *subject.host, example == nullptr ? Value() : *example, subject.seed, scratch));
  ComponentFactory& factory = *plan.factories.back();
  const std::string prefix = fmt::format("{}/{}: ", kind_of(entry.interface_id), entry.name);
  if (example != nullptr)
    if (const Value* names = example->find("skip"))
      for (const Value& name : names->as_array()) plan.skipped.push_back(prefix + name.as_string());
  bool is_first = true;
  for (const conform::Suite* suite : suites) {
    if (kind_of(entry.interface_id) != suite->kind) continue;
    if (std::exchange(is_first, false))
      for (NamedCheck& check : component_checks(factory, *suite, prefix))
        plan.checks.push_back(std::move(check));
    for (const conform::Check& check : suite->checks)
      plan.checks.push_back({prefix + check.name, [&factory, run = check.run] { run(factory); }});
  }
  if (is_first)
    plan.checks.push_back(
        {prefix + "has a contract suite", [kind = std::string(kind_of(entry.interface_id))] {
           conform::skip("there is no suite for " + kind);
         }});
}

void run_check(const NamedCheck& check,
               int64_t number,
               const Plan& plan,
               const std::string& scratch,
               Reporter& reporter) {
  reporter.say({{"event", "start"}, {"check", number}});
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  fs::create_directories(scratch, ignored);
  const auto begin = std::chrono::steady_clock::now();
  std::string event = "pass", text;
  try {
    if (std::find(plan.skipped.begin(), plan.skipped.end(), check.name) != plan.skipped.end())
      conform::skip("skipped by conform.toml");
    check.run();
  } catch (const conform::Skipped& reason) {
    event = "skip";
    text = reason.what();
  } catch (const std::exception& error) {
    event = "fail";
    text = error.what();
  } catch (...) {
    event = "fail";
    text = "an exception of unknown type came out";
  }
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  reporter.say({{"event", event}, {"check", number}, {"ms", ms}, {"text", text}});
}

}  // namespace

int run_conform_worker(const WorkerOptions& options) {
  Reporter reporter;
  const std::string scratch = options.probe_folder + "/scratch";
  SearchPath path = SearchPath::standard(options.plugin_paths);
  path.folders.insert(path.folders.begin(), options.probe_folder);
  const Catalog catalog = Catalog::discover(path);
  PluginHost host(catalog);
  const PluginManifest& manifest = catalog.plugins().front();
  const Subject subject{options.library,
                        read_file(options.probe_folder + "/plugin.toml"),
                        &manifest,
                        &host,
                        options.seed};
  Plan plan;
  plan.checks = plugin_checks(subject);
  // A refused plugin is never opened: the checks of its library say why, the rest would only repeat
  // it.
  if (manifest.refusal.empty()) {
    const auto suites = all_suites(options, manifest.needs_torch());
    const Value examples = read_example_file(options.example_file);
    for (const ComponentEntry& entry : manifest.components)
      add_component(plan, entry, subject, examples, suites, scratch);
  }
  Value::Array names;
  for (const NamedCheck& check : plan.checks) names.emplace_back(check.name);
  reporter.say({{"event", "plan"}, {"checks", names}});
  for (int64_t i = options.first;
       i < static_cast<int64_t>(plan.checks.size()) && !options.plan_only;
       ++i)
    if (options.only.empty() ||
        std::find(options.only.begin(), options.only.end(), i) != options.only.end())
      run_check(plan.checks[static_cast<size_t>(i)], i, plan, scratch, reporter);
  host.shutdown();
  reporter.say({{"event", "done"}});
  return 0;
}

}  // namespace mortise::core
