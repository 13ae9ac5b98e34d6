// Activations: the run state of one region in one (sub-)epoch, in recycled slabs. Internal to flow.
//
// A slab holds the activations of all elements of one map run side by side: headers, countdowns,
// values. Slabs are reset and reused, never cloned or freed while the run goes on, so a million
// epochs allocate nothing. Owner thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "penstock/core/value.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

struct Expansion;

struct Activation {
  Activation* parent;  ///< null for a root epoch
  Activation* root;
  std::uint32_t* remaining;  ///< per node of the region, and uses of values: see Scheduler
  core::Value* values;       ///< per signal of the region
  Expansion* expansions;     ///< per child region
  std::int64_t epoch;        ///< root epoch
  std::int32_t region;
  std::int32_t index;  ///< element of the parent's map
  std::int32_t open;   ///< nodes and child expansions not yet resolved
  bool failed;         ///< of a root: no further node of the epoch is run
};

struct Slab;

/// The elements of one map in one activation of the map's region.
struct Expansion {
  enum class State : std::uint8_t { kWaiting, kOpen, kRan, kNotRan };

  Slab* slab;
  Activation* children;
  std::uint8_t* turns;    ///< per stateful node below: its turn came while this was waiting
  std::int32_t* pending;  ///< per collected signal below: children where it is not resolved
  std::int32_t count;
  std::int32_t open;  ///< children not yet closed
  State state;
};

struct Slab {
  std::int32_t region = 0;
  std::int32_t capacity = 0;
  std::vector<Activation> activations;
  std::vector<std::uint32_t> remaining;
  std::vector<core::Value> values;
  std::vector<Expansion> expansions;
  std::vector<std::uint8_t> turns;
  std::vector<std::int32_t> pending;
};

/// Sizes of the arrays an Expansion and the activations of a region carry.
struct ExpansionSizes {
  std::int32_t turns = 0;    ///< stateful nodes in the region or deeper
  std::int32_t pending = 0;  ///< signals collected from the region or from deeper
  std::int32_t extra = 0;    ///< entries of Activation::remaining beyond one per node
};

/// Hands out slabs by region and takes them back.
class ActivationPool {
 public:
  /// `sizes`: by region.
  ActivationPool(const Plan& plan, std::vector<ExpansionSizes> sizes);

  /// `count` activations of `region` under `parent` (null: a root epoch), values absent, expansions
  /// waiting, `remaining` uninitialised, `open` not set.
  Slab* take(std::int32_t region, std::int32_t count, Activation* parent, std::int64_t epoch);

  /// Gives back `slab` and everything expanded below its first `count` activations.
  void give_back(Slab* slab, std::int32_t count);

 private:
  const Plan& plan_;
  std::vector<ExpansionSizes> sizes_;
  std::vector<std::unique_ptr<Slab>> owned_;
  std::vector<std::vector<Slab*>> free_;  ///< by region
};

}  // namespace penstock::flow
