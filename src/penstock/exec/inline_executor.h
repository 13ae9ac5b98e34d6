// InlineExecutor: nodes run on the runner's own thread. The synchronous runner.
#pragma once

#include "penstock/flow/executor.h"

namespace penstock::exec {

/// The loop calls nodes itself; nothing is ever submitted. Owner thread only.
class InlineExecutor : public flow::Executor {
 public:
  base::Status start(const flow::TaskAccess& access) override;
  void stop() override {}
  bool is_inline() const override { return true; }
  std::int32_t num_workers() const override { return 1; }
  std::int64_t capacity() const override { return 0; }
  base::Status submit(std::span<const flow::Task> tasks) override;
  base::Status wait(std::vector<flow::Completion>& out, std::int32_t timeout_ms) override;
};

}  // namespace penstock::exec
