#include "penstock/base/rate_limiter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace penstock::base {
namespace {

constexpr std::int64_t kLongNs = std::int64_t{1} << 60;  // 36 years

}  // namespace

RateLimiter::RateLimiter(double rate_hz, std::int64_t burst)
    : interval_ns_(static_cast<std::int64_t>(
          std::clamp(std::round(1e9 / rate_hz), 1.0, static_cast<double>(kLongNs)))),
      depth_ns_(burst - 1 > kLongNs / interval_ns_ ? kLongNs : (burst - 1) * interval_ns_),
      free_at_ns_(std::numeric_limits<std::int64_t>::min() / 2) {
}

std::int64_t RateLimiter::try_acquire(std::int64_t now_ns) {
  const std::int64_t at_ns = std::max(free_at_ns_, now_ns - depth_ns_);
  if (at_ns > now_ns) {
    return at_ns - now_ns;
  }
  free_at_ns_ = at_ns + interval_ns_;
  return 0;
}

}  // namespace penstock::base
