// What the policies of a node may be, given what kind of node it is.
#include <fmt/format.h>

#include "penstock/flow/plan_builder.h"
#include "penstock/flow/policy.h"

namespace penstock::flow {
namespace {

/// The policy keys that a node has, of those the loop acts on.
std::vector<std::string_view> policy_keys(const PolicySpec& spec) {
  std::vector<std::string_view> keys;
  const auto add = [&keys](const core::Value& value, std::string_view key) {
    if (!value.is_absent()) {
      keys.push_back(key);
    }
  };
  add(spec.retry, "retry");
  add(spec.timeout_ms, "timeout_ms");
  add(spec.resources, "resources");
  add(spec.where, "where");
  return keys;
}

}  // namespace

void PlanBuilder::refuse_policies(const NodeSpec& node) {
  for (const std::string_view key : policy_keys(node.policy)) {
    report(node.mark, "PS0127",
           fmt::format("node '{}' has the policy '{}', but a {} calls nothing", node.id, key,
                       node.type),
           node.type == "tube" ? "give it to the nodes of the nested tube"
                               : "give it to the node before or behind it");
  }
}

void PlanBuilder::take_policy(Draft& draft) {
  const NodeSpec& node = *draft.spec;
  draft.policy = make_policy(node.policy);
  if (draft.policy != nullptr && draft.policy->retry.attempts > 1 && draft.source) {
    report(
        node.mark, "PS0127",
        fmt::format("node '{}' has the policy 'retry', but a source that has raised is at its end",
                    node.id),
        "try again inside it, or let it give names that a node with retry turns into values");
  }
}

// Whether a node is a coroutine is known when its operator is.
void PlanBuilder::check_timeouts() {
  for (const Draft& draft : drafts_) {
    if (draft.policy == nullptr || draft.policy->timeout_ms == 0 || !draft.is_local ||
        !draft.needs_host || draft.op == nullptr || draft.op->is_async()) {
      continue;
    }
    scope_ = draft.scope;
    report(
        draft.spec->mark, "PS0128",
        fmt::format("node '{}' has a timeout_ms and uses a shared asset: it runs in the run's own "
                    "process, where a Python function cannot be ended",
                    full_id(draft)),
        "make it a coroutine (async def), or give the asset scope node");
  }
}

}  // namespace penstock::flow
