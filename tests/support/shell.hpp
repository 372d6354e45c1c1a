// Runs commands as a user would: exit code and all that was printed.
#pragma once

#include <array>
#include <cstdio>
#include <string>

#include <doctest/doctest.h>
#include <sys/wait.h>

namespace mortise::test {

struct Ran {
  int code = 0;
  std::string output;  // stdout and stderr

  bool has(std::string_view part) const { return output.find(part) != std::string::npos; }
};

inline Ran shell(const std::string& command) {
  Ran ran;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE((pipe != nullptr));
  std::array<char, 4096> buffer{};
  for (size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    ran.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

#if defined(MORTISE_PROGRAM)
inline Ran mortise_cli(const std::string& arguments) {
  return shell(std::string(MORTISE_PROGRAM) + " " + arguments);
}

/// tests/recipes/tiny.toml, changed by `more`.
inline Ran train(const std::string& dir, const std::string& more = "") {
  return mortise_cli(
      std::string("run " MORTISE_SOURCE_DIR "/tests/recipes/tiny.toml --set run.dir=") + dir + " " +
      more);
}
#endif

}  // namespace mortise::test
