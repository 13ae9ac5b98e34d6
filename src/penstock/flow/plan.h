// Plan: a compiled Spec. Dense indices, resolved operators, static regions, ready to run.
//
// Immutable and thread-safe. Nodes of one region are contiguous, and within a region in topological
// order; so are their signals. What the words mean: docs/design/0002-run-rule.md.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/core/identity.h"
#include "penstock/core/operator.h"
#include "penstock/core/value.h"
#include "penstock/flow/diagnostic.h"
#include "penstock/flow/plan_reuse.h"
#include "penstock/flow/policy.h"
#include "penstock/flow/spec.h"

namespace penstock::flow {

/// Turns the `type:` of a node into a NodeType. One per language; tried in order.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// Null when the type is not this resolver's kind; an error when it is and cannot be had.
  virtual base::Result<std::unique_ptr<core::NodeType>> resolve(
      const NodeSpec& node, const core::Value& params) const = 0;
  /// The same for an asset; `params` is a map, or a list of positional ones. The type's operator is
  /// a core::Asset without inputs and with one signal.
  virtual base::Result<std::unique_ptr<core::NodeType>> resolve_asset(
      const AssetSpec& /*asset*/, const core::Value& /*params*/) const {
    return std::unique_ptr<core::NodeType>();
  }
  /// Names this resolver knows, for "did you mean".
  virtual std::vector<std::string> known_names() const { return {}; }
};

/// The native operators of a registry.
class RegistryResolver : public Resolver {
 public:
  explicit RegistryResolver(const core::Registry& registry) : registry_(registry) {}
  base::Result<std::unique_ptr<core::NodeType>> resolve(const NodeSpec& node,
                                                        const core::Value& params) const override;
  std::vector<std::string> known_names() const override;

 private:
  const core::Registry& registry_;
};

enum class NodeKind : std::uint8_t {
  kOperator,
  kMap,
  kGather,
  kReturn,
  kInput,
  kTube,        ///< opens a nested tube: gives on its inputs
  kTubeReturn,  ///< gives the nested tube's result to the tube around it
  kAsset,       ///< an operator that gives an object nodes share
  kAssetEnd,    ///< all who use a runner-scoped asset are done with it in this epoch
};

/// When a gather emits (tube.md, "gather").
enum class GatherMode : std::uint8_t { kClose, kCount, kTrigger };

inline constexpr std::int32_t kNone = -1;

/// An incoming edge, as the runner uses it.
struct InEdge {
  std::int32_t signal = kNone;  ///< global signal index; kNone = port not connected
  std::int32_t up = 0;          ///< regions between consumer and producer (broadcast downwards)
  bool required = true;
  bool collects = false;     ///< the producer lies in a deeper region, below `map`
  std::int32_t map = kNone;  ///< collecting edge: the map node (in the consumer's region)
};

/// Who waits for a signal.
struct Consumer {
  std::int32_t node = kNone;
  bool required = true;
};

/// Compressed rows: the items of row i are items[begin[i] .. begin[i + 1]).
template <class T>
struct Rows {
  std::vector<std::int32_t> begin;
  std::vector<T> items;

  std::span<const T> operator[](std::int32_t row) const {
    const auto first = static_cast<std::size_t>(begin[static_cast<std::size_t>(row)]);
    const auto last = static_cast<std::size_t>(begin[static_cast<std::size_t>(row) + 1]);
    return std::span(items).subspan(first, last - first);
  }
};

/// An asset of scope node, as one node that depends on it has it.
struct OwnAsset {
  std::int32_t input = 0;                    ///< among Plan::input_edges()
  std::shared_ptr<const core::Operator> op;  ///< a core::Asset
};

struct PlanNode {
  std::string id;
  std::string type;  ///< as written
  NodeKind kind = NodeKind::kOperator;
  std::int32_t region = 0;
  std::int32_t first_edge = 0, num_edges = 0;      ///< into Plan::in_edges()
  std::int32_t num_hidden = 0;                     ///< the last of them: waited for, not passed on
  std::int32_t first_signal = 0, num_signals = 0;  ///< into Plan::signal_names(); a map: only `n`
  std::int32_t map_value = kNone;                  ///< a map: its `value`, a signal of `child`
  std::int32_t child = kNone;                      ///< a map: the region of its elements
  bool enabled = true;
  bool stateful = false;  ///< runs in epoch order, in one place
  bool source = false;    ///< may exhaust
  bool needs_host = false;
  bool native = true;
  bool flatten = false;  ///< gather
  GatherMode gather_mode = GatherMode::kClose;
  std::int64_t gather_n = 0;              ///< gather by count with a fixed n
  DependsForm form = DependsForm::kNone;  ///< return, kTubeReturn
  std::vector<core::Value> defaults;      ///< kTube: what a signal is without its edge
  bool is_local = false;  ///< runs on the runner's own thread: what it uses cannot be elsewhere
  bool is_kept = false;   ///< an operator whose results are kept and used again (plan_reuse.h)
  Scope asset_scope = Scope::kRunner;        ///< kAsset
  std::int32_t asset = kNone;                ///< kAssetEnd: its kAsset
  bool copies = false;                       ///< kAssetEnd: others see the value it is updated with
  std::vector<OwnAsset> own_assets;          ///< of scope node: made for each call
  std::vector<core::Binding> bindings;       ///< per in-edge
  std::shared_ptr<const core::Operator> op;  ///< kOperator only
  std::shared_ptr<const Policy> policy;      ///< null for most: what the loop need not look at
  Mark mark;
};

