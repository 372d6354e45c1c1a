// dlopen of the engine.  NODELETE and never closed: LibTorch does not survive unloading.
#include "core/cli/engine_loader.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <dlfcn.h>
#include <fmt/format.h>
#include <sched.h>

#include "mortise/error.hpp"

namespace mortise::core {

namespace {

using EngineMain = int (*)(const EngineCall*);

EngineMain open_engine() {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe");
  const std::string path =
      (program.parent_path().parent_path() / "lib" / "libmortise_engine.so").string();
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* reason = dlerror();
    throw Error(Code::Plugin,
                fmt::format("the engine cannot be opened: {}", reason == nullptr ? path : reason),
                "build the target mortise_engine (it needs LibTorch: sdk/bootstrap/bootstrap.sh), "
                "or install Mortise again");
  }
  void* symbol = dlsym(handle, "mortise_engine_main");
  if (symbol == nullptr)
    throw Error(Code::Plugin,
                fmt::format("{} has no symbol mortise_engine_main", path),
                "install Mortise again: program and engine belong together");
  return reinterpret_cast<EngineMain>(symbol);
}

}  // namespace

int64_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

int64_t set_thread_environment(int64_t threads) {
  const int64_t chosen = threads > 0 ? threads : usable_cpus();
  const std::string text = std::to_string(chosen);
  setenv("OMP_NUM_THREADS", text.c_str(), 1);
  setenv("MKL_NUM_THREADS", text.c_str(), 1);
  setenv("MKL_DYNAMIC", "FALSE", 1);  // a changing number of threads would change the bits
  setenv("OMP_DYNAMIC", "FALSE", 1);
  return chosen;
}

int call_engine(EngineCall call) {
  call.threads = set_thread_environment(call.threads);
  static const EngineMain engine = open_engine();
  return engine(&call);
}

}  // namespace mortise::core
