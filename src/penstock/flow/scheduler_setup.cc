// Scheduler: what is computed once per plan, and the read-only questions.
#include <algorithm>
#include <functional>
#include <utility>

#include "penstock/flow/scheduler.h"

namespace penstock::flow {

Scheduler::Scheduler(const Plan& plan, std::optional<std::uint64_t> shuffle)
    : plan_(plan),
      hot_(plan.nodes().size()),
      remote_edges_(plan.regions().size()),
      stateful_below_(plan.regions().size()),
      collected_below_(plan.regions().size()),
      collected_signals_(plan.signal_names().size()),
      templates_(plan.regions().size()),
      settled_(plan.regions().size()),
      num_activations_(plan.regions().size(), 0),
      exhausted_(plan.nodes().size(), false),
      enabled_(plan.nodes().size()),
      counts_(plan.nodes().size()),
      ring_(1024),
      mask_(ring_.size() - 1),
      skipped_(plan.nodes().size(), 0) {
  if (shuffle.has_value()) {
    random_.emplace(*shuffle);
  }
  for (std::size_t i = 0; i < plan.nodes().size(); ++i) {
    enabled_[i] = counts_[i] = plan.nodes()[i].enabled;
  }
  build_stateful();
  build_collected();
  build_hot_nodes();
  build_fast();
  build_uses();
  build_templates();
  build_straight();
  std::vector<ExpansionSizes> sizes;
  for (std::size_t r = 0; r < plan.regions().size(); ++r) {
    sizes.push_back({.turns = static_cast<std::int32_t>(stateful_below_[r].size()),
                     .pending = static_cast<std::int32_t>(collected_below_[r].size()),
                     .extra = extra_slots_[r]});
  }
  pool_.emplace(plan, std::move(sizes));
  update_finished();
  finished_ = false;  // disabled nodes alone never end a run
}

void Scheduler::build_stateful() {
  for (std::size_t i = 0; i < plan_.nodes().size(); ++i) {
    const PlanNode& node = plan_.nodes()[i];
    hot_[i].turn = kNone;
    if (!node.stateful) {
      continue;
    }
    Stateful entry{.node = static_cast<std::int32_t>(i), .path = {}, .slots = {}};
    for (std::int32_t r = node.region; r != kNone;
         r = plan_.regions()[static_cast<std::size_t>(r)].parent) {
      auto& below = stateful_below_[static_cast<std::size_t>(r)];
      entry.path.push_back(r);
      entry.slots.push_back(static_cast<std::int32_t>(below.size()));
      below.push_back(static_cast<std::int32_t>(stateful_.size()));
    }
    std::ranges::reverse(entry.path);
    std::ranges::reverse(entry.slots);
    hot_[i].turn = static_cast<std::int32_t>(stateful_.size());
    stateful_.push_back(std::move(entry));
  }
  // An asset waits for its turn, and who ends its use passes the turn on.
  for (std::size_t i = 0; i < plan_.nodes().size(); ++i) {
    if (const std::int32_t asset = plan_.nodes()[i].asset; asset != kNone) {
      hot_[i].turn = std::exchange(hot_[static_cast<std::size_t>(asset)].turn, kNone);
    }
  }
}

void Scheduler::build_collected() {
  for (std::size_t i = 0; i < plan_.nodes().size(); ++i) {
    for (const InEdge& edge : plan_.in_edges(plan_.nodes()[i])) {
      if (edge.signal == kNone || !edge.collects) {
        continue;
      }
      const std::int32_t closing = plan_.nodes()[static_cast<std::size_t>(edge.map)].child;
      const Consumer consumer{static_cast<std::int32_t>(i), edge.required};
      auto& entries = collected_signals_[static_cast<std::size_t>(edge.signal)];
      const auto same = std::ranges::find_if(entries, [&](std::int32_t entry) {
        return collected_[static_cast<std::size_t>(entry)].path.front() == closing;
      });
      if (same != entries.end()) {
        collected_[static_cast<std::size_t>(*same)].consumers.push_back(consumer);
        continue;
      }
      const auto index = static_cast<std::int32_t>(collected_.size());
      Collected entry{.signal = edge.signal, .path = {}, .slots = {}, .consumers = {consumer}};
      std::int32_t region = plan_.signal_region(edge.signal);
      while (true) {
        auto& below = collected_below_[static_cast<std::size_t>(region)];
        entry.path.push_back(region);
        entry.slots.push_back(static_cast<std::int32_t>(below.size()));
        below.push_back(index);
        if (region == closing) {
          break;
        }
        region = plan_.regions()[static_cast<std::size_t>(region)].parent;
      }
      std::ranges::reverse(entry.path);
      std::ranges::reverse(entry.slots);
      collected_.push_back(std::move(entry));
      entries.push_back(index);
    }
  }
}

void Scheduler::build_hot_nodes() {
  const auto num_signals = static_cast<std::int32_t>(plan_.signal_names().size());
  for (std::size_t i = 0; i < plan_.nodes().size(); ++i) {
    const PlanNode& node = plan_.nodes()[i];
    const Region& region = plan_.regions()[static_cast<std::size_t>(node.region)];
    HotNode& hot = hot_[i];
    hot.first_signal = node.first_signal;
    hot.first_node = region.first_node;
    hot.signal_base = region.first_signal;
    hot.child = node.child;
    hot.num_signals = static_cast<std::uint16_t>(node.num_signals);
    hot.has_remote = hot.is_collected = false;
    for (std::int32_t s = node.first_signal; s < node.first_signal + node.num_signals; ++s) {
      hot.has_remote |= !plan_.remote_consumers()[s].empty();
      hot.is_collected |= !collected_signals_[static_cast<std::size_t>(s)].empty();
    }
  }
  consumer_begin_.push_back(0);
  for (std::int32_t s = 0; s < num_signals; ++s) {
    for (const Consumer& consumer : plan_.local_consumers()[s]) {
      const std::int32_t local =
          consumer.node - hot_[static_cast<std::size_t>(consumer.node)].first_node;
      consumers_.push_back(static_cast<std::uint32_t>(local) << 1 | (consumer.required ? 1U : 0U));
    }
    consumer_begin_.push_back(static_cast<std::int32_t>(consumers_.size()));
  }
}

void Scheduler::build_fast() {
  fast_.resize(plan_.nodes().size());
  const Region& root = plan_.regions()[0];
  for (std::int32_t i = 0; i < root.num_nodes; ++i) {
    const PlanNode& node = plan_.nodes()[static_cast<std::size_t>(i)];
    const HotNode& hot = hot_[static_cast<std::size_t>(i)];
    bool eligible = node.kind == NodeKind::kOperator && !node.is_local && node.own_assets.empty() &&
                    node.policy == nullptr && node.num_signals == 1 && node.native &&
                    !node.needs_host && !node.stateful && !node.source && !hot.has_remote &&
                    !hot.is_collected && node.num_edges <= 64 && node.num_hidden == 0;
    for (const InEdge& edge : plan_.in_edges(node)) {
      eligible &= edge.signal != kNone && !edge.collects;
    }
    if (!eligible) {
      continue;
    }
    FastNode& fast = fast_[static_cast<std::size_t>(i)];
    fast.op = node.op.get();
    fast.is_eligible = true;
    fast.first_edge = static_cast<std::int32_t>(fast_edges_.size());
    fast.num_edges = static_cast<std::uint16_t>(node.num_edges);
    for (const InEdge& edge : plan_.in_edges(node)) {
      fast_edges_.push_back(edge.signal);  // the root's signals come first: global is local
    }
    fast.signal = node.first_signal;
    fast.first_consumer = consumer_begin_[static_cast<std::size_t>(node.first_signal)];
    fast.num_consumers =
        consumer_begin_[static_cast<std::size_t>(node.first_signal) + 1] - fast.first_consumer;
  }
}

void Scheduler::build_templates() {
  for (std::size_t r = 0; r < plan_.regions().size(); ++r) {
    const Region& region = plan_.regions()[r];
    auto& counts = templates_[r];
    const std::int32_t num_counts = region.num_nodes + extra_slots_[r];
    counts.assign(static_cast<std::size_t>(num_counts), 0);
    if (region.map != kNone) {
      if (const auto slot = use_slots_[static_cast<std::size_t>(region.first_signal)];
          slot != kNone) {
        counts[static_cast<std::size_t>(slot)] =
            num_uses_[static_cast<std::size_t>(region.first_signal)];
      }
    }
    for (std::int32_t local = 0; local < region.num_nodes; ++local) {
      const std::int32_t index = region.first_node + local;
      const PlanNode& node = plan_.nodes()[static_cast<std::size_t>(index)];
      if (node.kind == NodeKind::kInput) {
        counts[static_cast<std::size_t>(local)] = kResolved;
        continue;
      }
      std::uint32_t count = node.stateful ? 1 : 0;
      for (const InEdge& edge : plan_.in_edges(node)) {
        // Inputs are there before the epoch, and a map's element before its activation.
        if (edge.signal == kNone || plan_.producer(edge.signal) == Plan::kInputNode) {
          continue;
        }
        const bool own_element = !edge.collects && edge.up == 0 && region.map != kNone &&
                                 edge.signal == region.first_signal;
        if (own_element) {
          continue;
        }
        ++count;
        if (!edge.collects && edge.up > 0) {
          remote_edges_[r].push_back({local, edge.signal, edge.up, edge.required});
        }
      }
      counts[static_cast<std::size_t>(local)] = count | (is_enabled(index) ? 0U : kMissing);
      if (count == 0) {
        settled_[r].push_back(local);
      }
    }
  }
}

void Scheduler::update_template(std::int32_t node) {
  const auto index = static_cast<std::size_t>(node);
  const std::int32_t region = plan_.nodes()[index].region;
  std::uint32_t& count = templates_[static_cast<std::size_t>(region)]
                                   [static_cast<std::size_t>(node - hot_[index].first_node)];
  const bool runs = enabled_[index] && !exhausted_[index];
  count = (count & ~kMissing) | (runs ? 0U : kMissing);
}

void Scheduler::set_enabled(std::int32_t node, bool enabled) {
  PENSTOCK_CHECK(roots_.empty());
  const auto index = static_cast<std::size_t>(node);
  enabled_[index] = enabled;
  counts_[index] = counts_[index] || enabled;
  update_template(node);
  build_straight();
  if (finished_) {  // what is turned on may be a target that lives, or feed one
    update_finished();
  }
}

// Runs one epoch in thought, every signal present.
void Scheduler::build_straight() {
  straight_ = {};
  num_tiny_straight_ = 0;
  for (FastNode& fast : fast_) {
    fast.is_straight = false;
  }
  if (random_.has_value() || !stateful_.empty() ||
      !std::ranges::all_of(enabled_, std::identity{})) {
    return;
  }
  std::vector<std::uint32_t> remaining = templates_[0];
  std::vector<std::int32_t> ready = settled_[0];
  std::size_t next = 0;
  for (; next < ready.size() && fast(ready[next]).is_eligible; ++next) {
    const std::int32_t node = ready[next];
    FastNode& fast = fast_[static_cast<std::size_t>(node)];
    fast.is_straight = true;
    num_tiny_straight_ += static_cast<std::size_t>(fast.is_tiny);
    straight_.steps.push_back({.op = fast.op,
                               .node = node,
                               .signal = fast.signal,
                               .edge = fast.num_edges == 1
                                           ? fast_edges_[static_cast<std::size_t>(fast.first_edge)]
                                           : fast.first_edge,
                               .num_edges = fast.num_edges});
    remaining[static_cast<std::size_t>(node)] = kResolved;
    for (std::int32_t i = 0; i < fast.num_consumers; ++i) {
      const auto local = consumers_[static_cast<std::size_t>(fast.first_consumer + i)] >> 1;
      if (Countdown::arrive(remaining.data(), local, 0) == 0) {
        ready.push_back(static_cast<std::int32_t>(local));
      }
    }
  }
  straight_.ready.assign(ready.begin() + static_cast<std::ptrdiff_t>(next), ready.end());
  straight_.remaining = std::move(remaining);
}

void Scheduler::update_finished() {
  const std::size_t count = plan_.nodes().size();
  // What is there in every epoch says nothing about whether anything is left to do.
  std::vector<bool> given(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    const PlanNode& node = plan_.nodes()[i];
    const auto is_given = [&](const InEdge& edge) {
      return edge.signal == kNone || given[static_cast<std::size_t>(plan_.producer(edge.signal))];
    };
    given[i] =
        node.kind == NodeKind::kInput || node.kind == NodeKind::kAsset ||
        (node.kind == NodeKind::kTube && std::ranges::all_of(plan_.in_edges(node), is_given));
  }
  std::vector<bool> dead(count, false);
  // Nodes are ordered by region, so a gather may come before its producers: repeat until stable
  // (at most the depth of the maps).
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 1; i < count; ++i) {
      const PlanNode& node = plan_.nodes()[i];
      if (dead[i]) {
        continue;
      }
      bool is_dead = !enabled_[i] || exhausted_[i];
      bool any_dead = false, any_alive = false;
      for (const InEdge& edge : plan_.in_edges(node)) {
        if (edge.signal == kNone) {
          continue;
        }
        const std::int32_t producer = plan_.producer(edge.signal);
        const bool from_dead = dead[static_cast<std::size_t>(producer)];
        is_dead |= from_dead && edge.required;
        any_dead |= from_dead;
        any_alive |= !from_dead && !given[static_cast<std::size_t>(producer)];
      }
      is_dead |= any_dead && !any_alive;
      if (is_dead) {
        dead[i] = changed = true;
      }
    }
  }
  if (plan_.return_node() != kNone && counts_[static_cast<std::size_t>(plan_.return_node())]) {
    finished_ = dead[static_cast<std::size_t>(plan_.return_node())];
    return;
  }
  std::vector<bool> consumed(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    // What only the end of an asset's use waits for has no consumer.
    if (!counts_[i] || plan_.nodes()[i].kind == NodeKind::kAssetEnd) {
      continue;
    }
    for (const InEdge& edge : plan_.input_edges(plan_.nodes()[i])) {
      if (edge.signal != kNone) {
        consumed[static_cast<std::size_t>(plan_.producer(edge.signal))] = true;
      }
    }
  }
  bool any = false, all_dead = true;
  for (std::size_t i = 1; i < count; ++i) {
    const NodeKind kind = plan_.nodes()[i].kind;
    if (counts_[i] && !consumed[i] && kind != NodeKind::kAsset && kind != NodeKind::kAssetEnd &&
        kind != NodeKind::kTube) {
      any = true;
      all_dead &= dead[i];
    }
  }
  finished_ = any && all_dead;
}

