#include "penstock/exec/process_child.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/core.h>

// This header of glibc 2.36 lacks the linkage its functions have.
extern "C" {
#include <sys/pidfd.h>
}

extern char** environ;

namespace penstock::exec {
namespace {

/// Frees the two spawn structures whatever happens.
struct SpawnSetup {
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

}  // namespace

std::string ExitStatus::to_string() const {
  if (signal == 0) {
    return fmt::format("ended with exit code {}", code);
  }
  const char* const name = ::sigabbrev_np(signal);
  return fmt::format("was killed by signal {} (SIG{})", signal, name == nullptr ? "?" : name);
}

base::Result<Child> Child::spawn(const std::vector<std::string>& command, int control) {
  const std::string number = std::to_string(control);
  std::vector<char*> argv;
  argv.reserve(command.size() + 2);
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(const_cast<char*>(number.c_str()));
  argv.push_back(nullptr);

  SpawnSetup setup;
  posix_spawn_file_actions_addopen(&setup.actions, 0, "/dev/null", O_RDONLY, 0);
  // Onto itself: clears close-on-exec for this one descriptor, in the child only.
  posix_spawn_file_actions_adddup2(&setup.actions, control, control);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGTERM, SIGPIPE, SIGCHLD, SIGHUP}) {
    sigaddset(&defaults, signal);
  }
  posix_spawnattr_setsigmask(&setup.attributes, &blocked);
  posix_spawnattr_setsigdefault(&setup.attributes, &defaults);
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, argv[0], &setup.actions, &setup.attributes, argv.data(), environ);
  if (error != 0) {
    return base::fail(base::Error(base::ErrorCode::kUnavailable,
                                  fmt::format("cannot start a worker: {}: {}", command.front(),
                                              std::strerror(error)))
                          .with_id("PS0502"));
  }
  // The pid cannot have been used again: only we reap it.
  UniqueFd pidfd(::pidfd_open(pid, 0));
  if (!pidfd.is_valid()) {
    const int reason = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return base::fail(
        base::Error(base::ErrorCode::kUnavailable,
                    fmt::format("cannot watch a worker: pidfd_open: {}", std::strerror(reason)))
            .with_id("PS0502"));
  }
  return Child(pid, std::move(pidfd));
}

Child::~Child() {
  if (pidfd_.is_valid()) {
    kill(SIGKILL);
    wait_end(-1);
  }
}

void Child::kill(int signal) {
  if (pidfd_.is_valid()) {
    // Through the pidfd, so it can never hit another process.
    ::pidfd_send_signal(pidfd_.get(), signal, nullptr, 0);
  }
}

bool Child::wait_end(std::int32_t timeout_ms) {
  if (!pidfd_.is_valid()) {
    return true;
  }
  pollfd ended{pidfd_.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&ended, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) {
    return false;
  }
  siginfo_t info{};
  // Fails when the program ignores SIGCHLD; then the system has reaped it and the reason is lost.
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) == 0) {
    const bool by_itself = info.si_code == CLD_EXITED;
    exit_ = by_itself ? ExitStatus{0, info.si_status} : ExitStatus{info.si_status, 0};
  }
  pidfd_.reset();
  return true;
}

}  // namespace penstock::exec
