// Time: a monotonic nanosecond clock cheap enough to read at every node.
#pragma once

#include <cstdint>

namespace penstock::base {

/// Nanoseconds of a monotonic clock with an arbitrary start. Thread-safe, about 20 ns.
std::int64_t monotonic_ns();

/// Microseconds since 1970-01-01 UTC.
std::int64_t unix_us();

/// As monotonic_ns(), from the processor's invariant time stamp counter where there is one (about
/// 8 ns, drifts less than 1 us/s from monotonic_ns); else monotonic_ns() itself. Thread-safe.
std::int64_t fast_ns();

}  // namespace penstock::base