std::vector<std::pair<std::int32_t, core::Value>> Scheduler::collect(const Activation& activation,
                                                                     const InEdge& edge) const {
  const std::int32_t from = plan_.signal_region(edge.signal);
  std::vector<std::int32_t> down;
  for (std::int32_t r = from; r != activation.region;
       r = plan_.regions()[static_cast<std::size_t>(r)].parent) {
    down.push_back(r);
  }
  std::ranges::reverse(down);
  const std::int32_t base = plan_.regions()[static_cast<std::size_t>(from)].first_signal;
  std::vector<std::pair<std::int32_t, core::Value>> out;
  // Depth first, so that values come in epoch order; the depth is that of the maps.
  const auto walk = [&](const auto& self, const Activation& above, std::size_t level,
                        std::int32_t index) -> void {
    const Region& region = plan_.regions()[static_cast<std::size_t>(down[level])];
    const Expansion& expansion = above.expansions[region.ordinal];
    for (std::int32_t i = 0; i < expansion.count; ++i) {
      const Activation& child = expansion.children[i];
      const std::int32_t outer = level == 0 ? i : index;
      if (level + 1 < down.size()) {
        self(self, child, level + 1, outer);
      } else if (const core::Value& value = child.values[edge.signal - base]; !value.is_absent()) {
        out.emplace_back(outer, value);
      }
    }
  };
  walk(walk, activation, 0, 0);
  return out;
}

