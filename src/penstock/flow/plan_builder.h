// PlanBuilder: the steps from Spec to Plan. Internal to flow; one object per compile.
//
//   collect -> resolve types -> wire edges -> order (cycles) -> place in regions -> bind -> lay out
//
// Problems are gathered in `diagnostics`; later steps run on what is sound so that one compile
// reports everything. Owner thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "penstock/flow/id_index.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

/// An edge before layout. Producers are draft indices; draft 0 is the virtual `input` node.
struct DraftEdge {
  std::int32_t producer = kNone;
  std::int32_t signal = 0;  ///< ordinal among the producer's signals
  core::Binding binding;
  bool required = true;
  Mark mark;
};

/// A node before layout.
struct Draft {
  const NodeSpec* spec = nullptr;  ///< null for the input node
  NodeKind kind = NodeKind::kOperator;
  std::shared_ptr<const core::NodeType> type;
  std::vector<std::string> signals;
  std::vector<DraftEdge> edges;  ///< gather: always [value, n, trigger]; producer kNone = not wired
  bool fixed_ports = false;
  bool enabled = true, stateful = false, source = false, needs_host = false, native = true;
  bool flatten = false;
  GatherMode gather_mode = GatherMode::kClose;
  std::int64_t gather_n = 0;
  std::int32_t region = 0, child = kNone;
  std::shared_ptr<const core::Operator> op;
  core::Digest digest;
  bool broken = false;  ///< had a problem: not looked at by later steps
};

class PlanBuilder {
 public:
  PlanBuilder(std::shared_ptr<const Spec> spec, std::span<const Resolver* const> resolvers,
              const core::Value& tube_inputs)
      : owned_spec_(std::move(spec)),
        spec_(*owned_spec_),
        resolvers_(resolvers),
        tube_inputs_(tube_inputs) {}

  std::expected<std::shared_ptr<const Plan>, Diagnostics> build();

 private:
  // plan_compile.cc
  void report(Mark mark, std::string_view id, std::string message, std::string help = {});
  void report(Mark mark, const base::Error& error, std::string_view fallback_id);
  void collect_inputs();
  void collect_nodes();
  void resolve_type(Draft& draft);
  void resolve_operator(Draft& draft);
  /// False when there is none (reported).
  bool find_type(Draft& draft);
  void resolve_gather(Draft& draft);
  /// Absent when a parameter refers to an input that is not there (reported).
  core::Value resolve_params(const NodeSpec& node);
  std::string nearest_input(std::string_view name) const;
  const core::Value* tube_value(std::string_view name) const;

  // plan_wiring.cc
  void wire_edges();
  void wire_operator(Draft& draft);
  void wire_structural(Draft& draft);
  /// Reports an edge whose two sides state types that do not go together.
  void check_types(const Draft& draft, const DraftEdge& edge, std::string_view wanted);
  bool find_producer(const Draft& draft, const Dependency& dependency, DraftEdge& edge);
  void order_nodes();
  void report_cycle(std::span<const std::int32_t> waiting);
  void bind_operators();

  // plan_regions.cc
  void place_in_regions();
  void place_plain(std::int32_t index);
  void place_gather(std::int32_t index);
  std::int32_t signal_region(const DraftEdge& edge) const;
  bool is_ancestor_or_same(std::int32_t ancestor, std::int32_t region) const;
  std::int32_t outermost_map_region(std::int32_t region) const;
  std::int32_t add_region(std::int32_t parent, std::int32_t map);

  // plan_layout.cc
  void lay_out();
  void lay_out_edges(std::span<const std::int32_t> order, std::span<const std::int32_t> new_index);
  void lay_out_consumers();
  void hash_nodes();

  const std::shared_ptr<const Spec> owned_spec_;
  const Spec& spec_;
  std::span<const Resolver* const> resolvers_;
  const core::Value& tube_inputs_;
  Diagnostics diagnostics_;
  std::vector<Draft> drafts_;
  IdIndex index_;  ///< node id -> draft
  std::unordered_map<std::string_view, std::int32_t> input_index_;
  /// Of nodes without parameters, by type: a million nodes may name ten types.
  std::unordered_map<std::string_view, std::shared_ptr<const core::NodeType>> shared_types_;
  std::vector<std::int32_t> topological_;  ///< drafts, producers first
  std::vector<Region> regions_;
  std::shared_ptr<Plan> plan_;
};

}  // namespace penstock::flow
