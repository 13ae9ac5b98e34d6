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
  bool hidden = false;                              ///< waited for, not passed on; after all others
  std::shared_ptr<const core::NodeType> own_asset;  ///< an asset of scope node; no producer then
  std::shared_ptr<const core::Operator> own_op;     ///< of own_asset
  Mark mark;
};

/// An asset while its tube is compiled.
struct TubeAsset {
  const AssetSpec* spec = nullptr;
  std::shared_ptr<const core::NodeType> type;
  std::int32_t draft = kNone;       ///< kAsset; kNone with scope node
  std::int32_t end = kNone;         ///< kAssetEnd; of scope runner
  std::vector<std::int32_t> users;  ///< drafts that have an edge to it; once wired
};

/// A tube while it is compiled: the outermost one, or one nested in it.
struct TubeScope {
  const Spec* spec = nullptr;
  TubeScope* around = nullptr;  ///< the tube it is nested in
  std::string id;          ///< of its node, with the ids around it: "outer.inner"; "" outermost
  std::int32_t input = 0;  ///< draft that gives its inputs: the input node, or a kTube
  std::int32_t result = kNone;  ///< draft of its kTubeReturn; kNone outermost
  std::int32_t depth = 0;
  IdIndex index;  ///< node id -> draft
  std::unordered_map<std::string_view, std::int32_t> input_index;
  std::vector<core::Value> tube_values;  ///< by input; absent for process-scoped ones
  std::vector<TubeAsset> assets;         ///< as in its Spec
  NodeSpec no_return;                    ///< stands for a return that it does not have
};

/// A node before layout.
struct Draft {
  const NodeSpec* spec = nullptr;         ///< null for the input node
  TubeScope* scope = nullptr;             ///< where its names are looked up
  TubeScope* nested = nullptr;            ///< kTube, kTubeReturn: the tube it opens or closes
  const AssetSpec* asset_spec = nullptr;  ///< kAsset, kAssetEnd
  std::int32_t asset = kNone;             ///< kAssetEnd: its kAsset
  bool is_local = false, copies = false;
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
  std::vector<core::Value> defaults;  ///< kTube, by signal
  std::shared_ptr<const core::Operator> op;
  bool is_pure = false, is_kept = false;  ///< NodeReuse
  std::shared_ptr<const Policy> policy;
  core::Digest digest;
  bool broken = false;  ///< had a problem: not looked at by later steps
};

class PlanBuilder {
 public:
  PlanBuilder(std::shared_ptr<const Spec> spec, std::span<const Resolver* const> resolvers,
              const core::Value& tube_inputs)
      : owned_spec_(std::move(spec)), resolvers_(resolvers), tube_inputs_(tube_inputs) {}

  std::expected<std::shared_ptr<const Plan>, Diagnostics> build();

 private:
  // plan_compile.cc
  void report(Mark mark, std::string_view id, std::string message, std::string help = {});
  void report(Mark mark, const base::Error& error, std::string_view fallback_id);
  std::string full_id(const Draft& draft) const;
  void collect_inputs();
  void collect_nodes(TubeScope& scope);
  void resolve_type(Draft& draft);
  void resolve_enabled(Draft& draft, const NodeSpec& node);
  void refuse_params(const NodeSpec& node);
  void resolve_operator(Draft& draft);
  /// False when there is none (reported).
  bool find_type(Draft& draft);
  void resolve_gather(Draft& draft);
  /// Absent when a parameter refers to an input that is not there (reported).
  core::Value resolve_params(const NodeSpec& node);
  core::Value resolve_params(const std::string& owner, std::span<const ParameterValue> params);
  std::string nearest_input(std::string_view name) const;
  std::vector<std::string> input_names() const;
  const core::Value* tube_value(std::string_view name) const;

  // plan_policies.cc
  /// Of a node that calls nothing: it can have none.
  void refuse_policies(const NodeSpec& node);
  void take_policy(Draft& draft);
  void check_timeouts();

  // plan_nested.cc
  void add_nested(TubeScope& around, const NodeSpec& node);
  void use_as_result(TubeScope& scope, const NodeSpec& node);
  void open_nested(TubeScope& scope);
  void collect_nested_inputs(TubeScope& scope);
  void wire_opening(Draft& draft);
  void hold_back(Draft& draft);

  // plan_assets.cc
  void collect_assets(TubeScope& scope);
  core::Value asset_params(const AssetSpec& asset);
  std::shared_ptr<const core::NodeType> find_asset_type(const AssetSpec& asset);
  bool find_asset(const Draft& draft, const Dependency& dependency, DraftEdge& edge);
  void wire_assets();
  void wire_asset_end(const TubeAsset& asset);
  void check_asset_order(const TubeAsset& asset);
  void order_asset_users();
  std::vector<std::int32_t> users_of(std::int32_t asset) const;

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
  std::int32_t base_region(const Draft& draft) const;
  std::int32_t add_region(std::int32_t parent, std::int32_t map);

  // plan_reuse.cc
  /// Why results of a node cannot be kept; empty when they can.
  std::string reuse_obstacle(const Draft& draft) const;
  void resolve_reuse();
  void hash_recipes();
  void lay_out_reuse(std::span<const std::int32_t> order, std::span<const std::int32_t> new_index);

  // plan_layout.cc
  void lay_out();
  void lay_out_edges(std::span<const std::int32_t> order, std::span<const std::int32_t> new_index);
  static void append_shape(std::string& bytes, const Draft& draft);
  void hash_nodes();

  const std::shared_ptr<const Spec> owned_spec_;
  std::span<const Resolver* const> resolvers_;
  const core::Value& tube_inputs_;
  Diagnostics diagnostics_;
  std::vector<Draft> drafts_;
  std::vector<std::unique_ptr<TubeScope>> scopes_;  ///< the outermost first
  TubeScope* scope_ = nullptr;                      ///< of the part that is looked at
  /// Of nodes without parameters, by type: a million nodes may name ten types.
  std::unordered_map<std::string_view, std::shared_ptr<const core::NodeType>> shared_types_;
  std::vector<std::int32_t> topological_;  ///< drafts, producers first
  std::vector<Region> regions_;
  bool keeps_results_ = false;    ///< some node does
  std::vector<NodeReuse> reuse_;  ///< by draft, if so
  std::shared_ptr<Plan> plan_;
};

}  // namespace penstock::flow
