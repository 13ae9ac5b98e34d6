// Structural nodes: what map, gather and return do with values. Pure but for the gathers' memory.
// Rules: docs/design/0002-run-rule.md, sections 4 and 5. Owner thread only. Internal to flow.
#pragma once

#include <cstdint>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/scheduler.h"

namespace penstock::flow {

/// The elements of a map's input. kInvalidArgument (PS0404) when it is no sized sequence.
base::Result<std::vector<core::Value>> elements_of(const core::Value& value);

/// The result a return gives for this epoch; absent when none of its edges has a value.
core::Value build_result(const Plan& plan, const Scheduler& scheduler, const Task& task);

/// Gives on what a nested tube's inputs are / what its result is, signal by signal.
void open_tube(const Plan& plan, const Scheduler& scheduler, const Task& task);
void close_tube(const Plan& plan, const Scheduler& scheduler, const Task& task);

/// Holds what the gathers of one run have collected.
class Gathers {
 public:
  explicit Gathers(const Plan& plan) : held_(plan.nodes().size()) {}

  /// What the gather emits now; absent for no event.
  base::Result<core::Value> run(const Plan& plan, const Scheduler& scheduler, const Task& task);

 private:
  std::vector<std::vector<core::Value>> held_;
};

}  // namespace penstock::flow
