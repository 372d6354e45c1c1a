// posix_spawn with two pipes and a poll loop.
#include "mortise/child.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mortise/error.hpp"

extern char** environ;

namespace mortise {

namespace {

using Clock = std::chrono::steady_clock;

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0)
      throw Error(Code::Io, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }

  ~Pipe() {
    close_write();
    ::close(ends_[0]);
  }

  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read_end() const { return ends_[0]; }

  int write_end() const { return ends_[1]; }

  void close_write() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

pid_t spawn(const std::vector<std::string>& argv, const Pipe& out, const Pipe& err) {
  std::vector<char*> arguments;
  for (const std::string& item : argv) arguments.push_back(const_cast<char*>(item.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.write_end(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write_end(), STDERR_FILENO);
  pid_t pid = 0;
  const int status =
      posix_spawn(&pid, argv[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0)
    throw Error(Code::Io,
                fmt::format("cannot start {}: {}", argv[0], std::strerror(status)),
                "the program is missing or not executable: install it again");
  return pid;
}

// Appends what is readable; returns false at the end of the stream.
bool drain(int descriptor, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR;
  text.append(buffer.data(), static_cast<size_t>(got));
  return got > 0;
}

void give_lines(std::string& text, const std::function<void(std::string_view)>& on_line) {
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    on_line(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
  }
  text.erase(0, begin);
}

void keep_tail(std::string& text) {
  static constexpr size_t kLimit = 65536;
  if (text.size() > 2 * kLimit) text.erase(0, text.size() - kLimit);
}

// Reads both streams until the child closes them; returns false when time is up.
bool pump(Pipe& out, Pipe& err, const ChildOptions& options, ChildResult& result) {
  const auto limit = std::chrono::milliseconds(static_cast<int64_t>(options.timeout_s * 1000));
  auto deadline = Clock::now() + limit;
  std::array<pollfd, 2> polls{{{out.read_end(), POLLIN, 0}, {err.read_end(), POLLIN, 0}}};
  while (polls[0].fd >= 0 || polls[1].fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    if (poll(polls.data(), polls.size(), static_cast<int>(std::min<int64_t>(left, 1000))) < 0 &&
        errno != EINTR)
      return true;
    if (polls[0].revents != 0) {
      if (!drain(polls[0].fd, result.out)) polls[0].fd = -1;
      if (options.on_line) {
        give_lines(result.out, options.on_line);
        deadline = Clock::now() + limit;
      }
    }
    if (polls[1].revents != 0 && !drain(polls[1].fd, result.err)) polls[1].fd = -1;
    polls[0].revents = polls[1].revents = 0;
    keep_tail(result.err);
  }
  return true;
}

}  // namespace

std::string ChildResult::how_it_ended() const {
  if (timed_out) return "did not end in time and was killed";
  if (signal != 0)
    return fmt::format(
        "crashed with {} ({})",
        sigabbrev_np(signal) == nullptr ? "a signal" : fmt::format("SIG{}", sigabbrev_np(signal)),
        strsignal(signal));
  return fmt::format("ended with exit code {}", exit_code);
}

ChildResult run_child(const std::vector<std::string>& argv, const ChildOptions& options) {
  ChildResult result;
  Pipe out, err;
  const pid_t pid = spawn(argv, out, err);
  out.close_write();
  err.close_write();
  result.timed_out = !pump(out, err, options, result);
  if (result.timed_out) ::kill(pid, SIGKILL);
  int status = 0;
  const auto deadline =
      Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(options.timeout_s * 1000));
  while (waitpid(pid, &status, result.timed_out ? 0 : WNOHANG) ==
         0) {  // both streams are closed: it is about to end, or hides
    if (Clock::now() > deadline) result.timed_out = true;
    if (!result.timed_out)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    else
      ::kill(pid, SIGKILL);
  }
  if (WIFSIGNALED(status))
    result.signal = WTERMSIG(status);
  else
    result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace mortise
