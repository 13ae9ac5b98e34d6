#include "penstock/base/retry.h"

#include <algorithm>
#include <string_view>

namespace penstock::base {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of
// the output.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9U;
  x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11ebU;
  return x ^ (x >> 31);
}

/// `name` is the whole of `kind`, or its last part: "ConnectionError" of
/// "builtins.ConnectionError".
bool names_kind(std::string_view name, std::string_view kind) {
  return kind == name || (kind.size() > name.size() && kind.ends_with(name) &&
                          kind[kind.size() - name.size() - 1] == '.');
}

bool has_kind(const ErrorCause& cause, std::span<const std::string> names) {
  const std::string kinds = cause.kinds();
  for (std::string_view rest = kinds; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (std::ranges::any_of(names, [kind = rest.substr(0, end)](const std::string& name) {
          return names_kind(name, kind);
        })) {
      return true;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

}  // namespace

bool is_retryable(const RetryPolicy& policy, const Error& error) {
  if (error.code() == ErrorCode::kCancelled) {
    return false;
  }
  if (policy.on_codes.empty() && policy.on_types.empty()) {
    return true;
  }
  return std::ranges::find(policy.on_codes, error.code()) != policy.on_codes.end() ||
         (!policy.on_types.empty() && error.cause() != nullptr &&
          has_kind(*error.cause(), policy.on_types));
}

double uniform(std::uint64_t key, std::uint64_t counter) {
  const std::uint64_t bits = mix(mix(key + 0x9e37'79b9'7f4a'7c15U) + counter);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

std::int64_t next_delay_ns(const RetryPolicy& policy, std::int32_t failed, std::uint64_t key) {
  const std::int64_t limit_ms = std::max<std::int64_t>(policy.max_ms, 0);
  std::int64_t wait_ms = std::min(std::max<std::int64_t>(policy.backoff_ms, 0), limit_ms);
  for (std::int32_t i = 1; i < failed && wait_ms > 0 && wait_ms < limit_ms; ++i) {
    wait_ms = wait_ms > limit_ms / 2 ? limit_ms : 2 * wait_ms;
  }
  const double share = 1.0 - policy.jitter * uniform(key, static_cast<std::uint64_t>(failed));
  return static_cast<std::int64_t>(static_cast<double>(wait_ms * kNsPerMs) * share);
}

}  // namespace penstock::base
