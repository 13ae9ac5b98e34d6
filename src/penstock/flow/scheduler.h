// Scheduler: a pure state machine over a Plan. "These outputs arrived" in, "these nodes are ready"
// out. No threads, no clock, no I/O; the rules are those of docs/design/0002-run-rule.md.
//
// Each node instance has a countdown of unresolved in-edges, one more when it is stateful (its turn
// in epoch order), and a mark when a required edge resolved absent. At zero it is ready, or, when
// marked, skipped: its signals resolve absent. One decrement per edge, so an epoch costs O(V + E).
// Owner thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "penstock/core/value.h"
#include "penstock/flow/activation.h"
#include "penstock/flow/countdown.h"
#include "penstock/flow/executor.h"
#include "penstock/flow/plan.h"

namespace penstock::flow {

/// A node of the root region that is called with one line of bookkeeping: an operator with one
/// signal whose edges, in and out, stay in the region. 32 bytes.
struct FastNode {
  const core::Operator* op = nullptr;
  std::int32_t first_edge = 0;  ///< into Scheduler::fast_edges()
  std::uint16_t num_edges = 0;
  bool is_eligible : 1 = false;  ///< may ever be called this way
  bool is_straight : 1 = false;  ///< see Scheduler::straight()
  bool is_tiny = false;          ///< known to take less than a hand-over; see set_tiny()
  std::int32_t signal = 0;       ///< index among the root's values
  std::int32_t first_consumer = 0;
  std::int32_t num_consumers = 0;
};
static_assert(sizeof(FastNode) == 32);

/// A FastNode as straight() lists it: what a call needs in 24 bytes, because a large plan is read
/// from memory once per epoch.
struct StraightStep {
  const core::Operator* op;
  std::int32_t node;
  std::int32_t signal;
  std::int32_t edge;  ///< of one edge: its signal; of more: FastNode::first_edge
  std::uint16_t num_edges;
};
static_assert(sizeof(StraightStep) == 24);

/// False for an absent value and for one that lies in the Value itself.
inline bool is_on_heap(const core::Value& value) {
  return value.kind() >= core::Kind::kText;
}
/// True when letting go of `value` early may be worth it.
bool may_be_large(const core::Value& value);

class Scheduler {
 public:
  /// `shuffle`: take ready nodes in a random order from this seed; else first in, first out.
  explicit Scheduler(const Plan& plan, std::optional<std::uint64_t> shuffle = {});

  /// Opens the next root epoch; `inputs`: one value per Plan::inputs(). Returns its number.
  std::int64_t begin_epoch(std::span<const core::Value> inputs);

  /// True when the next epoch may open: every source has been advanced in the one before, and the
  /// end was not reached. (process() may open one regardless.)
  bool can_begin_epoch() const;
  /// True when no target of the run can ever run again.
  bool is_finished() const { return finished_; }
  std::int64_t next_epoch() const { return next_epoch_; }
  /// Turns a node on or off from the next epoch on. No epoch may be open. O(nodes).
  void set_enabled(std::int32_t node, bool enabled);
  bool is_enabled(std::int32_t node) const { return enabled_[static_cast<std::size_t>(node)]; }
  std::size_t num_open_epochs() const { return roots_.size(); }

  /// Takes a ready node. False when nothing is ready now.
  bool pop(Task& task) {
    if (head_ == tail_) [[unlikely]] {
      return false;
    }
    if (random_.has_value()) [[unlikely]] {
      shuffle_head();
    }
    // Field by field: a 16-byte load of what push() has just stored in two parts would wait for the
    // stores to leave the store buffer (7 ns per node of a chain).
    const Task& next = ring_[head_++ & mask_];
    task.node = next.node;
    task.activation = next.activation;
    return true;
  }
  std::size_t num_ready() const { return tail_ - head_; }

