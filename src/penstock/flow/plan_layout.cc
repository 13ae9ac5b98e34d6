// Layout of a plan: dense arrays by region, consumers in compressed rows, and the digest.
#include <algorithm>

#include "penstock/base/out_of_memory.h"
#include "penstock/flow/plan_builder.h"
#include "penstock/flow/plan_bytes.h"

namespace penstock::flow {
namespace {

/// Turns (row, item) pairs into Rows; stable, so items keep the order they were given in.
template <class T>
Rows<T> to_rows(std::size_t num_rows, std::span<const std::pair<std::int32_t, T>> pairs) {
  Rows<T> rows;
  rows.begin.assign(num_rows + 1, 0);
  for (const auto& [row, item] : pairs) {
    ++rows.begin[static_cast<std::size_t>(row) + 1];
  }
  for (std::size_t i = 0; i < num_rows; ++i) {
    rows.begin[i + 1] += rows.begin[i];
  }
  rows.items.resize(pairs.size());
  std::vector<std::int32_t> next(rows.begin.begin(), rows.begin.end() - 1);
  for (const auto& [row, item] : pairs) {
    rows.items[static_cast<std::size_t>(next[static_cast<std::size_t>(row)]++)] = item;
  }
  return rows;
}

}  // namespace

void PlanBuilder::lay_out() {
  std::vector<std::int32_t> order(topological_);
  // By region first, so that one activation's data is contiguous; stable keeps producers first.
  std::ranges::stable_sort(order, {}, [&](std::int32_t index) {
    return index == Plan::kInputNode ? kNone : drafts_[static_cast<std::size_t>(index)].region;
  });
  std::vector<std::int32_t> new_index(drafts_.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    new_index[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
  }

  Plan& plan = *plan_;
  plan.nodes_.resize(drafts_.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    Draft& draft = drafts_[static_cast<std::size_t>(order[i])];
    PlanNode& node = plan.nodes_[i];
    Region& region = regions_[static_cast<std::size_t>(draft.region)];
    if (region.num_nodes++ == 0) {
      region.first_node = static_cast<std::int32_t>(i);
    }
    if (draft.asset_spec != nullptr) {
      node.id = full_id(draft);
      node.type = draft.asset_spec->type;
      node.asset_scope = draft.asset_spec->scope;
      node.copies = draft.copies;
      if (draft.asset != kNone) {
        node.asset = new_index[static_cast<std::size_t>(draft.asset)];
      }
    } else if (draft.spec != nullptr) {
      node.id = full_id(draft);
      node.type = draft.kind == NodeKind::kTubeReturn ? "tube" : draft.spec->type;
      node.form = draft.spec->depends_form;
      if (draft.scope->depth == 0) {
        node.mark = draft.spec->mark;  // of the plan's own Spec only
      }
    } else {
      node.id = "input";
    }
    node.kind = draft.kind;
    node.region = draft.region;
    node.child = draft.child;
    node.enabled = draft.enabled;
    node.stateful = draft.stateful;
    node.source = draft.source;
    node.needs_host = draft.needs_host;
    node.native = draft.native;
    node.flatten = draft.flatten;
    node.gather_mode = draft.gather_mode;
    node.gather_n = draft.gather_n;
    node.op = draft.op;
    node.policy = std::move(draft.policy);
    plan.has_policies_ |= node.policy != nullptr;
    node.is_local = draft.is_local;
    node.is_kept = draft.is_kept;
    node.defaults = std::move(draft.defaults);
    plan.has_source_ |= draft.source && draft.enabled;
    plan.needs_host_ |= draft.needs_host;  // a node can be enabled later
    if (draft.kind == NodeKind::kReturn) {
      plan.return_node_ = static_cast<std::int32_t>(i);
    }
  }
  for (Region& region : regions_) {
    if (region.map != kNone) {
      region.map = new_index[static_cast<std::size_t>(region.map)];
    }
  }

  // Signals: per region, the map's value first, then the nodes' own in node order.
  for (std::size_t r = 0; r < regions_.size(); ++r) {
    Region& region = regions_[r];
    region.first_signal = static_cast<std::int32_t>(plan.signal_names_.size());
    if (region.map != kNone) {
      plan.nodes_[static_cast<std::size_t>(region.map)].map_value = region.first_signal;
      plan.signal_names_.emplace_back("value");
      plan.signal_producer_.push_back(region.map);
    }
    for (std::int32_t i = region.first_node; i < region.first_node + region.num_nodes; ++i) {
      PlanNode& node = plan.nodes_[static_cast<std::size_t>(i)];
      const Draft& draft = drafts_[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
      node.first_signal = static_cast<std::int32_t>(plan.signal_names_.size());
      node.num_signals =
          draft.kind == NodeKind::kMap ? 1 : static_cast<std::int32_t>(draft.signals.size());
      for (std::int32_t s = 0; s < node.num_signals; ++s) {
        plan.signal_names_.push_back(draft.signals[static_cast<std::size_t>(s)]);
        plan.signal_producer_.push_back(i);
      }
    }
    region.num_signals = static_cast<std::int32_t>(plan.signal_names_.size()) - region.first_signal;
  }
  for (std::size_t i = 0; i < plan.inputs_.size(); ++i) {
    plan.inputs_[i].signal = static_cast<std::int32_t>(i);
  }
  plan.regions_ = regions_;
  lay_out_edges(order, new_index);
  plan.index_consumers();
  lay_out_reuse(order, new_index);
}

void PlanBuilder::lay_out_edges(std::span<const std::int32_t> order,
                                std::span<const std::int32_t> new_index) {
  Plan& plan = *plan_;
  for (std::size_t i = 0; i < order.size(); ++i) {
    Draft& draft = drafts_[static_cast<std::size_t>(order[i])];
    PlanNode& node = plan.nodes_[i];
    node.first_edge = static_cast<std::int32_t>(plan.in_edges_.size());
    node.num_edges = static_cast<std::int32_t>(draft.edges.size());
    for (DraftEdge& edge : draft.edges) {
      InEdge in;
      if (edge.producer != kNone) {
        const PlanNode& producer = plan.nodes_[static_cast<std::size_t>(
            new_index[static_cast<std::size_t>(edge.producer)])];
        const bool element = producer.kind == NodeKind::kMap && edge.signal == 1;
        in.signal = element ? producer.map_value : producer.first_signal + edge.signal;
        in.required = edge.required;
        const std::int32_t region = element ? producer.child : producer.region;
        const std::int32_t depth = regions_[static_cast<std::size_t>(region)].depth;
        const std::int32_t own_depth = regions_[static_cast<std::size_t>(node.region)].depth;
        if (depth > own_depth) {
          in.collects = true;
          std::int32_t closing = region;
          while (regions_[static_cast<std::size_t>(closing)].depth > own_depth + 1) {
            closing = regions_[static_cast<std::size_t>(closing)].parent;
          }
          in.map = regions_[static_cast<std::size_t>(closing)].map;
        } else {
          in.up = own_depth - depth;
        }
      }
      plan.in_edges_.push_back(in);
      node.num_hidden += edge.hidden ? 1 : 0;
      if (edge.own_op != nullptr) {
        node.own_assets.push_back({static_cast<std::int32_t>(node.bindings.size()), edge.own_op});
      }
      node.bindings.push_back(std::move(edge.binding));
    }
  }
}

void Plan::index_consumers() {
  std::vector<std::pair<std::int32_t, Consumer>> local, remote;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const InEdge& edge : in_edges(nodes_[i])) {
      if (edge.signal == kNone || edge.collects) {
        continue;  // collecting edges wait for many instances: the scheduler counts those
      }
      const Consumer consumer{static_cast<std::int32_t>(i), edge.required};
      if (edge.up > 0) {
        remote.emplace_back(edge.signal, consumer);
      } else {
        local.emplace_back(edge.signal, consumer);
      }
    }
  }
  local_consumers_ = to_rows<Consumer>(signal_names_.size(), local);
  remote_consumers_ = to_rows<Consumer>(signal_names_.size(), remote);
}

// What a node is besides its type, its edges and its id.
void PlanBuilder::append_shape(std::string& bytes, const Draft& draft) {
  append_int(bytes, (draft.enabled ? 1 : 0) | (draft.stateful ? 2 : 0) | (draft.flatten ? 4 : 0));
  append_int(bytes, static_cast<std::int64_t>(draft.gather_mode));
  append_int(bytes, draft.gather_n);
  if (draft.asset_spec != nullptr) {
    append_int(bytes, static_cast<std::int64_t>(draft.asset_spec->scope));
  }
  if (draft.kind == NodeKind::kInput || draft.kind == NodeKind::kTube) {
    for (const std::string& name : draft.signals) {
      append_text(bytes, name);
    }
  }
  for (const core::Value& value : draft.defaults) {
    const auto encoded = core::encode(value);
    if (!encoded.has_value()) {
      base::rethrow_out_of_memory(encoded.error());  // else another plan would have this digest
    }
    append_text(bytes, encoded.value_or(std::string()));
  }
  if (draft.spec != nullptr) {
    append_int(bytes, static_cast<std::int64_t>(draft.spec->depends_form));
  }
}

void PlanBuilder::hash_nodes() {
  // A node's digest covers its type, parameters, flags and, through the digests of its producers,
  // everything upstream; not its id. So a rename or a reordering leaves the plan's digest alone.
  std::string bytes;
  std::vector<core::Digest> all;
  for (const std::int32_t index : topological_) {
    Draft& draft = drafts_[static_cast<std::size_t>(index)];
    bytes.clear();
    append_int(bytes, static_cast<std::int64_t>(draft.kind));
    append_text(bytes, draft.type != nullptr ? draft.type->identity() : std::string());
    append_shape(bytes, draft);
    for (const DraftEdge& edge : draft.edges) {
      append_int(bytes, edge.binding.position);
      append_text(bytes, edge.binding.name);
      append_int(bytes, edge.signal);
      append_int(bytes, edge.hidden ? 1 : 0);
      append_text(bytes, edge.own_asset != nullptr ? edge.own_asset->identity() : std::string());
      if (edge.producer != kNone) {
        append_digest(bytes, drafts_[static_cast<std::size_t>(edge.producer)].digest);
      }
    }
    draft.digest = core::hash_bytes(bytes);
    all.push_back(draft.digest);
  }
  std::ranges::sort(all);
  bytes.assign("penstock-plan-1");
  for (const core::Digest& digest : all) {
    append_digest(bytes, digest);
  }
  plan_->digest_ = core::hash_bytes(bytes);
}

}  // namespace penstock::flow
