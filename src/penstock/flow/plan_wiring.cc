// Edges of a plan: every name checked against what exists, then the order of the nodes.
#include <algorithm>

#include <fmt/format.h>

#include "penstock/flow/plan_builder.h"
#include "penstock/flow/type_text.h"

namespace penstock::flow {
namespace {

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  const std::string nearest = core::nearest_name(name, candidates);
  return nearest.empty() ? std::string() : fmt::format("did you mean '{}'?", nearest);
}

std::string list_of(std::span<const std::string> names) {
  return names.empty()
             ? "none"
             : fmt::format("{}",
                           fmt::join(names.first(std::min<std::size_t>(names.size(), 12)), ", "));
}

}  // namespace

bool PlanBuilder::find_producer(const Draft& draft, const Dependency& dependency, DraftEdge& edge) {
  const std::string& consumer = draft.spec->id;
  edge.mark = dependency.mark;
  if (dependency.node == "assets") {
    return find_asset(draft, dependency, edge);
  }
  if (dependency.node == "input") {
    const auto found = draft.scope->input_index.find(dependency.signal);
    if (found == draft.scope->input_index.end()) {
      report(dependency.mark, "PS0108",
             fmt::format("unknown input '{}' in depends of node '{}'", dependency.signal, consumer),
             did_you_mean(dependency.signal, input_names()));
      return false;
    }
    edge.producer = draft.scope->input;
    edge.signal = found->second;
    return true;
  }
  const std::int32_t found = draft.scope->index.find(dependency.node);
  if (found == IdIndex::kAbsent) {
    std::vector<std::string> names;
    for (const NodeSpec& node : draft.scope->spec->nodes) {
      if (names.size() < 2000) {
        names.push_back(node.id);
      }
    }
    names.emplace_back("input");
    const bool is_input = draft.scope->input_index.contains(dependency.node);
    report(dependency.mark, "PS0101",
           fmt::format("unknown node '{}' in depends of node '{}'", dependency.node, consumer),
           is_input ? fmt::format("it is an input of the tube: write 'input.{}'", dependency.node)
                    : did_you_mean(dependency.node, names));
    return false;
  }
  const Draft& producer = drafts_[static_cast<std::size_t>(found)];
  if (producer.broken) {
    return false;  // its own problem is reported; its signals are unknown
  }
  if (producer.kind == NodeKind::kReturn || found == draft.scope->result) {
    report(dependency.mark, "PS0102",
           fmt::format("node '{}' depends on '{}', a return, which emits nothing", consumer,
                       dependency.node));
    return false;
  }
  const auto signal = std::ranges::find(producer.signals, dependency.signal);
  if (signal == producer.signals.end()) {
    report(dependency.mark, "PS0102",
           fmt::format("unknown signal '{}' of node '{}' in depends of node '{}'; it emits: {}",
                       dependency.signal, dependency.node, consumer, list_of(producer.signals)),
           did_you_mean(dependency.signal, producer.signals));
    return false;
  }
  edge.producer = found;
  edge.signal = static_cast<std::int32_t>(signal - producer.signals.begin());
  return true;
}

void PlanBuilder::check_types(const Draft& draft, const DraftEdge& edge, std::string_view wanted) {
  if (edge.producer == kNone) {
    return;  // an asset of scope node
  }
  const Draft& producer = drafts_[static_cast<std::size_t>(edge.producer)];
  const bool is_input = edge.producer == draft.scope->input;
  const auto ordinal = static_cast<std::size_t>(edge.signal);
  std::string_view produced;
  if (is_input) {
    produced = draft.scope->spec->inputs[ordinal].type;
  } else if (producer.type != nullptr && ordinal < producer.type->signature().signal_types.size()) {
    produced = producer.type->signature().signal_types[ordinal];
  }
  const TypeClash clash = compare_types(produced, wanted);
  if (clash == TypeClash::kFits) {
    return;
  }
  const std::string source =
      is_input ? fmt::format("input '{}'", draft.scope->spec->inputs[ordinal].id)
               : fmt::format("'{}.{}'", full_id(producer), producer.signals[ordinal]);
  report(edge.mark, "PS0116",
         fmt::format("{} is '{}', wanted '{}' for '{}' of node '{}'", source, produced, wanted,
                     edge.binding.name, draft.spec->id),
         clash == TypeClash::kUnit
             ? "the units differ: convert in a node between them"
             : "convert it in a node between them, or correct the annotation");
}

