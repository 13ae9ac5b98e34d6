// The hidden command `penstock --worker FD`: a worker process of MultiProcessRunner for tubes whose
// nodes are all native.
#pragma once

#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/plan.h"

namespace penstock::cli {

inline constexpr std::string_view kWorkerArgument = "--worker";

/// What is sent to a worker: the tube and its tube-scoped inputs.
base::Result<std::string> pack_plan(const flow::Plan& plan, const core::Value& tube_inputs);

/// Serves the run at the other end of `descriptor` until it says stop; returns the exit code.
int run_native_worker(const std::string& descriptor);

}  // namespace penstock::cli
