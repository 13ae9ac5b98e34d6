#include "penstock/exec/thread_executor.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "penstock/base/clock.h"
#include "penstock/base/machine.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/core/host.h"

namespace penstock::exec {
namespace {

constexpr std::int64_t kSpinNs = 30'000;  // about one futex wake-up on our machines

/// Spins until `ready()` or kSpinNs have gone by. Returns whether it became ready.
template <class Ready>
bool spin(Ready ready) {
  const std::int64_t start = base::fast_ns();
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) {
        return true;
      }
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (base::fast_ns() - start < kSpinNs);
  return false;
}

}  // namespace

/// A call that goes on after it returned. Owns itself until its end.
class ThreadExecutor::Pending final : public core::Later {
 public:
  Pending(ThreadExecutor& executor, const flow::Task& task) : executor_(executor) {
    completion_.task = task;
    completion_.start_ns = base::fast_ns();
  }

  virtual ~Pending() = default;

  void finish(base::Result<core::Step> step) override {
    completion_.duration_ns = base::fast_ns() - completion_.start_ns;
    if (step.has_value()) {
      completion_.step = *step;
    } else {
      completion_.status = base::fail(std::move(step.error()));
    }
    ThreadExecutor& executor = executor_;
    flow::Completion completion = std::move(completion_);
    delete this;
    executor.take_end(std::move(completion));
  }

 private:
  ThreadExecutor& executor_;
  flow::Completion completion_;
};

ThreadExecutor::ThreadExecutor(std::int32_t num_threads)
    : num_threads_(num_threads > 0 ? num_threads : base::num_usable_cores()) {
}

ThreadExecutor::~ThreadExecutor() {
  stop();
}

base::Status ThreadExecutor::start(const flow::TaskAccess& access) {
  access_ = &access;
  may_help_ = access.isolation() == nullptr;
  was_idle_ = false;
  has_async_ = std::ranges::any_of(access.plan().nodes(), [](const flow::PlanNode& node) {
    return node.op != nullptr && node.op->is_async();
  });
  {
    const base::MutexLock lock(mutex_);
    stopping_ = false;
  }
  try {
    threads_.reserve(static_cast<std::size_t>(num_threads_));
    for (std::int32_t i = 0; i < num_threads_; ++i) {
      // Made here: a thread has nobody to tell that there is no memory.
      Scratch scratch;
      scratch.chunk.reserve(kMaxChunk);
      scratch.done.reserve(kMaxChunk);
      threads_.emplace_back([this, i, own = std::move(scratch)]() mutable { work(i + 1, own); });
    }
  } catch (const std::system_error& e) {
    stop();
    return base::fail(base::ErrorCode::kResourceExhausted,
                      std::string("cannot start worker threads: ") + e.what());
  } catch (const std::bad_alloc&) {
    stop();
    return base::fail_out_of_memory();
  }
  return {};
}

void ThreadExecutor::stop() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    queue_.clear();
    queue_head_ = 0;
    done_.clear();
    num_out_ = 0;
  }
  ready_.notify_all();
  const core::HostUnlock unlock;  // a thread may want the interpreter lock to finish its task
  threads_.clear();
}

void ThreadExecutor::take_end(flow::Completion completion) {
  {
    const base::MutexLock lock(mutex_);
    done_.push_back(std::move(completion));
    num_done_.store(static_cast<std::int64_t>(done_.size()), std::memory_order_relaxed);
    // Under the lock: once the loop has this completion it may end the executor.
    done_cv_.notify_one();
  }
}

void ThreadExecutor::begin(const flow::Task& task) {
  auto pending = std::make_unique<Pending>(*this, task);
  flow::Completion now;
  flow::run_task(*access_, task, 0, now, pending.get());
  if (now.status.has_value() && now.step == core::Step::kPending) {
    std::ignore = pending.release();  // its end may be over already
    return;
  }
  take_end(std::move(now));
}

void ThreadExecutor::make_room(std::size_t num_tasks) {
  num_out_ += num_tasks;
  if (done_.capacity() < num_out_) {
    done_.reserve(std::max(num_out_, done_.capacity() * 2));
  }
}

base::Status ThreadExecutor::submit(std::span<const flow::Task> all_tasks) {
  std::span<const flow::Task> tasks = all_tasks;
  if (has_async_) {
    {
      const base::MutexLock lock(mutex_);
      make_room(all_tasks.size());
    }
    own_chunk_.clear();
    std::optional<core::HostLock> lock;  // once for all of them
    for (const flow::Task& task : all_tasks) {
      const flow::PlanNode& node = access_->plan().nodes()[static_cast<std::size_t>(task.node)];
      // With assets of its own the call is over when it returns.
      if (!node.op->is_async() || !node.own_assets.empty()) {
        own_chunk_.push_back(task);
        continue;
      }
      if (node.needs_host && !lock.has_value()) {
        lock.emplace();
      }
      begin(task);
    }
    tasks = own_chunk_;
    if (tasks.empty()) {
      return {};
    }
  }
  std::int32_t wake = 0;
  {
    const base::MutexLock lock(mutex_);
    if (!has_async_) {
      make_room(tasks.size());
    }
    queue_.insert(queue_.end(), tasks.begin(), tasks.end());
    wake = idle_;
  }
  num_queued_.fetch_add(static_cast<std::int64_t>(tasks.size()), std::memory_order_relaxed);
  // Tiny tasks: this thread helps in wait(), so one thread fewer need be woken for them.
  const std::int64_t chunks =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(tasks.size()) *
                                    mean_ns_.load(std::memory_order_relaxed) / kChunkNs);
  wake = static_cast<std::int32_t>(std::min<std::int64_t>(wake, chunks));
  if (wake == 1) {
    ready_.notify_one();
  } else if (wake > 1) {
    ready_.notify_all();
  }
  return {};
}

