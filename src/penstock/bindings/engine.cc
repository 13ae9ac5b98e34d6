#include "penstock/bindings/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "penstock/bindings/py_node.h"
#include "penstock/exec/inline_executor.h"
#include "penstock/exec/thread_executor.h"

namespace penstock::bindings {

std::span<const flow::Resolver* const> resolvers() {
  static const core::Registry registry;
  static const flow::RegistryResolver native(registry);
  static const PythonResolver python;
  static const std::array<const flow::Resolver*, 2> all{&native, &python};
  return all;
}

base::Status check_runner(std::string_view name) {
  const std::array<std::string, 3> known{"sync", "threads", "processes"};
  if (std::ranges::find(known, name) != known.end()) {
    return {};
  }
  const std::string nearest = core::nearest_name(name, known);
  return base::fail(
      base::Error(base::ErrorCode::kNotFound,
                  fmt::format("unknown runner '{}'; wanted sync, threads or processes", name))
          .with_id("PS0902")
          .with_help(nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest)));
}

base::Result<std::unique_ptr<flow::Executor>> make_executor(const flow::Plan& /*plan*/,
                                                            const ExecutorChoice& choice,
                                                            const core::Value& /*tube_inputs*/) {
  if (choice.runner == "sync") {
    return std::make_unique<exec::InlineExecutor>();
  }
  if (choice.runner == "threads") {
    return std::make_unique<exec::ThreadExecutor>(choice.num_workers);
  }
  PENSTOCK_RETURN_IF_ERROR(check_runner(choice.runner));
  return base::fail(base::ErrorCode::kUnimplemented, "processes are not built in");
}

}  // namespace penstock::bindings
