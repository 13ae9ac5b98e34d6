// Child: one spawned worker process. Never a plain fork: posix_spawn executes a program at once.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/exec/process_fd.h"

namespace penstock::exec {

/// How a process ended.
struct ExitStatus {
  std::int32_t signal = 0;  ///< 0: it ended by itself
  std::int32_t code = 0;    ///< exit code then
  /// "killed by signal 9 (SIGKILL)", "ended with exit code 1".
  std::string to_string() const;
};

/// A running child, or one that has ended and waits to be reaped. Owner thread only.
class Child {
 public:
  /// Runs `command` with the number of `control` as its last argument; the child inherits only that
  /// descriptor, 1 and 2. Its standard input is empty. SIGINT is blocked: Ctrl-C goes to the whole
  /// process group, and a worker stops when the run tells it to. kUnavailable.
  static base::Result<Child> spawn(const std::vector<std::string>& command, int control);

  Child(Child&& other) noexcept = default;
  Child& operator=(Child&& other) noexcept = default;
  /// Kills and reaps what still runs.
  ~Child();

  pid_t pid() const { return pid_; }
  /// Readable when the child has ended.
  int pidfd() const { return pidfd_.get(); }

  void kill(int signal);
  /// Waits up to `timeout_ms` for the end and reaps; true when it is over.
  bool wait_end(std::int32_t timeout_ms);
  /// Valid once wait_end() gave true.
  const ExitStatus& exit_status() const { return exit_; }

 private:
  Child(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_ = -1;
  UniqueFd pidfd_;  ///< invalid once reaped
  ExitStatus exit_;
};

}  // namespace penstock::exec
