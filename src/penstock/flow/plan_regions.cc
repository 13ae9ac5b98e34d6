// Regions of a plan: which chain of maps every node and signal lies in (0002-run-rule.md, 1 and 4).
#include <fmt/format.h>

#include "penstock/flow/plan_builder.h"

namespace penstock::flow {

std::int32_t PlanBuilder::add_region(std::int32_t parent, std::int32_t map) {
  const auto index = static_cast<std::int32_t>(regions_.size());
  Region region;
  region.parent = parent;
  region.map = map;
  if (parent != kNone) {
    Region& above = regions_[static_cast<std::size_t>(parent)];
    region.depth = above.depth + 1;
    region.ordinal = static_cast<std::int32_t>(above.children.size());
    above.children.push_back(index);
  }
  regions_.push_back(std::move(region));
  return index;
}

std::int32_t PlanBuilder::signal_region(const DraftEdge& edge) const {
  const Draft& producer = drafts_[static_cast<std::size_t>(edge.producer)];
  // A map's signals are ordered [n, value]; only `value` lies among the elements.
  return producer.kind == NodeKind::kMap && edge.signal == 1 ? producer.child : producer.region;
}

bool PlanBuilder::is_ancestor_or_same(std::int32_t ancestor, std::int32_t region) const {
  while (region != kNone && region != ancestor) {
    region = regions_[static_cast<std::size_t>(region)].parent;
  }
  return region == ancestor;
}

void PlanBuilder::place_in_regions() {
  add_region(kNone, kNone);
  for (const std::int32_t index : topological_) {
    Draft& draft = drafts_[static_cast<std::size_t>(index)];
    scope_ = draft.scope;
    if (draft.kind == NodeKind::kInput || draft.kind == NodeKind::kReturn) {
      draft.region = 0;
    } else if (draft.kind == NodeKind::kTubeReturn || draft.kind == NodeKind::kAsset ||
               draft.kind == NodeKind::kAssetEnd) {
      draft.region = base_region(draft);
    } else if (draft.kind == NodeKind::kGather) {
      place_gather(index);
    } else {
      place_plain(index);
    }
    if (draft.kind == NodeKind::kMap) {
      if (regions_[static_cast<std::size_t>(draft.region)].depth >= 32) {
        report(draft.spec->mark, "PS0106",
               fmt::format("map '{}' is nested deeper than 32 maps", draft.spec->id));
      }
      draft.child = add_region(draft.region, index);
    }
  }
}

// Where a tube's nodes lie that are in none of its own maps.
std::int32_t PlanBuilder::base_region(const Draft& draft) const {
  return drafts_[static_cast<std::size_t>(draft.scope->input)].region;
}

void PlanBuilder::place_plain(std::int32_t index) {
  Draft& draft = drafts_[static_cast<std::size_t>(index)];
  std::int32_t deepest = 0;
  for (const DraftEdge& edge : draft.edges) {
    if (edge.producer == kNone) {
      continue;
    }
    const std::int32_t region = signal_region(edge);
    if (is_ancestor_or_same(deepest, region)) {
      deepest = region;
    } else if (!is_ancestor_or_same(region, deepest)) {
      const auto map_of = [&](std::int32_t of) {
        const std::int32_t map = regions_[static_cast<std::size_t>(of)].map;
        return drafts_[static_cast<std::size_t>(map)].spec->id;
      };
      report(edge.mark, "PS0106",
             fmt::format("node '{}' depends on elements of two unrelated maps, '{}' and '{}'",
                         draft.spec->id, map_of(deepest), map_of(region)),
             "gather one of them first");
      return;
    }
  }
  draft.region = deepest;
}

void PlanBuilder::place_gather(std::int32_t index) {
  Draft& draft = drafts_[static_cast<std::size_t>(index)];
  const DraftEdge& value = draft.edges[0];
  const DraftEdge& n = draft.edges[1];
  const DraftEdge& trigger = draft.edges[2];
  const std::int32_t inner = signal_region(value);
  const std::int32_t base = base_region(draft);
  const bool in_map = inner != base;
  draft.region = in_map ? regions_[static_cast<std::size_t>(inner)].parent : base;

  if (draft.gather_mode != GatherMode::kTrigger && n.producer != kNone) {
    const bool own_count =
        in_map && n.signal == 0 && n.producer == regions_[static_cast<std::size_t>(inner)].map;
    draft.gather_mode = own_count ? GatherMode::kClose : GatherMode::kCount;
  }
  if (draft.gather_mode == GatherMode::kClose && !in_map) {
    report(draft.spec->mark, "PS0110",
           fmt::format("gather '{}' is outside any map: it needs n or trigger to know when to emit",
                       draft.spec->id),
           "add params: {n: 10}, or to depends: - trigger: NODE.SIGNAL");
  }
  draft.stateful = draft.gather_mode != GatherMode::kClose;
  const bool n_ok = n.producer == kNone || is_ancestor_or_same(signal_region(n), draft.region);
  const bool trigger_ok = trigger.producer == kNone || signal_region(trigger) == inner ||
                          is_ancestor_or_same(signal_region(trigger), draft.region);
  if (!n_ok || !trigger_ok) {
    report(n_ok ? trigger.mark : n.mark, "PS0106",
           fmt::format("'{}' of gather '{}' comes from elements of another map",
                       n_ok ? "trigger" : "n", draft.spec->id));
  }
}

}  // namespace penstock::flow
