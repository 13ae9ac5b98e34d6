// Node policies: when a call is tried again, how long it may take, what it needs, where it may run.
//
// The values of a Spec (PolicySpec) are checked when the file is read, where their places are
// known, and turned into one Policy per node when it is compiled. docs/formats/tube.md says what
// each key means; the runner's loop acts on them (runner_policies.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/retry.h"
#include "penstock/core/value.h"

namespace penstock::flow {

struct PlanNode;
struct PolicySpec;

/// Of each kind, how much: what a call needs, or what there is.
struct Resources {
  std::int64_t cpu_milli = 0;  ///< thousandths of a core
  std::int64_t io = 0;         ///< slots
  std::int64_t memory_bytes = 0;

  bool is_empty() const { return cpu_milli == 0 && io == 0 && memory_bytes == 0; }
  bool operator==(const Resources&) const = default;
};

/// What a run has where nothing else is said: its workers or the machine's cores, whichever are
/// more; 64 slots; the memory of the machine.
Resources default_resources(std::int32_t num_workers);

/// "cpu 2, memory 1 GiB": the parts of `resources` that are not 0.
std::string to_string(const Resources& resources);

struct Policy {
  base::RetryPolicy retry;
  std::int64_t timeout_ms = 0;  ///< 0: none
  Resources needs;
  std::vector<std::string> tags;  ///< a place must have all of them

  /// When a call that begins now must be over; 0: never.
  std::int64_t deadline_ns(std::int64_t now_ns) const {
    return timeout_ms == 0 ? 0 : now_ns + timeout_ms * 1'000'000;
  }
};

/// What is wrong in the value of a policy key, and where in it.
struct PolicyProblem {
  std::string key;         ///< of the map; empty: the value itself
  std::int32_t item = -1;  ///< of the list that is the value of `key` (or the value itself)
  bool is_key = false;     ///< the key is wrong, not its value
  std::string_view id;
  std::string message, help;
};
using PolicyProblems = std::vector<PolicyProblem>;

/// These read a well-formed value into `out`, and append what is wrong with any other.
void read_retry(const core::Value& value, base::RetryPolicy& out, PolicyProblems& problems);
void read_resources(const core::Value& value, Resources& out, PolicyProblems& problems);
void read_where(const core::Value& value, std::vector<std::string>& out, PolicyProblems& problems);

/// The problems of `value` of the node key `key`; none for a key that is no policy of these.
PolicyProblems check_policy(std::string_view key, const core::Value& value);

/// Null when `spec` says nothing that the loop acts on.
std::shared_ptr<const Policy> make_policy(const PolicySpec& spec);

/// True when a call of `node` can be ended at its deadline only with its process: foreign code that
/// looks at no clock.
bool needs_isolation(const PlanNode& node);

/// PS0413: a call went on beyond `policy.timeout_ms`.
base::Error timeout_error(const Policy& policy);

}  // namespace penstock::flow
