// Runner's loop. Internal to flow; the contract is in runner.h. Owner thread only.
//
//   runner.cc       init, process, run, deinit: which epochs are open, results in order
//   runner_loop.cc  the loop: ready nodes to the executor, completions to the scheduler
//   runner_fast.cc  the loop's short cut for tiny native nodes
//   runner_switch.cc  nodes enabled and disabled between epochs
//   runner_policies.cc  calls of nodes with a Policy: attempts, deadlines, resources
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "penstock/flow/asset_keeper.h"
#include "penstock/flow/dry_run.h"
#include "penstock/flow/executor.h"
#include "penstock/flow/lifecycles.h"
#include "penstock/flow/metrics.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/policy_queue.h"
#include "penstock/flow/reuse.h"
#include "penstock/flow/run_state.h"
#include "penstock/flow/runner.h"

namespace penstock::flow {

constexpr std::int64_t kTickNs = 50'000'000;

class Runner::Impl {
 public:
  Impl(std::shared_ptr<const Plan> plan, std::unique_ptr<Executor> executor, RunnerOptions options);

  /// The same before init(), without what is known already; null when there is nothing to gain.
  std::unique_ptr<Impl> without_known(const core::Value& inputs);
  base::Result<std::unique_ptr<Impl>> only(std::int32_t node, KeptCalls calls,
                                           const core::Value& inputs);
  base::Result<std::vector<PlannedCall>> dry_run(const core::Value& inputs);
  base::Status init();
  base::Status deinit();
  base::Result<EpochResult> process(const core::Value& inputs);
  base::Status run(std::optional<std::int64_t> num_epochs, const core::Value& inputs,
                   const std::function<base::Status(EpochResult)>& sink);
  base::Status set_enabled(std::string_view id, bool enabled);
  RunSummary summary() const;
  /// The runner's own bookkeeping had no memory: from here on it can only be ended.
  base::Error ran_out_of_memory();
  /// PS0441 after that.
  base::Status check_usable() const;
  /// Brings the counts that are not kept call by call up to date.
  void count_instances();
  void add_observer(std::shared_ptr<Observer> observer);

  std::shared_ptr<const Plan> plan;
  RunMetrics metrics;

 private:
  // runner.cc
  base::Result<std::vector<core::Value>> input_values(const core::Value& inputs) const;
  std::int64_t begin(std::span<const core::Value> inputs);
  base::Result<EpochResult> close(Activation* root);
  void drop_open_epochs();
  void cancel_coroutines();
  base::Status start_parts();
  base::Status start_observers();
  base::Status stop_isolation();
  base::Status stop_executor();
  base::Status end_open_epochs();
  base::Status end_counts();
  base::Status start_nodes();
  base::Status stop_nodes();
  core::Value take_result(std::int64_t epoch);

  // runner_switch.cc
  base::Result<std::int32_t> find_switch(std::string_view id) const;
  std::vector<std::int32_t> switched_by(std::int32_t node, std::string_view id) const;
  base::Status start_switched(std::span<const std::int32_t> nodes);
  base::Status stop_switched(std::span<const std::int32_t> nodes);
  base::Status start_one(std::int32_t node);
  base::Status stop_one(std::int32_t node);

  // runner_loop.cc
  /// Runs until an epoch has closed, or (`may_begin`) until the next one may begin: then null.
  base::Result<Activation*> drive(bool may_begin = false);
  base::Status run_ready();
  base::Status run_inline(const Task& task);
  base::Status run_structural(const Task& task);
  base::Status fail_structural(const Task& task, const base::Error& error);
  base::Status run_map(const Task& task);
  base::Status run_gather(const Task& task);
  base::Status flush_batch();
  base::Status wait_for_completions();
  base::Status finish(Completion& completion);
  /// Completes a task whose result is known. True when it was.
  base::Result<bool> run_reused(const Task& task);
  void tell_reuse(const Task& task);
  void send_reuse_notes();
  /// `attempts`: how many calls were made.
  void fail_node(const Task& task, const base::Error& error, std::int32_t attempts = 1);
  void fail_open_epochs(const base::Error& error);
  bool is_cancelled() const {
    return options_.cancel != nullptr && options_.cancel->is_cancelled();
  }
  static base::Error interrupted() { return {base::ErrorCode::kCancelled, "interrupted"}; }
  void emit_events(const Task& task);
  /// An observer's error closes the epoch of the event being sent, as a node's does.
  void fail_watched(const Task& task, const base::Error& error);
  base::Status send_event(std::string_view node_id, std::string_view signal,
                          const core::Value& value);
  base::Status tick(std::int64_t now_ns);
  base::Error no_progress() const;
  void record(const Completion& completion, NodeStatus status);
  base::Status run_any(const Task& task, bool is_inline);
  base::Status run_dry(const Task& task);
  bool target_is_asset(const Task& task) const {
    // The first half is at hand in every call; few nodes are local.
    return state_.target(task.node).is_local &&
           plan->nodes()[static_cast<std::size_t>(task.node)].kind == NodeKind::kAsset;
  }

