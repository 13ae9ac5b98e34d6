#include "penstock/bindings/engine.h"

#include <algorithm>
#include <array>

#include <Python.h>

#include "penstock/bindings/plan_blob.h"
#include "penstock/bindings/py_host.h"
#include "penstock/bindings/py_node.h"
#include "penstock/bindings/py_value.h"
#include "penstock/cli/executors.h"
#include "penstock/exec/inline_executor.h"
#include "penstock/exec/isolated_calls.h"
#include "penstock/exec/process_executor.h"
#include "penstock/exec/thread_executor.h"
#include "penstock/flow/packs.h"

namespace penstock::bindings {
namespace {

base::Result<exec::ProcessOptions> process_options(const flow::Plan& plan,
                                                   const core::Value& tube_inputs) {
  PyObject* module = PyImport_ImportModule("penstock._worker");
  PyObject* command = module != nullptr ? PyObject_CallMethod(module, "command", nullptr) : nullptr;
  Py_XDECREF(module);
  if (command == nullptr) {
    return base::fail(take_python_error().with_id("PS0505"));
  }
  auto words = to_value(command);
  Py_DECREF(command);
  PENSTOCK_RETURN_IF_ERROR(words);
  exec::ProcessOptions options;
  for (const core::Value& word : words->as_list()) {
    if (!word.is(core::Kind::kText) || word.as_text().empty()) {
      return base::fail(
          base::Error(base::ErrorCode::kFailedPrecondition,
                      "cannot start workers: sys.executable is empty, wanted the path "
                      "of the Python interpreter")
              .with_id("PS0505"));
    }
    options.command.push_back(word.as_text());
  }
  PENSTOCK_ASSIGN_OR_RETURN(options.plan, make_plan_blob(plan, tube_inputs));
  return options;
}

base::Result<std::unique_ptr<flow::Executor>> make_processes(const flow::Plan& plan,
                                                             const ExecutorChoice& choice,
                                                             const core::Value& tube_inputs) {
  PENSTOCK_ASSIGN_OR_RETURN(exec::ProcessOptions options, process_options(plan, tube_inputs));
  options.num_workers = choice.num_workers;
  options.task_timeout_ms = static_cast<std::int64_t>(choice.task_timeout_s * 1000);
  return std::make_unique<exec::ProcessExecutor>(std::move(options));
}

}  // namespace

const flow::Resolver* python_resolver() {
  static const PythonResolver python;
  return &python;
}

std::span<const flow::Resolver* const> resolvers() {
  static const flow::PackResolver packs;
  static const std::array<const flow::Resolver*, 2> all{&packs, python_resolver()};
  return all;
}

base::Status check_runner(std::string_view name) {
  constexpr std::array<std::string_view, 3> kKnown{"sync", "threads", "processes"};
  if (std::ranges::find(kKnown, name) != kKnown.end()) {
    return {};
  }
  return base::fail(cli::unknown_runner(std::string(name)));
}

base::Result<std::unique_ptr<flow::Executor>> make_executor(const flow::Plan& plan,
                                                            const ExecutorChoice& choice,
                                                            const core::Value& tube_inputs) {
  if (choice.runner == kAsyncRunner) {
    return std::make_unique<exec::ThreadExecutor>(choice.num_workers);
  }
  PENSTOCK_RETURN_IF_ERROR(check_runner(choice.runner));
  if (choice.runner == "sync") {
    return std::make_unique<exec::InlineExecutor>();
  }
  if (choice.runner == "threads") {
    return std::make_unique<exec::ThreadExecutor>(choice.num_workers);
  }
  return make_processes(plan, choice, tube_inputs);
}

base::Result<std::shared_ptr<flow::Isolation>> make_isolation(const flow::Plan& plan,
                                                              std::string_view runner,
                                                              const core::Value& tube_inputs) {
  if (runner == "processes" || std::ranges::none_of(plan.nodes(), flow::needs_isolation)) {
    return nullptr;
  }
  PENSTOCK_ASSIGN_OR_RETURN(exec::ProcessOptions options, process_options(plan, tube_inputs));
  return std::make_shared<exec::IsolatedCalls>(std::move(options));
}

}  // namespace penstock::bindings
