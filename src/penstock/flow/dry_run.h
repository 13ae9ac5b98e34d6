// DryRun: an epoch in which nothing is called, to see what would be. Internal to flow.
//
// The loop is the run's own. A call whose result is not known gives a marker in its place, which
// passes maps and gathers as one element; whatever depends on it cannot be known either.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "penstock/flow/executor.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/run_state.h"
#include "penstock/flow/runner.h"

namespace penstock::flow {

class DryRun {
 public:
  /// True for the marker, and for a list with it inside.
  static bool is_unknown(const core::Value& value);
  static const core::Value& unknown();

  /// Nodes whose results decide what `task` depends on; empty when its inputs are known.
  static std::vector<std::int32_t> unknown_producers(const RunState& state, const Task& task);

  void add(PlannedCall call) { calls_.push_back(std::move(call)); }
  std::vector<PlannedCall> take() { return std::move(calls_); }

 private:
  std::vector<PlannedCall> calls_;
};

}  // namespace penstock::flow
