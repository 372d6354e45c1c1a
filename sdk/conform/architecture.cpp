// Contract of `architecture`: two-way translation, one rule a parameter, a clear error for what it
// cannot express. The example comes from `hf_config` of its table in conform.toml.
#include "mortise/architecture.hpp"

#include <set>

#include "suites.hpp"

namespace mortise::conform {

namespace {

const Value& hf_config(Factory& f) {
  const Value* config = f.example().find("hf_config");
  if (config == nullptr) skip("give  hf_config = { … }  in its table of conform.toml");
  return *config;
}

void recognises_its_own(Factory& f) {
  const auto architecture = make<Architecture>(f);
  Value other = Value::table();
  MORTISE_EXPECT(!architecture->recognises(other), "an empty config.json is recognised");
  other["model_type"] = "no_such_architecture";
  MORTISE_EXPECT(!architecture->recognises(other), "a foreign config.json is recognised");
  other["model_type"] = 7;
  MORTISE_EXPECT(!architecture->recognises(other),
                 "a config.json with a number as model_type is recognised");
  MORTISE_EXPECT(architecture->recognises(hf_config(f)), "its own example is not recognised");
}

void goes_both_ways(Factory& f) {
  const auto architecture = make<Architecture>(f);
  const Value spec = architecture->to_spec(hf_config(f));
  const Value again = architecture->to_spec(architecture->to_hf(spec));
  MORTISE_EXPECT(
      spec == again,
      "config.json → specification → config.json → specification changes the specification");
}

void names_are_unique(Factory& f) {
  const auto architecture = make<Architecture>(f);
  const auto rules = architecture->names(architecture->to_spec(hf_config(f)));
  MORTISE_EXPECT(!rules.empty(), "there is no rule for any parameter");
  std::set<std::string> seen;
  for (const TensorRule& rule : rules) {
    MORTISE_EXPECT(seen.insert(rule.ours).second, "{} has two rules", rule.ours);
    MORTISE_EXPECT(!rule.theirs.empty(), "the rule of {} names no tensor on disk", rule.ours);
  }
}

void missing_key(Factory& f) {
  const auto architecture = make<Architecture>(f);
  MORTISE_EXPECT_ERROR(architecture->to_spec(Value::table()), "an empty config.json");
}

void wrong_types(Factory& f) {
  const auto architecture = make<Architecture>(f);
  for (const auto& [key, value] : hf_config(f).as_table()) {
    Value broken = hf_config(f);
    broken[key] = Value::array();
    try {
      architecture->to_spec(broken);
    } catch (const Error& error) {
      MORTISE_EXPECT(!error.message().empty(), "a wrong {} is refused without a message", key);
    }
  }
}

}  // namespace

Suite architecture_suite() {
  return {"architecture",
          args<Architecture>,
          {{"recognises its own config.json only", recognises_its_own},
           {"translates both ways without loss", goes_both_ways},
           {"has one rule a parameter", names_are_unique},
           {"names a missing key", missing_key},
           {"survives keys of wrong types", wrong_types}}};
}

}  // namespace mortise::conform