const core::Value& Scheduler::input(const Activation& activation, const InEdge& edge) const {
  static const core::Value absent;
  if (edge.signal == kNone) {
    return absent;
  }
  const Activation* at = &activation;
  for (std::int32_t up = 0; up < edge.up; ++up) {
    at = at->parent;
  }
  return at
      ->values[edge.signal - plan_.regions()[static_cast<std::size_t>(at->region)].first_signal];
}

std::span<core::Value> Scheduler::outputs(const Task& task) const {
  const HotNode& hot = hot_[static_cast<std::size_t>(task.node)];
  return {static_cast<Activation*>(task.activation)->values + (hot.first_signal - hot.signal_base),
          hot.num_signals};
}

void Scheduler::path_of(const Activation& activation, std::vector<std::int64_t>& path) const {
  path.clear();
  for (const Activation* at = &activation; at->parent != nullptr; at = at->parent) {
    path.push_back(at->index);
  }
  std::ranges::reverse(path);
}

std::vector<std::pair<std::int32_t, std::int64_t>> Scheduler::blocked(std::size_t limit) const {
  std::vector<std::pair<std::int32_t, std::int64_t>> out;
  for (const auto& [root, slab] : roots_) {
    const Region& region = plan_.regions()[0];
    for (std::int32_t i = 0; i < region.num_nodes && out.size() < limit; ++i) {
      if ((root->remaining[i] & kResolved) == 0) {
        out.emplace_back(region.first_node + i, root->remaining[i] & kCount);
      }
    }
  }
  return out;
}

}  // namespace penstock::flow
