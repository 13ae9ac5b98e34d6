// PlanReuse: what reuse by content needs to know of a plan. Decision: docs/design/0022.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "penstock/core/identity.h"
#include "penstock/core/operator.h"
#include "penstock/flow/files_seen.h"

namespace penstock::flow {

struct NodeReuse {
  bool is_pure = false;   ///< the same inputs give the same outputs, and nothing else happens
  bool is_kept = false;   ///< an operator whose results are kept; pure then
  bool is_given = false;  ///< its results stand in the plan (reduce_plan): it is not called
  /// Of what the node computes: its type, its parameters, the code of a function, how its inputs
  /// are bound; not its id, nor what feeds it.
  core::Digest recipe;
  std::vector<core::Part> parts;       ///< kept: what the recipe covers, to say what has changed
  std::vector<core::FileInput> files;  ///< pure: what it reads
  /// reduce_plan: of the recipe, all recipes above it, and the inputs of the run.
  std::optional<core::Digest> lineage;
};

/// Keys of the calls that a recorded run kept, by node and path.
using KeptCalls = std::map<std::pair<std::int32_t, std::vector<std::int64_t>>, core::Digest>;

/// Immutable, as the plan it belongs to.
struct PlanReuse {
  std::vector<NodeReuse> nodes;     ///< by plan node
  std::vector<std::int32_t> order;  ///< all nodes, producers first
  FilesSeen files;                  ///< reduce_plan: those that lineages cover
};

}  // namespace penstock::flow
