// The hidden command `penstock --worker FD`: a worker process of MultiProcessRunner for tubes whose
// nodes are all native.
#pragma once

#include <string>
#include <string_view>

namespace penstock::cli {

inline constexpr std::string_view kWorkerArgument = "--worker";

/// Serves the run at the other end of `descriptor` until it says stop; returns the exit code.
int run_native_worker(const std::string& descriptor);

}  // namespace penstock::cli
