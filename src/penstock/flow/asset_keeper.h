// AssetKeeper: makes the assets of a run and lets go of them, in reverse order. Internal to flow.
//
// Owner thread only (the runner's), like the nodes that use them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/core/value.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/run_state.h"

namespace penstock::flow {

class AssetKeeper {
 public:
  /// Makes those of scope runner. On an error those that were made are let go of again.
  base::Status start(const Plan& plan, const RunState& state);
  /// Lets go of those of scope runner. The first error.
  base::Status stop();

  /// `task` has made an asset of scope process or given the one of the run.
  void keep(const Plan& plan, const Scheduler& scheduler, const Task& task);
  /// Lets go of those of scope process that belong to a root epoch. The first error.
  base::Status release(std::int64_t root_epoch);
  /// The same for all epochs, of a run whose epochs cannot be closed any more.
  base::Status release_all();

  /// All nodes are done with the asset of a kAssetEnd in this epoch: the next epoch may have it,
  /// replaced by what it depends on, if that was there.
  base::Status end_use(const Plan& plan, const RunState& state, const Task& task);

 private:
  struct Made {
    std::int64_t root_epoch;
    const core::Asset* asset;
    core::Value object;
  };
  std::vector<std::pair<const core::Asset*, core::State*>> started_;
  std::vector<Made> made_;
};

}  // namespace penstock::flow
