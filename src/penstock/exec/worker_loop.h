// WorkerLoop: the life of a worker after its plan is compiled. Internal to worker.cc and its tests.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "penstock/core/host.h"
#include "penstock/core/operator.h"
#include "penstock/exec/channel_link.h"
#include "penstock/exec/worker_access.h"
#include "penstock/flow/plan.h"

namespace penstock::exec {

/// Takes frames in order, one task at a time. Owner thread only, log() excepted (thread-safe).
class WorkerLoop final : public core::LogSink {
 public:
  /// `bell` is what this side sleeps on, `life_line` ends when the run's process does.
  WorkerLoop(Link* link, const std::shared_ptr<const flow::Plan>& plan, std::int32_t worker,
             int bell, int life_line);

  /// Until the run says stop. An error: the run's process is gone or not to be believed.
  base::Status run();

  void log(const core::Context& context, std::string_view line) override;

 private:
  /// Waits for a frame, or for room when there is a backlog.
  base::Status wait_for(Sleep reason);
  base::Status handle(const Frame& frame, bool& stop);
  base::Status run_task(const Frame& frame);
  void note_failure(const flow::Completion& completion);
  base::Status replay(const Frame& frame);
  base::Status replay_many(const Frame& frame);
  base::Status start_or_stop(const Frame& frame);
  void write_done(const flow::Completion& completion, bool called);
  base::Status send_done();
  void hold_host(std::int32_t node);
  void wake_before(std::int32_t node);
  void wake_run();

  Link* const link_;
  const std::int32_t worker_;
  const int bell_, life_line_;
  WorkerAccess access_;

  std::mutex mutex_;                       ///< guards link_ against log() while a task runs
  FrameBuffer frame_;                      ///< scratch; guarded by mutex_
  std::vector<std::int64_t> duration_ns_;  ///< of the last call, by node
  std::vector<std::int64_t> failed_in_;    ///< the last root epoch a call failed in, by node
  std::int32_t num_unseen_ = 0;            ///< completions written since the run was last woken
  std::optional<core::HostLock> host_;     ///< kept from call to call while tasks wait
  std::int32_t num_held_ = 0;              ///< calls since it was taken
};

}  // namespace penstock::exec
