// The native executors by name, and the worker process of tubes without Python nodes.
#pragma once

#include <memory>
#include <string>

#include "penstock/cli/cli.h"

namespace penstock::cli {

/// "sync", "threads" or "processes"; PS0902 otherwise.
base::Result<std::unique_ptr<flow::Executor>> make_native_executor(const flow::Plan& plan,
                                                                   const ExecutorRequest& request,
                                                                   const core::Value& tube_inputs);

/// What an unknown runner's name is answered with.
base::Error unknown_runner(const std::string& name);

}  // namespace penstock::cli