/// Nodes that run together once per activation: the root, or the body of one map.
struct Region {
  std::int32_t parent = kNone;
  std::int32_t map = kNone;  ///< the map node (in `parent`) whose elements this region runs for
  std::int32_t depth = 0;
  std::int32_t first_node = 0, num_nodes = 0;
  std::int32_t first_signal = 0, num_signals = 0;  ///< the map's `value` comes first
  std::vector<std::int32_t> children;              ///< regions of the maps in this one
  std::int32_t ordinal = 0;                        ///< position among the parent's children
};

struct PlanInput {
  std::string id;
  Scope scope;
  bool required;
  core::Value default_value;
  std::int32_t signal;  ///< kNone when nothing reads it
};

class Plan {
 public:
  /// Compiles `spec`. `inputs`: values for tube-scoped inputs (a map; unknown names are ignored
  /// with a warning by the caller). All problems at once: unknown node, signal, slot, input, type
  /// or parameter (with the nearest name), duplicate slot, cycle (named in order), cross-map
  /// dependency, wrong arity, more than one return. Links it first (spec_link.h), if need be.
  static std::expected<std::shared_ptr<const Plan>, Diagnostics> compile(
      std::shared_ptr<const Spec> spec, std::span<const Resolver* const> resolvers,
      const core::Value& tube_inputs = {});
  /// The same for a copy of `spec`.
  static std::expected<std::shared_ptr<const Plan>, Diagnostics> compile(
      const Spec& spec, std::span<const Resolver* const> resolvers,
      const core::Value& tube_inputs = {});

  const Spec& spec() const { return *spec_; }
  std::span<const PlanNode> nodes() const { return nodes_; }
  std::span<const InEdge> in_edges() const { return in_edges_; }
  std::span<const InEdge> in_edges(const PlanNode& node) const {
    return std::span(in_edges_).subspan(static_cast<std::size_t>(node.first_edge),
                                        static_cast<std::size_t>(node.num_edges));
  }
  /// Those whose values the node gets.
  std::span<const InEdge> input_edges(const PlanNode& node) const {
    return in_edges(node).first(static_cast<std::size_t>(node.num_edges - node.num_hidden));
  }
  std::span<const Region> regions() const { return regions_; }
  std::span<const std::string> signal_names() const { return signal_names_; }
  std::int32_t producer(std::int32_t signal) const {
    return signal_producer_[static_cast<std::size_t>(signal)];
  }
  /// The region a signal lies in.
  std::int32_t signal_region(std::int32_t signal) const;
  /// By signal: consumers in the same region / in deeper regions (broadcast).
  const Rows<Consumer>& local_consumers() const { return local_consumers_; }
  const Rows<Consumer>& remote_consumers() const { return remote_consumers_; }
  std::span<const PlanInput> inputs() const { return inputs_; }
  /// The virtual node that owns the input signals; always node 0.
  static constexpr std::int32_t kInputNode = 0;
  std::int32_t return_node() const { return return_node_; }  ///< kNone when there is none
  bool has_source() const { return has_source_; }
  bool needs_host() const { return needs_host_; }
  bool has_policies() const { return has_policies_; }  ///< some node has a Policy
  /// Index of the node with this id, or kNone.
  std::int32_t find_node(std::string_view id) const;
  /// Values of the tube-scoped inputs, by input index; absent for process-scoped ones.
  std::span<const core::Value> tube_values() const { return tube_values_; }

  /// Identity of what the plan computes: operators, parameters, wiring; not names of files,
  /// comments, formatting or node order, nor policies, which say how and where.
  const core::Digest& digest() const { return digest_; }

  /// Null when no node keeps its results.
  const PlanReuse* reuse() const { return reuse_.get(); }

 private:
  friend class PlanBuilder;
  friend class PlanReducer;
  Plan() = default;
  Plan(const Plan&) = default;
  /// Fills the consumers from the edges.
  void index_consumers();

  std::shared_ptr<const Spec> spec_;
  std::vector<PlanNode> nodes_;
  std::vector<InEdge> in_edges_;
  std::vector<Region> regions_;
  std::vector<std::string> signal_names_;
  std::vector<std::int32_t> signal_producer_;
  std::vector<PlanInput> inputs_;
  std::vector<core::Value> tube_values_;
  Rows<Consumer> local_consumers_, remote_consumers_;
  std::int32_t return_node_ = kNone;
  bool has_source_ = false, needs_host_ = false, has_policies_ = false;
  core::Digest digest_;
  std::shared_ptr<const PlanReuse> reuse_;
};

}  // namespace penstock::flow