  /// The task's outputs are written. Skips whatever cannot run any more.
  void complete(const Task& task) {
    finish(static_cast<Activation*>(task.activation), task.node, false);
    if (!skips_.empty()) [[unlikely]] {
      drain_skips();
    }
  }
  /// The task is with an executor that keeps its node's calls in order: the node's next epoch may
  /// follow it there. Not for sources: whether they have ended must be known first.
  void pass_turn_on(const Task& task);
  /// The fast face of a node; see FastNode.
  const FastNode& fast(std::int32_t node) const { return fast_[static_cast<std::size_t>(node)]; }
  /// What has been learned of how long a node's calls take.
  void set_tiny(std::int32_t node, bool is_tiny) {
    FastNode& fast = fast_[static_cast<std::size_t>(node)];
    if (fast.is_straight) {
      num_tiny_straight_ +=
          static_cast<std::size_t>(is_tiny) - static_cast<std::size_t>(fast.is_tiny);
    }
    fast.is_tiny = is_tiny && fast.is_eligible;
  }
  /// Indices among the root's values, by FastNode::first_edge.
  const std::int32_t* fast_edges() const { return fast_edges_.data(); }
  /// True once a value was seen that may be large: from then on each is let go of when the last
  /// node that uses it is done, and complete_fast() and straight() do not hold.
  bool releases() const { return releases_; }
  /// complete() of an eligible node that gave no heap object.
  void complete_fast(Activation* root, std::int32_t node, const FastNode& fast) {
    std::uint32_t* remaining = root->remaining;
    remaining[node] = kResolved;  // the root region's nodes come first: global is local
    const std::span<const std::uint32_t> consumers(consumers_.data() + fast.first_consumer,
                                                   static_cast<std::size_t>(fast.num_consumers));
    Countdown::resolve(remaining, consumers, !root->values[fast.signal].is_absent(),
                       [&](std::uint32_t local, std::uint32_t left) {
                         if (left == 0) {
                           push(root, static_cast<std::int32_t>(local));
                         } else if (Countdown::is_over(left)) [[unlikely]] {
                           skips_.emplace_back(root, static_cast<std::int32_t>(local));
                         }
                       });
    if (--root->open == 0) [[unlikely]] {
      close(root);
    }
    if (!skips_.empty()) [[unlikely]] {
      drain_skips();
    }
  }
  /// The nodes an epoch begins with, in the order they become ready (first in, first out), up to
  /// the first that is no FastNode. While each gives its signal they may be called in this order
  /// without countdowns: catch_up() then says how far that went. Empty when the order is shuffled
  /// or a node is stateful or disabled.
  std::span<const StraightStep> straight() const { return straight_.steps; }
  /// The epoch to call straight() on: the only open one, nothing of it taken yet, all steps tiny.
  /// Null when there is none.
  Activation* straight_root() const {
    return roots_.size() == 1 && head_ == untouched_head_ && !releases_ &&
                   num_tiny_straight_ == straight_.steps.size() && num_tiny_straight_ != 0
               ? roots_.front().first
               : nullptr;
  }
  /// The first `count` nodes of straight() have been called and each gave its signal.
  void catch_up(Activation* root, std::size_t count);
  /// The task's map ran over `elements`.
  void complete_map(const Task& task, std::vector<core::Value> elements);
  /// A source ended: absent now and from now on.
  void complete_exhausted(const Task& task);
  /// The task is dropped, all its signals absent (its node failed, or its epoch did).
  void complete_absent(const Task& task);
  /// No further node of the task's root epoch is run; it closes when the tasks that are out are
  /// back.
  void fail_epoch(const Task& task);
  /// True when the task's root epoch has failed: complete_absent() it instead of running it.
  bool is_failed(const Task& task) const {
    return static_cast<const Activation*>(task.activation)->root->failed;
  }

  /// The oldest root epoch that has closed, not yet recycled; null if none. Epochs close in any
  /// order and are handed out in any order.
  Activation* pop_closed();
  /// Done with a closed epoch's values.
  void recycle(Activation* root);

  /// Values that a collecting edge sees: (index in the closing map, value), present ones only.
  std::vector<std::pair<std::int32_t, core::Value>> collect(const Activation& activation,
                                                            const InEdge& edge) const;
  /// The value of an ordinary edge; absent when there is none.
  const core::Value& input(const Activation& activation, const InEdge& edge) const;
  std::span<core::Value> outputs(const Task& task) const;
  void path_of(const Activation& activation, std::vector<std::int64_t>& path) const;

  /// Calls `visit` for the root activation of every open epoch, oldest first.
  template <class Visit>
  void for_each_open(Visit visit) {
    for (auto& [root, slab] : roots_) {
      visit(*root);
    }
  }

  /// How often node instances were skipped, by node.
  std::span<const std::int64_t> skipped() const { return skipped_; }
  /// How many activations of a region have been opened: instances of each of its nodes.
  std::int64_t num_activations(std::int32_t region) const {
    return num_activations_[static_cast<std::size_t>(region)];
  }
  /// Nodes of open epochs that are neither resolved nor ready, with their countdowns: what a run
  /// that makes no progress waits for. At most `limit`.
  std::vector<std::pair<std::int32_t, std::int64_t>> blocked(std::size_t limit) const;

 private:
  static constexpr std::uint32_t kMissing = Countdown::kMissing;
  static constexpr std::uint32_t kResolved = Countdown::kResolved;
  static constexpr std::uint32_t kPassed = Countdown::kPassed;
  static constexpr std::uint32_t kCount = Countdown::kCount;
  static constexpr std::size_t kTouched = static_cast<std::size_t>(-1);

