// ProcessExecutor: runs nodes in worker processes. The executor of MultiProcessRunner.
//
// Workers are started once per start() and get the plan once. Stateful nodes live in one worker
// each; other tasks go to the least loaded. A worker that dies is replaced, its tasks run again,
// and the states that lived in it are rebuilt by repeating their calls. No process, descriptor or
// shared memory is left over, however the run or the workers end.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/exec/process_history.h"
#include "penstock/exec/process_peer.h"
#include "penstock/exec/process_placement.h"
#include "penstock/flow/executor.h"

namespace penstock::exec {

struct ProcessOptions {
  /// Command line of a worker; a descriptor number for run_worker() is added at the end. For Python
  /// plans: {sys.executable, "-m", "penstock._worker"}.
  std::vector<std::string> command;
  std::string plan;                               ///< what WorkerHooks::compile is given
  std::int32_t num_workers = 0;                   ///< 0: one per core this process may use
  std::int64_t task_timeout_ms = 300'000;         ///< 0: none
  std::int64_t start_timeout_ms = 120'000;        ///< for a worker to compile the plan
  std::int64_t cancel_grace_ms = 50;              ///< for what is told to end, before its worker is
  std::int64_t history_limit_bytes = 64LL << 20;  ///< inputs kept to rebuild states
  std::int32_t max_deaths = 3;                    ///< a task that ended so many workers fails
  std::int64_t ring_bytes = 1 << 18;              ///< per direction and worker; a power of two
};

/// Owner thread only. Errors of tasks: PS0501 ended its workers, PS0503 timeout (PS0413: the
/// node's own), PS0504 a value cannot leave its process, PS0506 state lost; of start(): PS0502, and
/// PS0505 for another plan.
class ProcessExecutor final : public flow::Executor {
 public:
  explicit ProcessExecutor(ProcessOptions options);
  ~ProcessExecutor() override;

  base::Status start(const flow::TaskAccess& access) override;
  void stop() override;
  bool hosts_nodes() const override { return true; }
  bool keeps_order() const override { return true; }
  base::Status start_nodes() override;
  base::Status stop_nodes() override;
  base::Status start_node(std::int32_t node) override;
  base::Status stop_node(std::int32_t node) override;
  std::int32_t num_workers() const override { return options_.num_workers; }
  std::int64_t capacity() const override { return std::int64_t{512} * options_.num_workers; }
  base::Status submit(std::span<const flow::Task> tasks) override;
  base::Status wait(std::vector<flow::Completion>& out, std::int32_t timeout_ms) override;

  /// Of the processes that took the place of one worker after another, the largest counts. One that
  /// was killed counts as far as it was last looked at, at most half a second before.
  std::int64_t workers_peak_rss_bytes() override;

  /// Process ids of the live workers, for tests and diagnostics.
  std::vector<std::int32_t> worker_pids() const;
  /// Workers replaced since the executor was made.
  std::int64_t num_replaced() const { return num_replaced_; }

 private:
  /// How a call gets into the history.
  enum class Memory : std::uint8_t { kNone, kCounted, kKept };

  /// A task that is out.
  struct Slot {
    flow::Task task;
    std::int32_t deaths = 0;  ///< workers that ended while they ran it
    Memory memory = Memory::kNone;
    std::int64_t epoch = 0;  ///< root epoch; once sent
  };

  // process_executor.cc: tasks out, completions in
  void dispatch();
  bool send_task(std::int32_t worker, std::uint32_t slot);
  base::Status fill_frame(std::uint32_t slot, Peer& peer);
  void complete(std::uint32_t slot, flow::Completion completion);
  void fail(std::uint32_t slot, const base::Error& error);
  void collect();
  base::Status read_frames(std::int32_t worker);
  base::Status read_done(std::int32_t worker, const Frame& frame);
  base::Status read_log(const Frame& frame);
  void note_sent(const Slot& sent, std::int64_t lent_bytes);
  void note_answer(const Slot& answered, bool called);

  // process_lifecycle.cc: starting and stopping
  base::Status prepare();
  base::Status start_peer(std::int32_t worker);
  base::Status await_ready();
  base::Error start_error(std::int32_t worker, std::string_view detail) const;
  void note_memory();

  // process_nodes.cc: nodes with a lifecycle
  base::Status ask(FrameType type, std::int32_t node, std::int64_t timeout_ms);
  base::Status send_node(FrameType type, std::int32_t node, Peer& peer);
  base::Status rebuild_node(std::int32_t node, Peer& peer);

  // process_recovery.cc: workers that end, time limits, cancellation
  void check_health();
  void check_deadlines();
  base::Error late_error(const flow::Task& task) const;
  void check_cancelled();
  void replace(std::int32_t worker, std::string_view reason);
  void requeue_in_flight(std::int32_t worker);
  void drop_peer(std::int32_t worker);
  void break_off(base::Error error);
  void fail_queued(const base::Error& error);

  // process_wait.cc: sleeping
  bool has_frames() const;
  bool may_spin() const;
  void sleep(std::int64_t until_ns);
  std::int64_t next_deadline_ns() const;
  std::int64_t deadline_ns(const Peer& peer) const;
  std::int64_t time_limit_ms(const flow::Task& task) const;

  ProcessOptions options_;
  const flow::TaskAccess* access_ = nullptr;  ///< between start() and stop()
  PeerSetup setup_;
  std::vector<std::unique_ptr<Peer>> peers_;  ///< null: to be started when it is needed
  CopyCache copies_;                          ///< shared by all workers' exchanges
  std::optional<Placement> placement_;
  History history_;
  std::optional<base::Error> broken_;        ///< no worker can be had any more
  std::vector<std::int32_t> started_nodes_;  ///< those with a lifecycle, in order
  bool asking_ = false;                      ///< in ask()
  std::optional<base::Error> node_error_;    ///< what ask() was answered

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::deque<std::uint32_t> shared_queue_;                ///< tasks for any worker
  std::vector<std::deque<std::uint32_t>> pinned_queues_;  ///< by worker
  std::vector<flow::Completion> finished_;                ///< to be handed out by wait()
  bool was_idle_ = false;                                 ///< the last wait() was for nothing
  std::int64_t num_replaced_ = 0;
  std::int32_t failed_starts_ = 0;       ///< in a row
  std::int64_t cancelled_since_ns_ = 0;  ///< 0: not cancelled
  std::int64_t next_health_ns_ = 0;      ///< when to look for ended workers again
  std::vector<std::int64_t> peak_rss_;   ///< by worker, since start(); bytes
  std::int64_t next_memory_ns_ = 0;      ///< when to look at it again
  std::int32_t num_cores_ = 1;

  // Scratch.
  FrameBuffer frame_;
  std::vector<std::int64_t> path_;
  std::vector<const core::Value*> inputs_;
};

}  // namespace penstock::exec
