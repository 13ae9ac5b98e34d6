// What the bindings share: the process's resolvers and executors.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "penstock/flow/executor.h"
#include "penstock/flow/isolation.h"
#include "penstock/flow/plan.h"

namespace penstock::bindings {

/// Native operators first, then Python names. Built on first use; the lock must be held.
std::span<const flow::Resolver* const> resolvers();
/// Python names alone.
const flow::Resolver* python_resolver();

/// The runner of AsyncRunner: threads, with coroutines on the caller's event loop. It has no name
/// users could give.
inline constexpr std::string_view kAsyncRunner = "async";

struct ExecutorChoice {
  std::string runner = "sync";   ///< "sync", "threads", "processes", kAsyncRunner
  std::int32_t num_workers = 0;  ///< 0 = one per core
  double task_timeout_s = 300;   ///< processes
};

/// Ok for the name of a runner; PS0902 with the nearest name otherwise.
base::Status check_runner(std::string_view name);

/// The executor of a runner's name; PS0902 for an unknown one. Lock held.
base::Result<std::unique_ptr<flow::Executor>> make_executor(const flow::Plan& plan,
                                                            const ExecutorChoice& choice,
                                                            const core::Value& tube_inputs);

/// Where that runner ends Python functions at their timeout; null when no node has need of it, or
/// the runner's own processes do. Lock held.
base::Result<std::shared_ptr<flow::Isolation>> make_isolation(const flow::Plan& plan,
                                                              std::string_view runner,
                                                              const core::Value& tube_inputs);

}  // namespace penstock::bindings
