// How much memory this machine has. Internal to the codecs.
#pragma once

#include <cstdint>

namespace penstock::core {

/// Bytes of physical memory: what is longer cannot be a value here, whoever claims it.
std::int64_t machine_memory_bytes();

}  // namespace penstock::core
