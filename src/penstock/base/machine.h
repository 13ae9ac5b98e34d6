// What this machine has to give.
#pragma once

#include <cstdint>

namespace penstock::base {

/// Cores this process may use (its affinity mask), at least 1.
std::int32_t num_usable_cores();

/// Bytes of memory: of the machine, or of the control group this process is in when that is less.
std::int64_t memory_bytes();

}  // namespace penstock::base
