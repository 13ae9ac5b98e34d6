// ThreadExecutor: nodes run on a fixed set of threads. Native operators run side by side; Python
// nodes share the interpreter lock, which a thread takes once for a run of them.
//
// One bounded queue of ready tasks under one lock; threads take chunks sized so that a chunk is
// about 20 us of work, so that a graph of tiny nodes costs a lock per hundreds of nodes and a graph
// of long ones is balanced one by one. While waiting, the loop's own thread helps with tiny tasks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <thread>
#include <vector>

#include "penstock/base/mutex.h"
#include "penstock/flow/executor.h"

namespace penstock::exec {

/// submit(), wait(), start() and stop() are for the loop's thread only.
class ThreadExecutor : public flow::Executor {
 public:
  /// `num_threads` >= 1; 0 = one per core this process may use.
  explicit ThreadExecutor(std::int32_t num_threads);
  ~ThreadExecutor() override;

  base::Status start(const flow::TaskAccess& access) override;
  void stop() override;
  std::int32_t num_workers() const override { return num_threads_; }
  bool lets_loop_run_tiny_nodes() const override { return true; }
  std::int64_t capacity() const override { return kCapacity; }
  base::Status submit(std::span<const flow::Task> tasks) override;
  base::Status wait(std::vector<flow::Completion>& out, std::int32_t timeout_ms) override;

 private:
  class Pending;

  static constexpr std::int64_t kCapacity = 16'384;  ///< tasks out; the loop never submits more
  static constexpr std::int64_t kChunkNs = 20'000;
  static constexpr std::int64_t kMaxChunk = 512;

  /// What a thread works with; it holds kMaxChunk of each from the start.
  struct Scratch {
    std::vector<flow::Task> chunk;
    std::vector<flow::Completion> done;
  };

  void work(std::int32_t worker, Scratch& scratch);
  /// For the ends of `num_tasks` more tasks, so that to take one needs no memory.
  void make_room(std::size_t num_tasks) PENSTOCK_REQUIRES(mutex_);
  /// Moves a chunk of ready tasks into `chunk`; false when there is none.
  bool take_chunk(std::vector<flow::Task>& chunk) PENSTOCK_REQUIRES(mutex_);
  void run_chunk(std::span<const flow::Task> chunk, std::int32_t worker,
                 std::vector<flow::Completion>& done);
  /// Begins a call that needs no thread.
  void begin(const flow::Task& task);
  /// Takes a completion from any thread.
  void take_end(flow::Completion completion);
  void learn(std::int64_t num_tasks, std::int64_t duration_ns);

  const std::int32_t num_threads_;
  const flow::TaskAccess* access_ = nullptr;  ///< set by start(), before threads exist
  bool has_async_ = false;                    ///< some node's calls need no thread
  bool may_help_ = true;                      ///< no call would keep the loop's thread for long
  bool was_idle_ = false;                     ///< loop thread only: the last wait() was for nothing

  base::Mutex mutex_;
  std::condition_variable_any ready_;    ///< tasks were queued, or stopping
  std::condition_variable_any done_cv_;  ///< completions were appended
  std::vector<flow::Task> queue_ PENSTOCK_GUARDED_BY(mutex_);
  std::size_t queue_head_ PENSTOCK_GUARDED_BY(mutex_) = 0;
  std::vector<flow::Completion> done_ PENSTOCK_GUARDED_BY(mutex_);
  std::size_t num_out_ PENSTOCK_GUARDED_BY(mutex_) = 0;  ///< tasks whose end wait() has not given
  std::int32_t idle_ PENSTOCK_GUARDED_BY(mutex_) = 0;
  bool stopping_ PENSTOCK_GUARDED_BY(mutex_) = false;

  // Hints, read without the lock; relaxed everywhere, because a stale value only costs time: the
  // data they speak of is re-read under mutex_.
  std::atomic<std::int64_t> mean_ns_{1'000'000};  ///< of recent tasks; starts high: chunks of one
  std::atomic<std::int64_t> num_queued_{0};
  std::atomic<std::int64_t> num_done_{0};

  std::vector<std::jthread> threads_;
  std::vector<flow::Task> own_chunk_;  ///< loop thread only
};

}  // namespace penstock::exec
