#include "penstock/exec/process_placement.h"

#include <algorithm>

#include "penstock/flow/lifecycles.h"

namespace penstock::exec {
namespace {

// So many short tasks at once hide the round trip;
constexpr std::int64_t kWindowNs = 400'000;
// one more than the one that runs hides how long a busy machine takes to wake the run up. It may
// wait behind the first while another worker has nothing to do, so both must be this short.
constexpr std::int64_t kNextNs = 40'000'000;
constexpr std::int32_t kMaxTasks = 256;
// What a call costs at least: decoding, calling, encoding.
constexpr std::int64_t kOverheadNs = 1'500;
// A node nobody has seen run may be long.
constexpr std::int64_t kUnknownNs = 1'000'000'000;
constexpr std::size_t kCompactAt = 1024;

}  // namespace

Placement::Placement(const flow::Plan& plan, std::int32_t num_workers)
    : pins_(plan.nodes().size(), kAny),
      estimates_ns_(plan.nodes().size(), kUnknownNs),
      loads_(static_cast<std::size_t>(num_workers)) {
  std::int32_t next = 0;
  for (std::size_t i = 0; i < pins_.size(); ++i) {
    const flow::PlanNode& node = plan.nodes()[i];
    if (node.op != nullptr && !node.is_local && (node.stateful || flow::has_lifecycle(node))) {
      pins_[i] = next++ % num_workers;
    }
  }
}

std::vector<std::int32_t> Placement::pinned_nodes(std::int32_t worker) const {
  std::vector<std::int32_t> nodes;
  for (std::size_t i = 0; i < pins_.size(); ++i) {
    if (pins_[i] == worker) {
      nodes.push_back(static_cast<std::int32_t>(i));
    }
  }
  return nodes;
}

bool Placement::has_room(std::int32_t worker, std::int32_t node) const {
  const Load& load = loads_[static_cast<std::size_t>(worker)];
  const std::int64_t together_ns = load.expected_ns + expected(node);
  return load.tasks == 0 || (load.tasks == 1 && together_ns <= kNextNs) ||
         (load.tasks < kMaxTasks && together_ns <= kWindowNs);
}

std::int32_t Placement::choose(std::int32_t node) const {
  std::int32_t best = kAny;
  for (std::int32_t worker = 0; worker < static_cast<std::int32_t>(loads_.size()); ++worker) {
    if (has_room(worker, node) &&
        (best == kAny || loads_[static_cast<std::size_t>(worker)].expected_ns <
                             loads_[static_cast<std::size_t>(best)].expected_ns)) {
      best = worker;
    }
  }
  return best;
}

void Placement::sent(std::int32_t worker, std::int32_t node) {
  Load& load = loads_[static_cast<std::size_t>(worker)];
  load.sent_ns.push_back(expected(node));
  ++load.tasks;
  load.expected_ns += expected(node);
}

void Placement::finished(std::int32_t worker, std::int32_t node, std::int64_t duration_ns) {
  Load& load = loads_[static_cast<std::size_t>(worker)];
  if (load.oldest == load.sent_ns.size()) {
    return;  // without memory it was sent and not counted; such a run only ends
  }
  --load.tasks;
  load.expected_ns -= load.sent_ns[load.oldest++];
  if (load.oldest == load.sent_ns.size() || load.oldest == kCompactAt) {
    load.sent_ns.erase(load.sent_ns.begin(),
                       load.sent_ns.begin() + static_cast<std::ptrdiff_t>(load.oldest));
    load.oldest = 0;
  }
  if (duration_ns >= 0) {
    std::int64_t& estimate = estimates_ns_[static_cast<std::size_t>(node)];
    const std::int64_t seen_ns = duration_ns + kOverheadNs;
    estimate = estimate == kUnknownNs ? seen_ns : (3 * estimate + seen_ns) / 4;
  }
}

void Placement::lost(std::int32_t worker) {
  loads_[static_cast<std::size_t>(worker)] = {};
}

}  // namespace penstock::exec
