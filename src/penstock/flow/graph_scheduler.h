// GraphScheduler: the countdown of the run's scheduler over a plain graph, without values, epochs
// and maps: for programs that run their nodes themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "penstock/flow/countdown.h"

namespace penstock::flow {

/// Owner thread only. Nodes are 0 .. num_nodes - 1. A pass over V nodes and E edges costs O(V + E).
class GraphScheduler {
 public:
  static constexpr std::size_t kMaxNodes = std::size_t{1} << 28;

  /// What stands in the way of complete().
  enum class Refusal : std::uint8_t { kNone, kCompleted, kWaiting };

  /// `node` waits for `predecessor`.
  struct Edge {
    std::int32_t node, predecessor;
  };

  /// An empty graph.
  GraphScheduler() : GraphScheduler(0, {}) {}
  /// At most kMaxNodes nodes, and as many edges. An edge may be given more than once.
  GraphScheduler(std::size_t num_nodes, std::span<const Edge> edges);

  /// Nodes that wait for each other, each for the one before it and the first for the last; empty
  /// when there are none. `edges`: as given. O(V + E); the pass starts anew.
  std::vector<std::int32_t> find_cycle(std::span<const Edge> edges);

  /// Calls visit(node) for ready nodes, at most `limit` of them, first in, first out. Each is given
  /// once.
  template <class Visit>
  void take(std::size_t limit, Visit&& visit) {
    for (; limit > 0 && head_ < num_ready_; ++head_) {
      const std::int32_t node = ready_[head_];
      std::uint32_t& left = remaining_[static_cast<std::size_t>(node)];
      if (left == 0) {  // else it was completed before anybody took it
        left = Countdown::kPassed;
        visit(node);
        --limit;
      }
    }
  }
  /// The node is done. It must be ready, taken or not. What becomes ready by it is added to
  /// ready().
  Refusal complete(std::int32_t node) {
    const std::uint32_t left = remaining_[static_cast<std::size_t>(node)];
    if ((left & ~Countdown::kPassed) != 0) [[unlikely]] {
      return (left & Countdown::kResolved) != 0 ? Refusal::kCompleted : Refusal::kWaiting;
    }
    remaining_[static_cast<std::size_t>(node)] = Countdown::kResolved;
    --num_left_;
    const auto first = static_cast<std::size_t>(consumer_begin_[static_cast<std::size_t>(node)]);
    const auto last = static_cast<std::size_t>(consumer_begin_[static_cast<std::size_t>(node) + 1]);
    Countdown::resolve(remaining_.data(), std::span(consumers_).subspan(first, last - first), true,
                       [this](std::uint32_t consumer, std::uint32_t missing) {
                         // Without a branch: nothing foretells which edge is a node's last one.
                         ready_[num_ready_] = static_cast<std::int32_t>(consumer);
                         num_ready_ += missing == 0 ? 1 : 0;
                       });
    return Refusal::kNone;
  }
  /// All that became ready in this pass, each once, in the order it did.
  std::span<const std::int32_t> ready() const { return std::span(ready_).first(num_ready_); }
  /// Ready and not yet looked at by take().
  std::size_t num_untaken() const { return num_ready_ - head_; }
  bool is_completed(std::int32_t node) const {
    return remaining_[static_cast<std::size_t>(node)] == Countdown::kResolved;
  }

  /// Back to the start: nothing taken, nothing completed.
  void reset();
  /// Every node is completed.
  bool is_complete() const { return num_left_ == 0; }
  std::size_t num_nodes() const { return initial_.size(); }
  /// How many edges `node` still waits for.
  std::uint32_t num_missing(std::int32_t node) const {
    return remaining_[static_cast<std::size_t>(node)] & Countdown::kCount;
  }

 private:
  // Constant after construction.
  std::vector<std::int32_t> consumer_begin_;
  std::vector<std::uint32_t> consumers_;  ///< node << 1 | required, as Countdown has them
  std::vector<std::uint32_t> initial_;    ///< `remaining_` at the start
  std::size_t num_sources_ = 0;           ///< nodes that wait for nothing: the first of `ready_`
  // The pass.
  std::vector<std::uint32_t> remaining_;
  std::vector<std::int32_t> ready_;  ///< room for all nodes and one more
  std::size_t num_ready_ = 0;        ///< of them, used
  std::size_t head_ = 0;             ///< of them, looked at by take()
  std::size_t num_left_ = 0;
};

}  // namespace penstock::flow
