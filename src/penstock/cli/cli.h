// The command `penstock`: one implementation, called by the native executable and, for tubes with
// Python nodes, by the extension inside Python.
//
// Exit codes: 0 ok, 1 failed, 2 usage, 3 a check did not hold, 130 interrupted. Results go to
// standard output, everything else to standard error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/executor.h"
#include "penstock/flow/isolation.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::cli {

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2, kCheckFailed = 3, kInterrupted = 130 };

/// What `run` asks for.
struct ExecutorRequest {
  std::string runner = "sync";   ///< "sync", "threads", "processes"
  std::int32_t num_workers = 0;  ///< 0 = one per core
  double task_timeout_s = 300;   ///< processes
};

/// Makes the executor for a plan; PS0902 for an unknown runner.
using ExecutorMaker = std::function<base::Result<std::unique_ptr<flow::Executor>>(
    const flow::Plan& plan, const ExecutorRequest& request, const core::Value& tube_inputs)>;

/// Makes what a run needs besides, to end nodes of the host language at their timeout; may be null.
using IsolationMaker = std::function<base::Result<std::shared_ptr<flow::Isolation>>(
    const flow::Plan& plan, const std::string& runner, const core::Value& tube_inputs)>;

/// The tube in a file of plain Python functions. `execute`: its functions must be found as types.
using FunctionsReader = std::function<flow::ParsedSpec(const std::string& path, bool execute)>;

/// What `doctor` found about one thing.
struct Finding {
  std::string name, value;
  bool ok = true;
  std::string mend;  ///< the command that mends it; may be empty
};

/// The program around the command. A default one is the native executable's: no Python.
struct CliHost {
  std::vector<const flow::Resolver*> resolvers;  ///< of the host language, after the native ones
  bool has_python = false;         ///< true: Python nodes run here, nothing is handed over
  std::string python_version;      ///< for `doctor`; empty without Python
  ExecutorMaker make_executor;     ///< empty: the native executors
  IsolationMaker make_isolation;   ///< empty without Python
  FunctionsReader read_functions;  ///< empty without Python
  std::function<std::vector<Finding>()> look_around;  ///< for `doctor`; empty without Python
};

/// Runs the command `args` (without the program's name) and returns its exit code.
int main(std::span<const std::string> args, const CliHost& host);

}  // namespace penstock::cli
