// Scheduler: values are let go of when the last node that uses them is done.
//
// A resolved node's entry of Activation::remaining is free but for kResolved: it counts how many
// nodes have not used the node's signal yet. Nodes with several signals, and the element of a map,
// have entries of their own behind those of the nodes. A count stays 0 while the value is none that
// may be large, and a value whose users are called on the fast path is kept until its epoch closes:
// counts are too high then, never too low.
#include "penstock/flow/scheduler.h"

namespace penstock::flow {
namespace {

constexpr std::size_t kLargeText = 4096;

}  // namespace

bool may_be_large(const core::Value& value) {
  switch (value.kind()) {
    case core::Kind::kText:
      return value.as_text().size() >= kLargeText;
    case core::Kind::kBytes:
      return value.as_bytes().size() >= kLargeText;
    case core::Kind::kBigInt:
      return value.big_magnitude().size() >= kLargeText;
    default:
      return is_on_heap(value);
  }
}

void Scheduler::build_uses() {
  use_slots_.assign(plan_.signal_names().size(), kNone);
  num_uses_.assign(plan_.signal_names().size(), 0);
  extra_slots_.assign(plan_.regions().size(), 0);
  for (std::size_t r = 0; r < plan_.regions().size(); ++r) {
    place_uses(static_cast<std::int32_t>(r));
  }
  use_begin_.push_back(0);
  for (const PlanNode& node : plan_.nodes()) {
    const Region& region = plan_.regions()[static_cast<std::size_t>(node.region)];
    for (const InEdge& edge : plan_.in_edges(node)) {
      if (edge.signal == kNone || edge.collects || edge.up > 0) {
        continue;
      }
      if (const auto slot = use_slots_[static_cast<std::size_t>(edge.signal)]; slot != kNone) {
        uses_.push_back({.slot = slot, .value = edge.signal - region.first_signal});
        ++num_uses_[static_cast<std::size_t>(edge.signal)];
      }
    }
    use_begin_.push_back(static_cast<std::int32_t>(uses_.size()));
  }
}

// Where the uses of a region's signals are counted. A signal that is read in another region is
// kept: its readers may not exist yet.
void Scheduler::place_uses(std::int32_t region_index) {
  const Region& region = plan_.regions()[static_cast<std::size_t>(region_index)];
  std::int32_t& extra = extra_slots_[static_cast<std::size_t>(region_index)];
  const auto is_kept = [&](std::int32_t signal) {
    return !plan_.remote_consumers()[signal].empty() ||
           !collected_signals_[static_cast<std::size_t>(signal)].empty();
  };
  const auto own_slot = [&](std::int32_t signal) {
    if (!is_kept(signal)) {
      use_slots_[static_cast<std::size_t>(signal)] = region.num_nodes + extra++;
    }
  };
  if (region.map != kNone) {
    own_slot(region.first_signal);
  }
  for (std::int32_t local = 0; local < region.num_nodes; ++local) {
    const std::int32_t index = region.first_node + local;
    const PlanNode& node = plan_.nodes()[static_cast<std::size_t>(index)];
    if (node.kind == NodeKind::kInput) {
      continue;  // whoever began the epoch has its inputs
    }
    if (node.num_signals == 1) {
      use_slots_[static_cast<std::size_t>(node.first_signal)] =
          is_kept(node.first_signal) ? kNone : local;
      continue;
    }
    for (std::int32_t s = node.first_signal; s < node.first_signal + node.num_signals; ++s) {
      own_slot(s);
    }
  }
}

// The node has given its signals, one of them on the heap.
void Scheduler::count_uses(Activation* activation, std::int32_t node) {
  const HotNode& hot = hot_[static_cast<std::size_t>(node)];
  for (std::int32_t s = hot.first_signal; s < hot.first_signal + hot.num_signals; ++s) {
    core::Value& value = activation->values[s - hot.signal_base];
    const std::int32_t slot = use_slots_[static_cast<std::size_t>(s)];
    if (!is_on_heap(value) || !may_be_large(value) || slot == kNone) {
      continue;
    }
    releases_ = true;
    const std::uint32_t uses = num_uses_[static_cast<std::size_t>(s)];
    if (uses == 0) {
      value.reset();
    }
    activation->remaining[slot] = kResolved | uses;
  }
}

void Scheduler::release_inputs(Activation* activation, std::int32_t node) {
  const auto first = static_cast<std::size_t>(use_begin_[static_cast<std::size_t>(node)]);
  const auto last = static_cast<std::size_t>(use_begin_[static_cast<std::size_t>(node) + 1]);
  for (std::size_t i = first; i < last; ++i) {
    std::uint32_t& left = activation->remaining[uses_[i].slot];
    if ((left & kCount) == 0) {
      continue;
    }
    --left;
    if ((left & kCount) == 0) {
      activation->values[uses_[i].value].reset();
    }
  }
}

}  // namespace penstock::flow