void PlanBuilder::wire_edges() {
  std::int32_t returns = 0;
  for (std::size_t i = 1; i < drafts_.size(); ++i) {
    Draft& draft = drafts_[i];
    if (draft.broken) {
      continue;
    }
    scope_ = draft.scope;
    if (draft.kind == NodeKind::kAsset || draft.kind == NodeKind::kAssetEnd) {
      // wire_assets() does it, when all who use them are known.
    } else if (draft.kind == NodeKind::kOperator) {
      wire_operator(draft);
    } else if (draft.kind == NodeKind::kTube) {
      wire_opening(draft);
    } else {
      wire_structural(draft);
    }
    if (draft.scope->depth > 0 && draft.asset_spec == nullptr) {
      hold_back(draft);
    }
    if (draft.kind == NodeKind::kReturn && ++returns == 2) {
      report(draft.spec->mark, "PS0107",
             fmt::format("a tube has one return at most; '{}' is the second", draft.spec->id));
    }
  }
}

void PlanBuilder::wire_operator(Draft& draft) {
  const NodeSpec& node = *draft.spec;
  const core::Signature& signature = draft.type->signature();
  std::vector<std::string> names;
  std::vector<const core::Slot*> positional;
  for (const core::Slot& slot : signature.slots) {
    names.push_back(slot.name);
    if (slot.positional) {
      positional.push_back(&slot);
    }
  }
  std::vector<bool> bound(signature.slots.size(), false);
  std::vector<std::string_view> extra;
  std::vector<const core::Slot*> slots;  // of draft.edges; null: taken up by *args or **kwargs
  const std::size_t num_problems = diagnostics_.size();
  bool mistyped = false;  // a slot that is not connected may be the one that was meant
  for (const Dependency& dependency : node.depends) {
    DraftEdge edge;
    const bool found = find_producer(draft, dependency, edge);
    const core::Slot* slot = nullptr;
    if (dependency.position >= 0) {
      const auto position = static_cast<std::size_t>(dependency.position);
      if (position < positional.size()) {
        slot = positional[position];
      } else if (!signature.any_positional) {
        report(dependency.mark, "PS0113",
               fmt::format("too many positional inputs of node '{}': seen {}, '{}' takes {}",
                           node.id, position + 1, node.type, positional.size()));
        continue;
      }
    } else {
      const auto at = std::ranges::find(signature.slots, dependency.slot, &core::Slot::name);
      if (at != signature.slots.end()) {
        slot = &*at;
      } else if (!signature.any_keyword) {
        report(dependency.slot_mark, "PS0103",
               fmt::format("unknown slot '{}' of node '{}'; '{}' takes: {}", dependency.slot,
                           node.id, node.type, list_of(names)),
               did_you_mean(dependency.slot, names));
        mistyped = true;
        continue;
      }
    }
    const std::string& name = slot != nullptr ? slot->name : dependency.slot;
    bool duplicate = false;
    if (slot != nullptr) {
      const auto i = static_cast<std::size_t>(slot - signature.slots.data());
      duplicate = bound[i];
      bound[i] = true;
    } else if (dependency.position < 0) {
      duplicate = std::ranges::find(extra, name) != extra.end();
      extra.push_back(name);
    }
    if (duplicate) {
      report(dependency.mark, "PS0104",
             fmt::format("slot '{}' of node '{}' is connected twice", name, node.id));
      continue;
    }
    if (slot != nullptr && slot->fixed && dependency.position >= 0) {
      report(dependency.mark, "PS0104",
             fmt::format("slot '{}' of node '{}' is given twice: by position {} and in params",
                         name, node.id, dependency.position),
             "take it out of params, or connect the others by name");
      continue;
    }
    // Positional and scalar edges are always required; a keyword edge follows its slot, and one
    // taken up by **kwargs is optional (0002-run-rule.md, section 3).
    edge.required = dependency.position >= 0 || (slot != nullptr && slot->required);
    edge.binding = {.position = dependency.position, .name = name};
    if (found) {
      slots.push_back(slot);
      draft.edges.push_back(std::move(edge));
    } else {
      draft.broken = true;
    }
  }
  for (std::size_t i = 0; i < signature.slots.size(); ++i) {
    if (!bound[i] && !signature.slots[i].has_default && !mistyped) {
      report(node.type_mark, "PS0112",
             fmt::format("node '{}': '{}' needs its input '{}' ({}), which is not connected",
                         node.id, node.type, signature.slots[i].name, signature.slots[i].type),
             fmt::format("add to depends: - {}: NODE.SIGNAL", signature.slots[i].name));
    }
  }
  const bool wired = diagnostics_.size() == num_problems;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (wired && slots[i] != nullptr) {  // types are looked at once the edges are right
      check_types(draft, draft.edges[i], slots[i]->type);
    }
  }
  if (draft.fixed_ports && !draft.broken) {
    std::vector<DraftEdge> ports(signature.slots.size());
    for (DraftEdge& edge : draft.edges) {
      const auto at = std::ranges::find(signature.slots, edge.binding.name, &core::Slot::name);
      ports[static_cast<std::size_t>(at - signature.slots.begin())] = std::move(edge);
    }
    draft.edges = std::move(ports);
  }
}

