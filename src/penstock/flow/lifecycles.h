// Lifecycles: starting and stopping the nodes that want to know of a run's beginning and end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/flow/executor.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

/// True for a node that is started when it is enabled: it has a core::Lifecycle.
bool has_lifecycle(const PlanNode& node);

/// The nodes of one process. Owner thread only. Takes the host lock itself.
class Lifecycles {
 public:
  /// `access` outlives it; `runner` is what nodes are told.
  Lifecycles(const TaskAccess& access, std::string runner);

  /// PS0411 with the node's id.
  base::Status start(std::int32_t node);
  /// PS0412. Does nothing for a node that was not started.
  base::Status stop(std::int32_t node);

  /// In plan order; when one fails, those before it are stopped in reverse order.
  base::Status start_all();
  /// The same for those that run on the runner's own thread only.
  base::Status start_local();
  /// In reverse order of start(), each of them; the first error.
  base::Status stop_all();

 private:
  base::Status start_those(bool only_local);
  base::Status call(std::int32_t node, bool is_start);

  const TaskAccess& access_;
  const std::string runner_;
  core::Value inputs_;
  std::vector<std::int32_t> started_;
};

}  // namespace penstock::flow
