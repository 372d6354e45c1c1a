// LibTorch's own profiler (torch/csrc/autograd/profiler_kineto.h, Kineto beneath it) around a piece
// of work.  Operations name themselves: ATen's through the dispatcher, ours in sdk/ops, and the
// backward pass through the nodes of autograd.  This is the only source that includes its header.
#include "mortise/torch/trace.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>

#include <ATen/record_function.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include "mortise/error.hpp"

namespace mortise {

namespace {

namespace profiler = torch::autograd::profiler;
namespace settings = torch::profiler::impl;

/// The profiler is on while this lives.
class Recording {
 public:
  Recording() {
    // Kineto logs an error on every machine without a GPU driver; its own setting wins.
    setenv("KINETO_LOG_LEVEL", "99", /*overwrite=*/0);
    const settings::ProfilerConfig config(settings::ProfilerState::KINETO,
                                          /*report_input_shapes=*/true);
    const std::set<settings::ActivityType> activities = {settings::ActivityType::CPU};
    profiler::prepareProfiler(config, activities);
    profiler::enableProfiler(config, activities);
  }

  ~Recording() {
    if (is_on_) profiler::disableProfiler();
  }

  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void save(const std::string& path) {
    is_on_ = false;
    profiler::disableProfiler()->save(path);
  }

 private:
  bool is_on_ = true;
};

}  // namespace

void record_trace(const std::string& path,
                  std::string_view name,
                  const std::function<void()>& work) {
  Recording recording;
  {
    RECORD_USER_SCOPE(std::string(name));
    work();
  }
  recording.save(path);
  if (!std::filesystem::exists(path))  // Kineto reports this nowhere
    throw Error(Code::Io, fmt::format("the trace {} could not be written", path));
}

}  // namespace mortise
