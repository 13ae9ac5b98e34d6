// RateLimiter: how many calls a second, as a token bucket. It tells how long to wait; whoever waits
// brings the clock (clock.h).
#pragma once

#include <cstdint>

namespace penstock::base {

/// A bucket of `burst` tokens that fills at `rate_hz`. Exact: time is counted, not summed up in
/// fractions, so a billion calls do not drift. Thread-compatible.
class RateLimiter {
 public:
  /// `rate_hz` > 0; `burst` >= 1. Full at the start.
  RateLimiter(double rate_hz, std::int64_t burst);

  /// Takes a token and returns 0; or takes none and returns how many ns until there is one.
  std::int64_t try_acquire(std::int64_t now_ns);

 private:
  std::int64_t interval_ns_;  ///< between two tokens
  std::int64_t depth_ns_;     ///< how far free_at_ns_ may lie behind the present: a full bucket
  /// When the bucket, were nothing taken any more, would have been empty: each token moves it on by
  /// one interval (the virtual schedule of the generic cell rate algorithm, ITU-T I.371).
  std::int64_t free_at_ns_;
};

}  // namespace penstock::base
