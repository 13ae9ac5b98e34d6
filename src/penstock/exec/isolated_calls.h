// IsolatedCalls: calls in worker processes of their own, for runners whose other nodes live here.
#pragma once

#include <memory>
#include <vector>

#include "penstock/base/mutex.h"
#include "penstock/exec/process_executor.h"
#include "penstock/flow/isolation.h"

namespace penstock::exec {

/// One worker per call that is going on; they are kept for the calls to come. What ends a worker,
/// and what is made of that, is ProcessExecutor's.
class IsolatedCalls final : public flow::Isolation {
 public:
  /// `options`: of each worker; their number and the timeout are set here.
  explicit IsolatedCalls(ProcessOptions options);
  ~IsolatedCalls() override;

  /// Starts one worker, so that the first call finds it there.
  base::Status start(const flow::TaskAccess& access) override;
  void stop() override;
  void run(const flow::Task& task, flow::Completion& out,
           const std::function<void()>& pause) override;

 private:
  base::Result<ProcessExecutor*> take();
  void give_back(ProcessExecutor* worker);
  /// Stops it and forgets it.
  void end(ProcessExecutor* worker);

  ProcessOptions options_;
  const flow::TaskAccess* access_ = nullptr;  ///< between start() and stop()
  base::Mutex mutex_;
  std::vector<std::unique_ptr<ProcessExecutor>> workers_ PENSTOCK_GUARDED_BY(mutex_);
  std::vector<ProcessExecutor*> idle_ PENSTOCK_GUARDED_BY(mutex_);
};

}  // namespace penstock::exec
