// Retry: which failures are tried again, and after how long. Pure functions; whoever waits brings
// the clock (clock.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::base {

struct RetryPolicy {
  std::int32_t attempts = 1;        ///< calls in all; 1: never again
  std::int64_t backoff_ms = 100;    ///< before the second call; twice as long before each next one
  std::int64_t max_ms = 30'000;     ///< but never longer than this
  double jitter = 0.5;              ///< in [0, 1]: how much of the wait is left to chance
  std::vector<ErrorCode> on_codes;  ///< what is tried again; with on_types
  std::vector<std::string> on_types;  ///< types of causes, or of what those are derived from

  bool operator==(const RetryPolicy&) const = default;
};

/// True when `policy` tries again after `error`: all errors when it names none; kCancelled never.
bool is_retryable(const RetryPolicy& policy, const Error& error);

/// How long to wait when `failed` (>= 1) calls have failed: backoff_ms * 2^(failed - 1), at most
/// max_ms, less a share of up to `jitter` of it. The share follows from `key` and `failed` alone,
/// so a run with the same seed waits alike, and calls with different keys do not come back
/// together.
std::int64_t next_delay_ns(const RetryPolicy& policy, std::int32_t failed, std::uint64_t key);

/// A number in [0, 1) that follows from `key` and `counter` alone.
double uniform(std::uint64_t key, std::uint64_t counter);

}  // namespace penstock::base
