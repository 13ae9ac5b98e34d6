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
#include "penstock/flow/spec_yaml.h"

namespace penstock::cli {
namespace {

using base::ErrorCode;
using core::Value;

base::Result<std::shared_ptr<const flow::Plan>> unpack_plan(std::string_view bytes) {
  PENSTOCK_ASSIGN_OR_RETURN(const Value packed, core::decode(bytes));
  const Value* const tube = packed.find("tube");
  const Value* const file = packed.find("file");
  const Value* const inputs = packed.find("inputs");
  const bool whole = tube != nullptr && file != nullptr && inputs != nullptr &&
                     tube->is(core::Kind::kText) && file->is(core::Kind::kText);
  if (!whole) {
    return base::fail(ErrorCode::kDataLoss, "a worker was sent no plan it can read");
  }
  const auto spec = flow::parse_spec(tube->as_text(), file->as_text());
  if (!spec.has_value()) {
    return base::fail(flow::to_error(spec.error()));
  }
  auto plan = compile_tube(*spec, CliHost{}, *inputs);
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

base::Result<std::string> pack_plan(const flow::Plan& plan, const Value& tube_inputs) {
  PENSTOCK_ASSIGN_OR_RETURN(std::string tube, flow::to_yaml(plan.spec()));
  const Value inputs = tube_inputs.is_absent() ? Value::map({}) : tube_inputs;
  return core::encode(Value::map({{"tube", Value::text(std::move(tube))},
                                  {"file", Value::text(plan.spec().file)},
                                  {"inputs", inputs}}));
}

int run_native_worker(const std::string& descriptor) {
  int fd = -1;
  const auto [end, error] =
      std::from_chars(descriptor.data(), descriptor.data() + descriptor.size(), fd);
  if (error != std::errc() || *end != '\0' || fd < 0) {
    return kUsage;
  }
  return exec::run_worker(fd, {.compile = unpack_plan});
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
  PENSTOCK_ASSIGN_OR_RETURN(options.plan, pack_plan(plan, tube_inputs));
  options.num_workers = request.num_workers;
  options.task_timeout_ms = static_cast<std::int64_t>(std::ceil(request.task_timeout_s * 1000));
  return std::make_unique<exec::ProcessExecutor>(std::move(options));
}

}  // namespace penstock::cli
