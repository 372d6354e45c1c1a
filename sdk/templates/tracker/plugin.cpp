// @NAME@: one line a step in RUN/@NAME@.txt.
#include <mortise/plugin.hpp>
#include <mortise/tracker.hpp>

#include <cstdio>
#include <memory>

struct @CLASS@ final : mortise::Tracker {
  void start(const mortise::RunInfo& info) override {
    const std::string path = info.directory + "/@NAME@.txt";
    file_.reset(std::fopen(path.c_str(), info.resumed_step > 0 ? "a" : "w"));
    if (!file_) throw mortise::Error(mortise::Code::Io, "cannot write " + path);
  }
  void scalars(int64_t step, std::span<const mortise::Scalar> values) override {
    std::string line = std::to_string(step);
    for (const mortise::Scalar& v : values) line += fmt::format(" {}={:g}", v.name, v.value);
    std::fprintf(file_.get(), "%s\n", line.c_str());
  }
  void flush() override { std::fflush(file_.get()); }
  void finish(const mortise::RunSummary& summary) override {
    std::fprintf(file_.get(), "%s\n", summary.status.c_str());
    file_.reset();
  }

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

MORTISE_PLUGIN("@ID@", "0.1.0", "Apache-2.0", mortise::component<@CLASS@>("@NAME@", "one line of text a step"));
