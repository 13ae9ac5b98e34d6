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

/// Time for whatever waits: retries, limits, deadlines. Tests give a VirtualClock.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds from an arbitrary start; never goes back.
  virtual std::int64_t now_ns() const = 0;
  /// Returns at `due_ns`, or sooner: callers look at the time again.
  virtual void sleep_until(std::int64_t due_ns) = 0;
};

/// monotonic_ns(). A signal ends a sleep. Thread-safe.
Clock& real_clock();

/// Stands still until it is told to go on; a sleep takes it to its end at once. Owner thread only.
class VirtualClock final : public Clock {
 public:
  std::int64_t now_ns() const override { return now_ns_; }
  void sleep_until(std::int64_t due_ns) override { now_ns_ = due_ns > now_ns_ ? due_ns : now_ns_; }
  void advance(std::int64_t ns) { now_ns_ += ns; }

 private:
  std::int64_t now_ns_ = 0;
};

}  // namespace penstock::base
