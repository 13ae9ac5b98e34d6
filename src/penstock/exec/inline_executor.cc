#include "penstock/exec/inline_executor.h"

namespace penstock::exec {

base::Status InlineExecutor::start(const flow::TaskAccess& /*access*/) {
  return {};
}

// The loop asks is_inline() first, so a call of these two is a bug in the loop.
base::Status InlineExecutor::submit(std::span<const flow::Task> /*tasks*/) {
  return base::fail(base::ErrorCode::kInternal, "a task was submitted to the inline executor");
}

base::Status InlineExecutor::wait(std::vector<flow::Completion>& /*out*/,
                                  std::int32_t /*timeout_ms*/) {
  return base::fail(base::ErrorCode::kInternal, "the inline executor has nothing to wait for");
}

}  // namespace penstock::exec
