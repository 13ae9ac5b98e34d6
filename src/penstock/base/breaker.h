// Breaker: stops calling what fails all the time, and looks from time to time whether it works
// again. A state machine over the times it is told; whoever waits brings the clock (clock.h).
#pragma once

#include <cstdint>

namespace penstock::base {

struct BreakerOptions {
  std::int32_t failures = 5;      ///< in a row, and it opens
  std::int64_t open_ms = 10'000;  ///< how long it lets nothing through then
  std::int32_t probes = 1;        ///< calls let through after that; all must succeed
};

/// Closed: all calls go through. Open: none. Half open: a few, and they decide. Thread-compatible.
class Breaker {
 public:
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };

  explicit Breaker(BreakerOptions options) : options_(options) {}

  /// True: make the call, and tell its end by succeeded() or failed(). False: do not.
  bool allows(std::int64_t now_ns);
  void succeeded();
  void failed(std::int64_t now_ns);

  State state() const { return state_; }
  /// When it will let a call through again; meaningful while it is open.
  std::int64_t retry_at_ns() const { return retry_at_ns_; }

 private:
  void open(std::int64_t now_ns);

  BreakerOptions options_;
  State state_ = State::kClosed;
  std::int32_t failures_ = 0;         ///< in a row, while closed
  std::int32_t sent_ = 0, good_ = 0;  ///< probes, while half open
  std::int64_t retry_at_ns_ = 0;
};

}  // namespace penstock::base
