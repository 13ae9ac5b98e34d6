// See executors.h and worker.h.
#include "penstock/cli/executors.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/cli/tubes.h"
#include "penstock/cli/worker.h"
#include "penstock/core/identity.h"
#include "penstock/exec/inline_executor.h"
#include "penstock/exec/process_executor.h"
#include "penstock/exec/thread_executor.h"
#include "penstock/exec/worker.h"
#include "penstock/flow/plan_blob.h"

namespace penstock::cli {
namespace {

using base::ErrorCode;
using core::Value;

base::Result<std::shared_ptr<const flow::Plan>> compile_blob(std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const flow::PlanBlob blob, flow::read_plan_blob(bytes));
  auto plan = compile_tube(*blob.spec, CliHost{}, blob.tube_inputs);
  if (!plan.has_value()) {
    return base::fail(flow::to_error(plan.error()));
  }
  return std::move(*plan);
}

}  // namespace

base::Error unknown_runner(const std::string& name) {
  const std::array<std::string, 3> known{"sync", "threads", "processes"};
  const std::string guess = core::nearest_name(name, known);
  return base::Error(ErrorCode::kNotFound,
                     fmt::format("unknown runner '{}'; wanted sync, threads or processes", name))
      .with_id("PS0902")
      .with_help(guess.empty() ? "" : fmt::format("did you mean '{}'?", guess));
}

int run_native_worker(const std::string& descriptor) {
  int fd = -1;
  const auto [end, error] =
      std::from_chars(descriptor.data(), descriptor.data() + descriptor.size(), fd);
  if (error != std::errc() || *end != '\0' || fd < 0) {
    return kUsage;
  }
  return exec::run_worker(fd, {.compile = compile_blob});
}

base::Result<std::unique_ptr<flow::Executor>> make_native_executor(const flow::Plan& plan,
                                                                   const ExecutorRequest& request,
                                                                   const Value& tube_inputs) {
  if (request.runner == "sync") {
    return std::make_unique<exec::InlineExecutor>();
  }
  if (request.runner == "threads") {
    return std::make_unique<exec::ThreadExecutor>(request.num_workers);
  }
  if (request.runner != "processes") {
    return base::fail(unknown_runner(request.runner));
  }
  exec::ProcessOptions options;
  options.command = {"/proc/self/exe", std::string(kWorkerArgument)};
  PENSTOCK_ASSIGN_OR_RETURN(options.plan, flow::write_plan_blob(plan, tube_inputs));
  options.num_workers = request.num_workers;
  options.task_timeout_ms = static_cast<std::int64_t>(std::ceil(request.task_timeout_s * 1000));
  return std::make_unique<exec::ProcessExecutor>(std::move(options));
}

}  // namespace penstock::cli
