#include "penstock/exec/isolated_calls.h"

#include <algorithm>
#include <new>
#include <tuple>
#include <utility>

#include "penstock/base/out_of_memory.h"
#include "penstock/core/host.h"

namespace penstock::exec {
namespace {

constexpr std::int32_t kPauseMs = 4;
constexpr std::int32_t kWaitMs = 50;  // deadlines and cancellation end a wait by themselves

}  // namespace

IsolatedCalls::IsolatedCalls(ProcessOptions options) : options_(std::move(options)) {
  options_.num_workers = 1;
  options_.task_timeout_ms = 0;
}

IsolatedCalls::~IsolatedCalls() {
  stop();
}

base::Status IsolatedCalls::start(const flow::TaskAccess& access) {
  access_ = &access;
  PENSTOCK_ASSIGN_OR_RETURN(ProcessExecutor* const worker, take());
  give_back(worker);
  return {};
}

void IsolatedCalls::stop() {
  std::vector<std::unique_ptr<ProcessExecutor>> workers;
  {
    const base::MutexLock lock(mutex_);
    workers.swap(workers_);
    idle_.clear();
  }
  for (const auto& worker : workers) {
    worker->stop();
  }
  access_ = nullptr;
}

void IsolatedCalls::run(const flow::Task& task, flow::Completion& out,
                        const std::function<void()>& pause) {
  const core::HostUnlock unlock;
  out.task = task;
  auto worker = take();
  if (!worker.has_value()) {
    out.status = base::fail(worker.error());
    return;
  }
  std::vector<flow::Completion> done;
  base::Status status;
  try {
    status = (*worker)->submit({&task, 1});
    while (status.has_value() && done.empty()) {
      status = (*worker)->wait(done, pause != nullptr ? kPauseMs : kWaitMs);
      if (pause != nullptr) {
        pause();
      }
    }
  } catch (const std::bad_alloc&) {
    // It may still run the task, whose outputs nobody keeps for it from here on.
    end(*worker);
    out.status = base::fail_out_of_memory();
    return;
  }
  give_back(*worker);
  if (done.empty()) {
    out.status = status;
    return;
  }
  out = std::move(done.front());
  out.worker = 0;
}

base::Result<ProcessExecutor*> IsolatedCalls::take() {
  {
    const base::MutexLock lock(mutex_);
    if (!idle_.empty()) {
      ProcessExecutor* const worker = idle_.back();
      idle_.pop_back();
      return worker;
    }
  }
  auto made = std::make_unique<ProcessExecutor>(options_);
  PENSTOCK_RETURN_IF_ERROR(made->start(*access_));
  const base::MutexLock lock(mutex_);
  idle_.reserve(workers_.size() + 1);  // so that to give one back needs no memory
  workers_.push_back(std::move(made));
  return workers_.back().get();
}

void IsolatedCalls::end(ProcessExecutor* worker) {
  std::unique_ptr<ProcessExecutor> ended;
  {
    const base::MutexLock lock(mutex_);
    const auto found = std::ranges::find(workers_, worker, &std::unique_ptr<ProcessExecutor>::get);
    ended = std::move(*found);
    workers_.erase(found);
  }
  ended->stop();
}

void IsolatedCalls::give_back(ProcessExecutor* worker) {
  const base::MutexLock lock(mutex_);
  idle_.push_back(worker);
}

}  // namespace penstock::exec
