#include "penstock/flow/policy.h"

#include <algorithm>

#include <fmt/format.h>

#include "penstock/base/machine.h"
#include "penstock/core/operator.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/spec.h"

namespace penstock::flow {
namespace {

constexpr std::int64_t kDefaultIoSlots = 64;
// A year: what is longer is as good as none, and nanoseconds stay within 64 bits.
constexpr std::int64_t kMaxTimeoutMs = std::int64_t{1000} * 3600 * 24 * 365;

std::string bytes_text(std::int64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < std::size(kUnits); ++unit) {
    amount /= 1024;
  }
  return fmt::format("{:.4g} {}", amount, kUnits[unit]);
}

}  // namespace

Resources default_resources(std::int32_t num_workers) {
  return {.cpu_milli = std::int64_t{1000} * std::max(base::num_usable_cores(), num_workers),
          .io = kDefaultIoSlots,
          .memory_bytes = base::memory_bytes()};
}

std::string to_string(const Resources& resources) {
  std::vector<std::string> parts;
  if (resources.cpu_milli != 0) {
    parts.push_back(fmt::format("cpu {:g}", static_cast<double>(resources.cpu_milli) / 1000));
  }
  if (resources.io != 0) {
    parts.push_back(fmt::format("io {}", resources.io));
  }
  if (resources.memory_bytes != 0) {
    parts.push_back(fmt::format("memory {}", bytes_text(resources.memory_bytes)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

PolicyProblems check_policy(std::string_view key, const core::Value& value) {
  PolicyProblems problems;
  Policy ignored;
  if (key == "retry") {
    read_retry(value, ignored.retry, problems);
  } else if (key == "resources") {
    read_resources(value, ignored.needs, problems);
  } else if (key == "where") {
    read_where(value, ignored.tags, problems);
  }
  return problems;
}

std::shared_ptr<const Policy> make_policy(const PolicySpec& spec) {
  Policy policy;
  PolicyProblems problems;
  if (!spec.retry.is_absent()) {
    read_retry(spec.retry, policy.retry, problems);
  }
  if (!spec.resources.is_absent()) {
    read_resources(spec.resources, policy.needs, problems);
  }
  if (!spec.where.is_absent()) {
    read_where(spec.where, policy.tags, problems);
  }
  policy.timeout_ms =
      spec.timeout_ms.is(core::Kind::kInt) ? std::min(spec.timeout_ms.as_int(), kMaxTimeoutMs) : 0;
  if (policy.retry.attempts <= 1 && policy.timeout_ms == 0 && policy.needs.is_empty() &&
      policy.tags.empty()) {
    return nullptr;
  }
  return std::make_shared<const Policy>(std::move(policy));
}

bool needs_isolation(const PlanNode& node) {
  return node.policy != nullptr && node.policy->timeout_ms > 0 && node.needs_host &&
         node.op != nullptr && !node.op->is_async();
}

base::Error timeout_error(const Policy& policy) {
  return base::Error(base::ErrorCode::kDeadlineExceeded,
                     fmt::format("took longer than its timeout: timeout_ms={}", policy.timeout_ms))
      .with_id("PS0413")
      .with_help("give the node a longer timeout_ms, or retry to try it again");
}

}  // namespace penstock::flow
