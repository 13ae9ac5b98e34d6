// Executor: where ready nodes run. The runner's loop hands out tasks and takes completions; it owns
// all run state, so an executor needs no knowledge of plans beyond the node it is told to call.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "penstock/core/operator.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

/// One call of one node in one (sub-)epoch. Plain data; pointers stay valid until its completion is
/// taken back. Inputs are already written; outputs belong to this task alone until completion.
struct Task {
  std::int32_t node = 0;       ///< index in Plan::nodes()
  void* activation = nullptr;  ///< the scheduler's; opaque to executors
};

struct Completion {
  Task task;
  core::Step step = core::Step::kDone;
  std::int32_t worker = 0;       ///< 0 = the runner's thread
  std::int64_t start_ns = 0;     ///< monotonic clock
  std::int64_t duration_ns = 0;  ///< 0 when not measured
  std::int32_t retries = 0;
  base::Status status;  ///< the node's error, if it failed
};

class Isolation;  // isolation.h

/// Gives an executor access to a task's data. Implemented by the runner; thread-safe for tasks that
/// are out.
class TaskAccess {
 public:
  virtual ~TaskAccess() = default;
  virtual const Plan& plan() const = 0;
  /// Input i of the task in binding (or port) order; absent when there is no event. Collected
  /// inputs were materialised before the task was handed out.
  virtual std::span<const core::Value* const> inputs(
      const Task& task, std::vector<const core::Value*>& scratch) const = 0;
  virtual std::span<core::Value> outputs(const Task& task) const = 0;
  virtual core::State* state(std::int32_t node) const = 0;
  /// Root epoch and sub-epoch indices, outermost first.
  virtual std::int64_t epoch(const Task& task, std::vector<std::int64_t>& path) const = 0;
  virtual std::uint64_t seed() const = 0;
  virtual const core::CancelToken* cancel() const = 0;
  /// Takes log lines of nodes, from any thread.
  virtual core::LogSink* log_sink() const = 0;
  /// Where coroutines of the host run; null in a program without a host language.
  virtual core::HostLoop* loop() const = 0;
  virtual const core::Wiring* wiring() const = 0;
  /// True when the node and all nested tubes around it are enabled: it is to be started with the
  /// run, if it has a core::Lifecycle. The runner's thread only.
  virtual bool is_enabled(std::int32_t node) const {
    return plan().nodes()[static_cast<std::size_t>(node)].enabled;
  }
  /// Null where nodes live in processes of their own anyway, and where no node needs it.
  virtual Isolation* isolation() const { return nullptr; }
};

/// Runs `task` on this thread: locks the host if the node needs it, calls the operator, measures,
/// catches what foreign code throws, checks the outputs. The one place that calls an operator.
/// A node that needs isolation is called in another process, if `access` has one to give.
/// With `later` the call may go on after this: then `out.step` is kPending.
void run_task(const TaskAccess& access, const Task& task, std::int32_t worker, Completion& out,
              core::Later* later = nullptr);

class Executor {
 public:
  virtual ~Executor() = default;

  /// Called once before the first task. `access` outlives the executor's use.
  virtual base::Status start(const TaskAccess& access) = 0;
  /// Stops: waits for tasks that run, drops the rest, joins. No task is out when this is called.
  virtual void stop() = 0;

  /// True when run_task() on the loop's own thread is all this executor does: the loop then calls
  /// it directly and never submits.
  virtual bool is_inline() const { return false; }

  /// True when the loop may call a tiny node itself instead of handing it over: the executor's
  /// workers are threads of this process, and a hand-over costs more than the node.
  virtual bool lets_loop_run_tiny_nodes() const { return is_inline(); }

  /// True when nodes live in other processes: this executor then starts and stops those that have
  /// a core::Lifecycle, in plan order and in reverse. Otherwise the loop does so itself.
  virtual bool hosts_nodes() const { return false; }
  /// After start(). On an error those that were started are stopped again.
  virtual base::Status start_nodes() { return {}; }
  /// Before stop(). All of them are stopped; the first error.
  virtual base::Status stop_nodes() { return {}; }
  /// True when the calls of a stateful node are made in the order in which its tasks were
  /// submitted, whatever happens to a worker, and one that fails is the node's last of its root
  /// epoch: the loop then submits a task before the one before it is back.
  virtual bool keeps_order() const { return false; }
  /// One node that has a core::Lifecycle, between epochs: enabled or disabled by hand.
  virtual base::Status start_node(std::int32_t /*node*/) { return {}; }
  virtual base::Status stop_node(std::int32_t /*node*/) { return {}; }

  virtual std::int32_t num_workers() const = 0;

  /// Sum of the peak memory of its workers, where they are processes of their own; also after
  /// stop().
  virtual std::int64_t workers_peak_rss_bytes() { return 0; }

  /// How many tasks it likes to hold; the loop submits more only when fewer are out.
  virtual std::int64_t capacity() const = 0;
  /// Takes all of `tasks`.
  virtual base::Status submit(std::span<const Task> tasks) = 0;
  /// Appends finished tasks; waits up to `timeout_ms` for at least one when there is none. The loop
  /// has given up the host lock. kUnavailable: the executor is broken, the run cannot go on.
  virtual base::Status wait(std::vector<Completion>& out, std::int32_t timeout_ms) = 0;
};

}  // namespace penstock::flow
