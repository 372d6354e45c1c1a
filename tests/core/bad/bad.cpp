// Plugins that are wrong in one way each, chosen by a macro.  None of them may harm the host.
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <thread>

#include "mortise/metric.hpp"
#include "mortise/plugin.hpp"

#ifndef BAD_TAG
#define BAD_TAG MORTISE_BUILD_TAG
#endif

namespace {

struct Exact : mortise::Metric {
  mortise::Stats sample(const mortise::Sample& s) const override {
#if defined(BAD_SAMPLE_CRASHES)
    if (s.prediction.empty()) std::raise(SIGSEGV);
#elif defined(BAD_SAMPLE_EXITS)
    if (s.prediction.empty()) std::exit(3);
#elif defined(BAD_SAMPLE_HANGS)
    if (s.prediction.empty()) std::this_thread::sleep_for(std::chrono::hours(1));
#elif defined(BAD_LENGTH)
    return mortise::Stats(s.prediction.size() % 5 + 1, 1.0);
#endif
    return {s.prediction == s.references.front() ? 1.0 : 0.0, 1.0};
  }

  std::vector<mortise::Score> compute(const mortise::Stats& sum) const override {
    return {{"exact", sum[1] > 0 ? sum[0] / sum[1] : 0}};
  }

  std::string signature() const override { return "v1"; }
#if defined(BAD_LEAKS)
  Exact() { leak_ = new char[1000]; }

  char* leak_;
#endif
};

[[maybe_unused]] void crash() { std::raise(SIGSEGV); }

[[maybe_unused]] void leave() { std::exit(0); }

[[maybe_unused]] void fail() {
  throw mortise::Error(mortise::Code::Plugin, "the licence server is down", "start it");
}

#if defined(BAD_MAGIC) || defined(BAD_ABI) || defined(BAD_SIZE)
mortise_plugin descriptor() {
  mortise_plugin out{};
  std::memcpy(out.magic, MORTISE_MAGIC, sizeof out.magic);
  out.size = sizeof out;
  out.abi = MORTISE_ABI;
  out.id = "org.bad.hand";
  out.version = "1.0.0";
  out.license = "MIT";
  out.tag = BAD_TAG;
  out.component_size = sizeof(mortise_component);
#if defined(BAD_MAGIC)
  out.magic[0] = 'X';
#elif defined(BAD_ABI)
  out.abi = 99;
#else
  out.size = 12;
#endif
  return out;
}
#endif

}  // namespace

#if defined(BAD_NO_ENTRY)
extern "C" MORTISE_API int some_other_symbol() { return 1; }
#elif defined(BAD_THROWS)
extern "C" MORTISE_API const mortise_plugin* mortise_plugin_entry(const mortise_error_sink*) {
  throw std::runtime_error("thrown out of the entry");
}
#elif defined(BAD_MAGIC) || defined(BAD_ABI) || defined(BAD_SIZE)
extern "C" MORTISE_API const mortise_plugin* mortise_plugin_entry(const mortise_error_sink*) {
  static const mortise_plugin instance = descriptor();
  return &instance;
}
#else

#if defined(BAD_UNDEFINED)
namespace mortise::missing {
int frobnicate(const std::string&);
}

[[maybe_unused]] static const int kUsed = mortise::missing::frobnicate("x");
#endif
#if defined(BAD_LIBRARY)
extern "C" int not_on_this_machine();
[[maybe_unused]] static const int kUsed = not_on_this_machine();
#endif
#if defined(BAD_EXTRA_SYMBOL)
namespace mortise::extra {
MORTISE_API int exported_by_mistake() { return 1; }
}  // namespace mortise::extra
#endif

MORTISE_PLUGIN("org.bad.metric",
               "1.0.0",
               "MIT",
               mortise::component<Exact>("exact", "share of equal texts")
#if defined(BAD_ENTRY_CRASHES)
                   ,
               mortise::on_load(&crash)
#elif defined(BAD_ENTRY_EXITS)
                   ,
               mortise::on_load(&leave)
#elif defined(BAD_ENTRY_REPORTS)
                   ,
               mortise::on_load(&fail)
#endif
);
#endif