  /// What finish() needs of a node, in one half cache line.
  struct HotNode {
    std::int32_t first_signal;  ///< global
    std::int32_t first_node;    ///< of the region: global minus this is the local index
    std::int32_t signal_base;   ///< of the region
    std::int32_t turn;          ///< ordinal among stateful nodes, or kNone
    std::int32_t child;         ///< a map's region, or kNone
    std::uint16_t num_signals;
    bool has_remote;    ///< a signal is read in a deeper region
    bool is_collected;  ///< a signal is collected in a region further out
  };
  /// A signal that consumers further out collect: they wait until it is resolved in every epoch
  /// of the region `path.front()` opens.
  struct Collected {
    std::int32_t signal;
    std::vector<std::int32_t> path;   ///< regions from the closing map's to the signal's
    std::vector<std::int32_t> slots;  ///< per path entry: index among the signals collected there
    std::vector<Consumer> consumers;
  };
  /// See straight(), and the state of the root region after the last of its nodes.
  struct Straight {
    std::vector<StraightStep> steps;
    std::vector<std::uint32_t> remaining;
    std::vector<std::int32_t> ready;
  };
  /// A signal of the node's own region that the node reads.
  struct Use {
    std::int32_t slot;   ///< in Activation::remaining: how many have not read it yet
    std::int32_t value;  ///< in Activation::values
  };
  struct RemoteEdge {
    std::int32_t local_node, signal, up;
    bool required;
  };
  struct Stateful {
    std::int32_t node;
    std::vector<std::int32_t> path;  ///< regions from the root to the node's
    std::vector<std::int32_t>
        slots;  ///< per path entry: ordinal among the stateful below that region
    std::int64_t epochs_done = 0;
  };

  void build_hot_nodes();
  void build_fast();
  void build_templates();
  void build_straight();
  void build_stateful();
  void build_collected();
  void push(Activation* activation, std::int32_t node) {
    if (tail_ - head_ == ring_.size()) [[unlikely]] {
      grow_ring();
    }
    ring_[tail_++ & mask_] = {node, activation};
  }
  void grow_ring();
  void shuffle_head();
  void finish(Activation* activation, std::int32_t node, bool skipped);
  void finish_slow(Activation* activation, std::int32_t node, bool skipped, bool passed);
  void finish_remote(Activation* activation, std::int32_t signal, bool present);
  void settle(Activation* activation, std::int32_t node, std::uint32_t remaining);
  void resolve_edge(Activation* activation, std::int32_t node, bool missing);
  void drain_skips();
  void close(Activation* activation);
  void close_expansion(Activation* activation, std::int32_t child_region, bool ran);
  void collect_nothing(Activation* activation, std::int32_t child_region, bool ran);
  void collected_below(const Collected& entry, Activation* activation, std::size_t level);
  void start(Activation* activation, std::span<const std::uint32_t> remaining,
             std::span<const std::int32_t> settled);
  void pass_turn(std::int32_t stateful, Activation* activation, bool done);
  void release_turns(Activation* activation, std::int32_t child_region);
  Activation* find_root(std::int64_t epoch) const;
  void update_finished();
  void update_template(std::int32_t node);
  void build_uses();
  void place_uses(std::int32_t region_index);
  void count_uses(Activation* activation, std::int32_t node);
  void release_inputs(Activation* activation, std::int32_t node);

  const Plan& plan_;
  // Constant after construction.
  std::vector<HotNode> hot_;
  std::vector<FastNode> fast_;  ///< of the root region; is_tiny is learned
  std::vector<std::int32_t> fast_edges_;
  Straight straight_;
  std::vector<std::int32_t> consumer_begin_;           ///< per signal, into consumers_
  std::vector<std::uint32_t> consumers_;               ///< local node << 1 | required
  std::vector<std::vector<RemoteEdge>> remote_edges_;  ///< per region: edges from above
  std::vector<std::vector<std::int32_t>> stateful_below_;
  std::vector<Collected> collected_;
  std::vector<std::vector<std::int32_t>>
      collected_below_;  ///< per region: entries whose path has it
  std::vector<std::vector<std::int32_t>> collected_signals_;  ///< per signal: its entries
  std::vector<std::int32_t> use_slots_;  ///< per signal; kNone: kept until its epoch closes
  std::vector<std::uint32_t> num_uses_;  ///< per signal
  std::vector<std::int32_t> use_begin_;  ///< per node, into uses_
  std::vector<Use> uses_;
  std::vector<std::int32_t> extra_slots_;  ///< per region
  // Changes when a source ends, or a node is turned on or off.
  std::vector<std::vector<std::uint32_t>> templates_;  ///< per region: countdowns at the start
  std::vector<std::vector<std::int32_t>>
      settled_;  ///< per region: local nodes that wait for nothing
  std::vector<std::int64_t> num_activations_;
  std::vector<bool> exhausted_;
  std::vector<bool> enabled_;  ///< by node
  std::vector<bool> counts_;   ///< by node: has been enabled, so the end of a run asks for it
  bool finished_ = false;
  // The run.
  bool releases_ = false;
  std::optional<std::mt19937_64> random_;
  std::vector<Stateful> stateful_;
  std::optional<ActivationPool> pool_;
  std::vector<Task> ring_;  ///< power of two; [head_, tail_) are ready
  std::size_t head_ = 0, tail_ = 0, mask_ = 0;
  std::size_t num_tiny_straight_ = 0;
  std::size_t untouched_head_ = kTouched;  ///< head_ when the newest epoch began
  std::vector<std::pair<Activation*, std::int32_t>> skips_;
  std::deque<std::pair<Activation*, Slab*>> roots_;  ///< open or closed, not recycled; by epoch
  std::deque<Activation*> closed_;
  std::int64_t next_epoch_ = 0;
  std::vector<std::uint32_t> scratch_;
  std::vector<std::int32_t> settled_scratch_;
  std::vector<std::int64_t> skipped_;
};

}  // namespace penstock::flow