void PlanBuilder::wire_structural(Draft& draft) {
  const NodeSpec& node = *draft.spec;
  std::vector<std::string> slots;
  if (draft.kind == NodeKind::kMap) {
    slots = {"value"};
  } else if (draft.kind == NodeKind::kGather) {
    slots = {"value", "n", "trigger"};
  }
  const bool is_return = draft.kind == NodeKind::kReturn || draft.kind == NodeKind::kTubeReturn;
  draft.edges.resize(slots.size());
  std::vector<bool> bound(slots.size(), false);
  for (const Dependency& dependency : node.depends) {
    DraftEdge edge;
    if (!find_producer(draft, dependency, edge)) {
      draft.broken = true;
      continue;
    }
    edge.binding = {.position = dependency.position, .name = dependency.slot};
    if (is_return) {
      edge.required = dependency.position >= 0;
      const auto same = std::ranges::find_if(draft.edges, [&](const DraftEdge& other) {
        return dependency.position < 0 && other.binding.position < 0 &&
               other.binding.name == dependency.slot;
      });
      if (same != draft.edges.end()) {
        report(dependency.mark, "PS0104",
               fmt::format("key '{}' of return '{}' is connected twice", dependency.slot, node.id));
        continue;
      }
      draft.edges.push_back(std::move(edge));
      continue;
    }
    std::size_t slot = slots.size();
    if (dependency.position >= 0) {
      slot = static_cast<std::size_t>(dependency.position);
    } else {
      slot = static_cast<std::size_t>(std::ranges::find(slots, dependency.slot) - slots.begin());
    }
    if (slot >= slots.size()) {
      report(dependency.mark, dependency.position >= 0 ? "PS0113" : "PS0103",
             dependency.position >= 0
                 ? fmt::format("too many positional inputs of node '{}': seen {}, a {} takes {}",
                               node.id, dependency.position + 1, node.type, slots.size())
                 : fmt::format("unknown slot '{}' of node '{}'; a {} takes: {}", dependency.slot,
                               node.id, node.type, list_of(slots)),
             dependency.position >= 0 ? std::string() : did_you_mean(dependency.slot, slots));
      continue;
    }
    if (bound[slot]) {
      report(dependency.mark, "PS0104",
             fmt::format("slot '{}' of node '{}' is connected twice", slots[slot], node.id));
      continue;
    }
    bound[slot] = true;
    edge.required = slots[slot] != "trigger";
    edge.binding.name = slots[slot];
    draft.edges[slot] = std::move(edge);
  }
  if (!slots.empty() && !bound[0] && !draft.broken) {
    report(node.mark, "PS0112",
           fmt::format("node '{}': a {} needs its input 'value', which is not connected", node.id,
                       node.type));
    draft.broken = true;
  }
  if (draft.kind == NodeKind::kGather && bound[2]) {
    if (bound[1] || draft.gather_n > 0) {
      report(node.mark, "PS0111",
             fmt::format("gather '{}' has both n and trigger; it takes one of them", node.id));
    }
    draft.gather_mode = GatherMode::kTrigger;
  } else if (draft.kind == NodeKind::kGather && bound[1] && draft.gather_n > 0) {
    draft.gather_n = 0;  // a wired n overrides the parameter, as any keyword edge does
  }
  if (is_return && node.depends.empty() && node.type == "return") {
    report(node.mark, "PS0112",
           fmt::format("return '{}' has no depends: nothing to give back", node.id));
  }
}

