// How much memory a process has used.
#pragma once

#include <cstdint>

namespace penstock::base {

/// The most memory that process `pid` (0: this one) has had resident since its program started, as
/// the kernel counts it: shared pages included. 0 when it is gone or not ours to look at.
/// Not getrusage(): that carries the parent's memory over into a spawned process.
std::int64_t peak_rss_bytes(std::int32_t pid = 0);

}  // namespace penstock::base