bool ThreadExecutor::take_chunk(std::vector<flow::Task>& chunk) {
  const auto available = static_cast<std::int64_t>(queue_.size() - queue_head_);
  if (available == 0) {
    return false;
  }
  const std::int64_t mean = std::max<std::int64_t>(1, mean_ns_.load(std::memory_order_relaxed));
  const std::int64_t by_time = std::clamp<std::int64_t>(kChunkNs / mean, 1, kMaxChunk);
  const std::int64_t fair = (available + num_threads_) / (num_threads_ + 1);
  const auto count =
      static_cast<std::size_t>(std::clamp<std::int64_t>(std::min(by_time, fair), 1, available));
  const auto first = queue_.begin() + static_cast<std::ptrdiff_t>(queue_head_);
  chunk.assign(first, first + static_cast<std::ptrdiff_t>(count));
  queue_head_ += count;
  if (queue_head_ == queue_.size()) {
    queue_.clear();
    queue_head_ = 0;
  }
  num_queued_.fetch_sub(static_cast<std::int64_t>(count), std::memory_order_relaxed);
  return true;
}

void ThreadExecutor::run_chunk(std::span<const flow::Task> chunk, std::int32_t worker,
                               std::vector<flow::Completion>& done) {
  // The interpreter lock is taken once for a run of Python nodes.
  std::optional<core::HostLock> lock;
  const auto nodes = access_->plan().nodes();
  for (const flow::Task& task : chunk) {
    const bool needs_host = nodes[static_cast<std::size_t>(task.node)].needs_host;
    if (needs_host && !lock.has_value()) {
      lock.emplace();
    } else if (!needs_host) {
      lock.reset();
    }
    done.emplace_back();
    flow::run_task(*access_, task, worker, done.back());
  }
}

void ThreadExecutor::learn(std::int64_t num_tasks, std::int64_t duration_ns) {
  const std::int64_t mean = duration_ns / std::max<std::int64_t>(1, num_tasks);
  const std::int64_t old = mean_ns_.load(std::memory_order_relaxed);
  mean_ns_.store((old + mean) / 2, std::memory_order_relaxed);
}

void ThreadExecutor::work(std::int32_t worker, Scratch& scratch) {
  auto& [chunk, done] = scratch;
  while (true) {
    bool have = false;
    {
      const base::MutexLock lock(mutex_);
      if (stopping_) {
        break;
      }
      have = take_chunk(chunk);
    }
    if (!have) {
      if (spin([&] { return num_queued_.load(std::memory_order_relaxed) > 0; })) {
        continue;
      }
      const base::MutexLock lock(mutex_);
      ++idle_;
      while (!stopping_ && queue_.size() == queue_head_) {
        ready_.wait(mutex_);
      }
      --idle_;
      continue;
    }
    const std::int64_t start_ns = base::fast_ns();
    run_chunk(chunk, worker, done);
    learn(static_cast<std::int64_t>(chunk.size()), base::fast_ns() - start_ns);
    {
      const base::MutexLock lock(mutex_);
      done_.insert(done_.end(), std::make_move_iterator(done.begin()),
                   std::make_move_iterator(done.end()));
      num_done_.store(static_cast<std::int64_t>(done_.size()), std::memory_order_relaxed);
    }
    done_cv_.notify_one();
    done.clear();
  }
  if (core::host_bridge() != nullptr) {
    core::host_bridge()->forget_thread();
  }
}

base::Status ThreadExecutor::wait(std::vector<flow::Completion>& out, std::int32_t timeout_ms) {
  const std::size_t given_before = out.size();
  // Tiny tasks are faster done than waited for: sleeping and waking costs more than a chunk.
  const bool help = may_help_ && mean_ns_.load(std::memory_order_relaxed) < kChunkNs / 4;
  bool have = false;
  {
    const base::MutexLock lock(mutex_);
    have = help && done_.empty() && take_chunk(own_chunk_);
  }
  if (have) {
    const std::int64_t start_ns = base::fast_ns();
    run_chunk(own_chunk_, 0, out);
    learn(static_cast<std::int64_t>(own_chunk_.size()), base::fast_ns() - start_ns);
  } else if (!was_idle_) {  // else it is something long, and the loop comes by for its own reasons
    spin([&] { return num_done_.load(std::memory_order_relaxed) > 0; });
  }
  const base::MutexLock lock(mutex_);
  if (out.empty() && done_.empty()) {
    done_cv_.wait_for(mutex_, std::chrono::milliseconds(timeout_ms));
  }
  out.insert(out.end(), std::make_move_iterator(done_.begin()),
             std::make_move_iterator(done_.end()));
  num_out_ -= out.size() - given_before;
  done_.clear();
  num_done_.store(0, std::memory_order_relaxed);
  was_idle_ = out.empty();
  return {};
}

}  // namespace penstock::exec