void PlanBuilder::order_nodes() {
  const std::size_t count = drafts_.size();
  std::vector<std::int32_t> waiting(count, 0);
  std::vector<std::int32_t> first(count + 1, 0);
  for (const Draft& draft : drafts_) {
    for (const DraftEdge& edge : draft.edges) {
      if (edge.producer != kNone) {
        ++first[static_cast<std::size_t>(edge.producer) + 1];
      }
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    first[i + 1] += first[i];
  }
  std::vector<std::int32_t> targets(static_cast<std::size_t>(first[count]));
  std::vector<std::int32_t> next(first.begin(), first.end() - 1);
  for (std::size_t i = 0; i < count; ++i) {
    for (const DraftEdge& edge : drafts_[i].edges) {
      if (edge.producer != kNone) {
        const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(edge.producer)]++);
        targets[at] = static_cast<std::int32_t>(i);
        ++waiting[i];
      }
    }
  }
  topological_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (waiting[i] == 0) {
      topological_.push_back(static_cast<std::int32_t>(i));
    }
  }
  for (std::size_t head = 0; head < topological_.size(); ++head) {
    const auto node = static_cast<std::size_t>(topological_[head]);
    for (auto at = static_cast<std::size_t>(first[node]);
         at < static_cast<std::size_t>(first[node + 1]); ++at) {
      if (--waiting[static_cast<std::size_t>(targets[at])] == 0) {
        topological_.push_back(targets[at]);
      }
    }
  }
  if (topological_.size() < count) {
    report_cycle(waiting);
  }
}

void PlanBuilder::report_cycle(std::span<const std::int32_t> waiting) {
  // Walk producers that still wait until a node repeats: that stretch is a cycle. Reversed it
  // reads in the direction of the data.
  std::size_t at = 0;
  while (waiting[at] == 0) {
    ++at;
  }
  std::vector<std::size_t> path;
  std::vector<bool> seen(drafts_.size(), false);
  const DraftEdge* last = nullptr;
  while (!seen[at]) {
    seen[at] = true;
    path.push_back(at);
    for (const DraftEdge& edge : drafts_[at].edges) {
      if (edge.producer != kNone && waiting[static_cast<std::size_t>(edge.producer)] > 0) {
        at = static_cast<std::size_t>(edge.producer);
        last = &edge;
        break;
      }
    }
  }
  path.erase(path.begin(), std::ranges::find(path, at));
  std::ranges::reverse(path);
  std::string names;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path.size() > 12 && i == 6) {
      names += fmt::format("... ({} more) -> ", path.size() - 11);
      i = path.size() - 5;
    }
    names += full_id(drafts_[path[i]]) + " -> ";
  }
  names += full_id(drafts_[path.front()]);
  scope_ = drafts_[path.back()].scope;
  report(last->mark, "PS0105", fmt::format("the nodes form a cycle: {}", names),
         "remove one of these edges; state over epochs belongs into a stateful node");
}

void PlanBuilder::bind_operators() {
  std::vector<core::Binding> bindings;
  for (Draft& draft : drafts_) {
    if (draft.kind != NodeKind::kOperator && draft.kind != NodeKind::kAsset) {
      continue;
    }
    bindings.clear();
    scope_ = draft.scope;
    for (DraftEdge& edge : draft.edges) {
      if (!edge.hidden) {
        bindings.push_back(edge.binding);
      }
      if (edge.own_asset != nullptr) {
        auto own = edge.own_asset->bind({});
        if (!own.has_value()) {
          report(edge.mark, own.error(), "PS0208");
          continue;
        }
        edge.own_op = std::move(*own);
      }
    }
    auto op = draft.type->bind(bindings);
    if (!op.has_value()) {
      report(draft.spec->type_mark, op.error(), "PS0208");
      continue;
    }
    draft.op = std::move(*op);
  }
}

}  // namespace penstock::flow
