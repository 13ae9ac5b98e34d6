// The worker process: takes tasks from a run in another process, calls the operators, replies.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/flow/plan.h"

namespace penstock::exec {

/// What a worker program adds: how to make the plan from the bytes it was sent.
struct WorkerHooks {
  /// `plan` is what ProcessOptions::plan held. Called once, without the host lock. Its error is
  /// reported by the run's start().
  std::function<base::Result<std::shared_ptr<const flow::Plan>>(std::string_view plan)> compile;
};

/// Serves the run at the other end of `control_fd` (the last argument of the worker's command line)
/// until it says stop. Returns the exit code of the process: 0, or 1 when it could not start. The
/// process is killed by the kernel when the run's process ends in whatever way, so it is never an
/// orphan. Gives the host lock up and holds it only while a node needs it.
int run_worker(int control_fd, const WorkerHooks& hooks);

}  // namespace penstock::exec