  // runner_policies.cc
  base::Status start_policies();
  base::Status check_policy(const PlanNode& node, const Resources& there) const;
  base::Status check_timeout(const PlanNode& node) const;
  base::Status run_governed(const Task& task, const Policy& policy, bool is_inline);
  base::Status start_governed(const Task& task, const Policy& policy, bool is_inline);
  base::Status call_governed(const Task& task, const Policy& policy);
  base::Status call_isolated(const Task& task);
  /// What the policy makes of a call that is over. False: it will be made again.
  bool settle(const Policy& policy, Completion& completion, std::int32_t& attempts);
  std::uint64_t chance_key(const Task& task) const;
  /// Starts what waits for nothing any more; drops what belongs to a failed epoch.
  base::Status run_waiting(bool is_inline, std::int64_t capacity);
  void drop_waiting();
  /// Nothing is out: sleeps until a call may be made again, or a little.
  base::Status sleep_until_due();
  std::int32_t wait_limit_ms() const;
  base::Status tick_if_cancelled(std::int64_t now_ns);

  // runner_fast.cc
  class FastCaller;
  bool may_run_fast() const;
  base::Status run_straight();
  bool run_fast(Task& next);
  void learn_tiny(const Completion& completion);
  /// `num_calls` have been made since the last time. True when they were not tiny.
  bool took_long(std::size_t num_calls);
  base::Status tick_if_due();

  std::unique_ptr<Executor> executor_;
  RunnerOptions options_;
  RunState state_;
  std::unique_ptr<Reuse> reuse_;  ///< null: no node keeps results, or there is nowhere to
  std::unique_ptr<DryRun> dry_;   ///< null: nodes are called
  AssetKeeper assets_;
  Lifecycles lifecycles_;
  CallScratch scratch_;
  std::uint32_t detail_ = 0;         ///< union of the observers' Observer::Detail
  bool large_;                       ///< too many nodes to keep counts per call
  std::uint32_t num_calls_ = 0;      ///< inline calls, to time some of them
  bool host_inputs_ = false;         ///< an input of some epoch was a host object
  std::int64_t fast_window_ns_ = 0;  ///< when the window of tiny calls began
  bool started_ = false;             ///< between init() and deinit()
  bool running_ = false;             ///< in process() or run()
  bool out_of_memory_ = false;       ///< scheduler and queues may be half changed
  std::int64_t run_start_ns_ = 0, last_tick_ns_ = 0;
  std::vector<Task> batch_;
  std::vector<Completion> completions_;
  std::int64_t num_out_ = 0;                    ///< tasks at the executor
  std::map<std::int64_t, base::Error> errors_;  ///< first error of each failed open epoch
  std::vector<std::pair<std::int64_t, core::Value>> results_;  ///< of open epochs
  std::string status_ = "ok";
  bool interrupted_ = false;           ///< a host signal set the cancel token
  bool coroutines_cancelled_ = false;  ///< since the cancel token was set
  RunInfo info_;
  std::optional<PolicyQueue> waiting_;  ///< while the plan has policies
  base::Clock& clock_;                  ///< of waiting_
  bool epoch_failed_ = false;           ///< since waiting_ was last looked through
  Epoch event_epoch_;                   ///< of the event being sent
  std::int64_t next_event_id_;
};

}  // namespace penstock::flow
