// What recorded runs tell of calls whose results are kept: what a call depended on, and what of it
// has changed since.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/core/operator.h"
#include "penstock/flow/history.h"

namespace penstock::flow {

/// The call of `node` with this path; null when the run has none recorded.
const ReuseRecord* find_call(const RunRecord& run, std::string_view node,
                             std::span<const std::int64_t> path);

/// One line per thing that differs: "input n: 4 -> 5", "code changed", "parameter k: added, 3".
std::vector<std::string> differences(std::span<const core::Part> before,
                                     std::span<const core::Part> now);

/// Why a call with `now` was or would be made, by the newest of `runs` that has it.
std::vector<std::string> reasons(std::span<const RunRecord> runs, std::string_view node,
                                 std::span<const std::int64_t> path,
                                 std::span<const core::Part> now);

}  // namespace penstock::flow
