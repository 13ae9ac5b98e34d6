// Placement: which worker gets which task, and how many it may have at once.
#pragma once

#include <cstdint>
#include <vector>

#include "penstock/flow/plan.h"

namespace penstock::exec {

/// Pure arithmetic over what was sent and what came back. Owner thread only.
///
/// A worker may hold many tasks only while all of them together are expected to be short, and two
/// while they are not long: that hides the round trip, and never parks a task behind a long one
/// while another worker is idle.
class Placement {
 public:
  static constexpr std::int32_t kAny = -1;

  /// Stateful operators and those with a lifecycle are spread over the workers in plan order, each
  /// bound to one for good.
  Placement(const flow::Plan& plan, std::int32_t num_workers);

  /// The worker a node is bound to, or kAny.
  std::int32_t pinned(std::int32_t node) const { return pins_[static_cast<std::size_t>(node)]; }
  /// The nodes bound to `worker`.
  std::vector<std::int32_t> pinned_nodes(std::int32_t worker) const;

  bool has_room(std::int32_t worker, std::int32_t node) const;
  /// The worker with the least to do that has room for `node`, or kAny.
  std::int32_t choose(std::int32_t node) const;

  void sent(std::int32_t worker, std::int32_t node);
  /// `duration_ns` < 0: the call was not made.
  void finished(std::int32_t worker, std::int32_t node, std::int64_t duration_ns);
  /// All of the worker's tasks are gone.
  void lost(std::int32_t worker);

 private:
  struct Load {
    std::int32_t tasks = 0;
    std::int64_t expected_ns = 0;
    std::vector<std::int64_t> sent_ns;  ///< what each task was expected to take, oldest first
    std::size_t oldest = 0;             ///< index into sent_ns
  };

  std::int64_t expected(std::int32_t node) const {
    return estimates_ns_[static_cast<std::size_t>(node)];
  }

  std::vector<std::int32_t> pins_;          ///< by node
  std::vector<std::int64_t> estimates_ns_;  ///< by node: moving average
  std::vector<Load> loads_;                 ///< by worker
};

}  // namespace penstock::exec
