#include "penstock/flow/scheduler.h"

#include <algorithm>

namespace penstock::flow {

void Scheduler::grow_ring() {
  std::vector<Task> bigger(ring_.size() * 2);
  const std::size_t count = tail_ - head_;
  for (std::size_t i = 0; i < count; ++i) {
    bigger[i] = ring_[(head_ + i) & mask_];
  }
  ring_ = std::move(bigger);
  mask_ = ring_.size() - 1;
  head_ = 0;
  tail_ = count;
  untouched_head_ = kTouched;
}

void Scheduler::shuffle_head() {
  const std::size_t other = head_ + (*random_)() % (tail_ - head_);
  std::swap(ring_[head_ & mask_], ring_[other & mask_]);
}

inline void Scheduler::settle(Activation* activation, std::int32_t node, std::uint32_t remaining) {
  if (remaining == 0) {
    push(activation, node);
  } else {
    skips_.emplace_back(activation, node);
  }
}

void Scheduler::resolve_edge(Activation* activation, std::int32_t node, bool missing) {
  const std::int32_t first = hot_[static_cast<std::size_t>(node)].first_node;
  const std::uint32_t left = Countdown::arrive(
      activation->remaining, static_cast<std::uint32_t>(node - first), missing ? kMissing : 0U);
  if (Countdown::is_over(left)) {
    settle(activation, node, left);
  }
}

void Scheduler::finish(Activation* activation, std::int32_t node, bool skipped) {
  const HotNode& hot = hot_[static_cast<std::size_t>(node)];
  std::uint32_t* remaining = activation->remaining;
  const bool passed = (remaining[node - hot.first_node] & kPassed) != 0;
  remaining[node - hot.first_node] = kResolved;
  bool any_on_heap = false;
  for (std::int32_t s = hot.first_signal; s < hot.first_signal + hot.num_signals; ++s) {
    const core::Value& value = activation->values[s - hot.signal_base];
    const bool present = !value.is_absent();
    any_on_heap |= is_on_heap(value);
    const auto first = static_cast<std::size_t>(consumer_begin_[static_cast<std::size_t>(s)]);
    const auto last = static_cast<std::size_t>(consumer_begin_[static_cast<std::size_t>(s) + 1]);
    Countdown::resolve(remaining, std::span(consumers_).subspan(first, last - first), present,
                       [&](std::uint32_t local, std::uint32_t left) {
                         if (Countdown::is_over(left)) {
                           settle(activation, static_cast<std::int32_t>(local) + hot.first_node,
                                  left);
                         }
                       });
  }
  if (hot.has_remote || hot.is_collected || hot.turn != kNone || hot.child != kNone) [[unlikely]] {
    finish_slow(activation, node, skipped, passed);
  }
  if (any_on_heap) {
    count_uses(activation, node);
  }
  if (releases_) {
    release_inputs(activation, node);
  }
  if (--activation->open == 0) {
    close(activation);
  }
}

void Scheduler::finish_slow(Activation* activation, std::int32_t node, bool skipped, bool passed) {
  const HotNode& hot = hot_[static_cast<std::size_t>(node)];
  if (hot.has_remote) {
    for (std::int32_t s = hot.first_signal; s < hot.first_signal + hot.num_signals; ++s) {
      finish_remote(activation, s, !activation->values[s - hot.signal_base].is_absent());
    }
  }
  if (hot.is_collected) {
    for (std::int32_t s = hot.first_signal; s < hot.first_signal + hot.num_signals; ++s) {
      for (const std::int32_t entry : collected_signals_[static_cast<std::size_t>(s)]) {
        const Collected& collected = collected_[static_cast<std::size_t>(entry)];
        collected_below(collected, activation, collected.path.size() - 1);
      }
    }
  }
  if (hot.child != kNone && skipped) {
    close_expansion(activation, hot.child, false);
  }
  if (hot.turn != kNone && !passed) {
    pass_turn(hot.turn, activation, true);
  }
}

void Scheduler::pass_turn_on(const Task& task) {
  const HotNode& hot = hot_[static_cast<std::size_t>(task.node)];
  if (hot.turn == kNone || plan_.nodes()[static_cast<std::size_t>(task.node)].source) {
    return;
  }
  auto* const activation = static_cast<Activation*>(task.activation);
  activation->remaining[task.node - hot.first_node] |= kPassed;
  pass_turn(hot.turn, activation, true);
  drain_skips();
}

void Scheduler::finish_remote(Activation* activation, std::int32_t signal, bool present) {
  for (const Consumer& consumer : plan_.remote_consumers()[signal]) {
    std::vector<std::int32_t> down;  // regions from just below `activation` to the consumer's
    for (std::int32_t r = plan_.nodes()[static_cast<std::size_t>(consumer.node)].region;
         r != activation->region; r = plan_.regions()[static_cast<std::size_t>(r)].parent) {
      down.push_back(r);
    }
    std::vector<Activation*> level{activation}, next;
    while (!down.empty()) {
      const Region& region = plan_.regions()[static_cast<std::size_t>(down.back())];
      down.pop_back();
      next.clear();
      for (Activation* above : level) {
        const Expansion& expansion = above->expansions[region.ordinal];
        for (std::int32_t i = 0; i < expansion.count; ++i) {
          next.push_back(&expansion.children[i]);
        }
      }
      level.swap(next);
    }
    for (Activation* below : level) {
      resolve_edge(below, consumer.node, !present && consumer.required);
    }
  }
}

void Scheduler::drain_skips() {
  while (!skips_.empty()) {
    const auto [activation, node] = skips_.back();
    skips_.pop_back();
    ++skipped_[static_cast<std::size_t>(node)];
    finish(activation, node, true);
  }
}

void Scheduler::close(Activation* activation) {
  if (activation->parent == nullptr) {
    closed_.push_back(activation);
    return;
  }
  Activation* parent = activation->parent;
  const Region& region = plan_.regions()[static_cast<std::size_t>(activation->region)];
  if (--parent->expansions[region.ordinal].open == 0) {
    close_expansion(parent, activation->region, true);
  }
}

void Scheduler::close_expansion(Activation* activation, std::int32_t child_region, bool ran) {
  const Region& region = plan_.regions()[static_cast<std::size_t>(child_region)];
  Expansion& expansion = activation->expansions[region.ordinal];
  const bool was_waiting = expansion.state == Expansion::State::kWaiting;
  expansion.state = ran ? Expansion::State::kRan : Expansion::State::kNotRan;
  if (was_waiting) {  // no element was ever there
    release_turns(activation, child_region);
    collect_nothing(activation, child_region, ran);
  }
  if (--activation->open == 0) {
    close(activation);
  }
}

// The map of `child_region` gave no elements: whoever collects from there or from below waits no
// more. An inner map that gave none adds nothing; the outermost one decides whether it "has run".
void Scheduler::collect_nothing(Activation* activation, std::int32_t child_region, bool ran) {
  for (const std::int32_t index : collected_below_[static_cast<std::size_t>(child_region)]) {
    const Collected& entry = collected_[static_cast<std::size_t>(index)];
    if (entry.path.front() == child_region) {
      for (const Consumer& consumer : entry.consumers) {
        resolve_edge(activation, consumer.node, !ran && consumer.required);
      }
      continue;
    }
    const auto level =
        static_cast<std::size_t>(std::ranges::find(entry.path, child_region) - entry.path.begin());
    collected_below(entry, activation, level - 1);
  }
}

// The signal is resolved in all epochs below `activation`, which lies in entry.path[level].
void Scheduler::collected_below(const Collected& entry, Activation* activation, std::size_t level) {
  while (true) {
    const Region& region = plan_.regions()[static_cast<std::size_t>(entry.path[level])];
    Expansion& expansion = activation->parent->expansions[region.ordinal];
    if (--expansion.pending[entry.slots[level]] > 0) {
      return;
    }
    activation = activation->parent;
    if (level == 0) {
      for (const Consumer& consumer : entry.consumers) {
        resolve_edge(activation, consumer.node, false);
      }
      return;
    }
    --level;
  }
}

// One pass over the map's edges in plan order; its parts would share seven locals.
// NOLINTNEXTLINE(readability-function-cognitive-complexity)
void Scheduler::complete_map(const Task& task, std::vector<core::Value> elements) {
  auto* activation = static_cast<Activation*>(task.activation);
  const HotNode& hot = hot_[static_cast<std::size_t>(task.node)];
  const Region& region = plan_.regions()[static_cast<std::size_t>(hot.child)];
  Expansion& expansion = activation->expansions[region.ordinal];
  const auto count = static_cast<std::int32_t>(elements.size());
  // Held open so that the activation cannot close before the map node itself is finished.
  if (count > 0) {
    expansion.slab = pool_->take(hot.child, count, activation, activation->epoch);
    expansion.children = expansion.slab->activations.data();
    expansion.count = expansion.open = count;
    expansion.state = Expansion::State::kOpen;
    std::fill_n(expansion.pending, collected_below_[static_cast<std::size_t>(hot.child)].size(),
                count);
    activation->values[hot.first_signal - hot.signal_base] = core::Value::integer(count);

    // Edges from above are the same for all elements: resolve those that can be, once.
    scratch_ = templates_[static_cast<std::size_t>(hot.child)];
    settled_scratch_ = settled_[static_cast<std::size_t>(hot.child)];
    for (const RemoteEdge& edge : remote_edges_[static_cast<std::size_t>(hot.child)]) {
      const Activation* above = activation;
      for (std::int32_t up = 1; up < edge.up; ++up) {
        above = above->parent;
      }
      const std::int32_t producer = plan_.producer(edge.signal);
      const HotNode& from = hot_[static_cast<std::size_t>(producer)];
      const Region& from_region = plan_.regions()[static_cast<std::size_t>(above->region)];
      const bool is_element = edge.signal == from_region.first_signal && from_region.map != kNone;
      // A map's element is there since its activation is; other signals once their node is done.
      if (!is_element && (above->remaining[producer - from.first_node] & kResolved) == 0 &&
          producer != task.node) {
        continue;
      }
      if (producer == task.node && !is_element) {
        continue;  // the map's own count: finish() below resolves it
      }
      const bool present = !above->values[edge.signal - from_region.first_signal].is_absent();
      std::uint32_t& left = scratch_[static_cast<std::size_t>(edge.local_node)];
      left = (left - 1) | (!present && edge.required ? kMissing : 0U);
      if ((left & kCount) == 0) {
        settled_scratch_.push_back(edge.local_node);
      }
    }
    for (std::int32_t i = 0; i < count; ++i) {
      Activation& child = expansion.children[i];
      child.values[0] = std::move(elements[static_cast<std::size_t>(i)]);
      start(&child, scratch_, settled_scratch_);
    }
    // The element itself is resolved wherever it is collected.
    for (const std::int32_t index :
         collected_signals_[static_cast<std::size_t>(region.first_signal)]) {
      const Collected& entry = collected_[static_cast<std::size_t>(index)];
      for (std::int32_t i = 0; i < count; ++i) {
        collected_below(entry, &expansion.children[i], entry.path.size() - 1);
      }
    }
    release_turns(activation, hot.child);
    finish(activation, task.node, false);
  } else {
    close_expansion(activation, hot.child, true);
    finish(activation, task.node, false);
  }
  drain_skips();
}

void Scheduler::start(Activation* activation, std::span<const std::uint32_t> remaining,
                      std::span<const std::int32_t> settled) {
  const Region& region = plan_.regions()[static_cast<std::size_t>(activation->region)];
  ++num_activations_[static_cast<std::size_t>(activation->region)];
  std::ranges::copy(remaining, activation->remaining);
  activation->open = region.num_nodes + static_cast<std::int32_t>(region.children.size());
  for (const std::int32_t local : settled) {
    settle(activation, region.first_node + local, remaining[static_cast<std::size_t>(local)]);
  }
  if (activation->open == 0) {
    close(activation);
  }
}

void Scheduler::complete_exhausted(const Task& task) {
  const auto node = static_cast<std::size_t>(task.node);
  exhausted_[node] = true;
  update_template(task.node);
  update_finished();
  complete_absent(task);
}

void Scheduler::complete_absent(const Task& task) {
  for (core::Value& value : outputs(task)) {
    value.reset();
  }
  finish(static_cast<Activation*>(task.activation), task.node, true);
  drain_skips();
}

void Scheduler::fail_epoch(const Task& task) {
  static_cast<Activation*>(task.activation)->root->failed = true;
}

std::int64_t Scheduler::begin_epoch(std::span<const core::Value> inputs) {
  const std::int64_t epoch = next_epoch_++;
  Slab* slab = pool_->take(0, 1, nullptr, epoch);
  Activation* root = slab->activations.data();
  roots_.emplace_back(root, slab);
  std::ranges::copy(inputs, root->values);
  // The input node is resolved from the start; `open` counts it, so take it out.
  start(root, templates_[0], settled_[0]);
  for (std::size_t k = 0; k < stateful_.size(); ++k) {
    if (stateful_[k].epochs_done == epoch) {
      pass_turn(static_cast<std::int32_t>(k), root, false);
    }
  }
  if (--root->open == 0) {
    close(root);
  }
  drain_skips();
  untouched_head_ = head_;
  return epoch;
}

void Scheduler::catch_up(Activation* root, std::size_t count) {
  untouched_head_ = kTouched;
  if (count < straight_.steps.size()) {
    for (Task task; count > 0 && pop(task); --count) {
      complete_fast(root, task.node, fast(task.node));
    }
    return;
  }
  head_ = tail_ = 0;
  root->open -= static_cast<std::int32_t>(count);
  if (root->open == 0) {
    close(root);
    return;
  }
  std::ranges::copy(straight_.remaining, root->remaining);
  for (const std::int32_t node : straight_.ready) {
    push(root, node);
  }
}

bool Scheduler::can_begin_epoch() const {
  return !finished_ && std::ranges::all_of(stateful_, [&](const Stateful& entry) {
    return !plan_.nodes()[static_cast<std::size_t>(entry.node)].source ||
           entry.epochs_done == next_epoch_;
  });
}

Activation* Scheduler::pop_closed() {
  if (closed_.empty()) {
    return nullptr;
  }
  Activation* root = closed_.front();
  closed_.pop_front();
  return root;
}

void Scheduler::recycle(Activation* root) {
  const auto at = std::ranges::find(roots_, root, &std::pair<Activation*, Slab*>::first);
  PENSTOCK_CHECK(at != roots_.end());
  pool_->give_back(at->second, 1);
  roots_.erase(at);
}

Activation* Scheduler::find_root(std::int64_t epoch) const {
  const auto at =
      std::ranges::find_if(roots_, [&](const auto& r) { return r.first->epoch == epoch; });
  return at == roots_.end() ? nullptr : at->first;
}

// A turn travels down to the first instance of its node below `activation` (done = false), or on to
// the next instance after `activation` has none left (done = true). A loop, not recursion: a map
// over a million elements whose inner maps are all empty is one long walk.
void Scheduler::pass_turn(std::int32_t stateful, Activation* activation, bool done) {
  Stateful& entry = stateful_[static_cast<std::size_t>(stateful)];
  while (true) {
    if (!done) {
      const auto depth = static_cast<std::size_t>(
          plan_.regions()[static_cast<std::size_t>(activation->region)].depth);
      if (depth + 1 == entry.path.size()) {
        resolve_edge(activation, entry.node, false);
        return;
      }
      const std::int32_t child = entry.path[depth + 1];
      const Region& region = plan_.regions()[static_cast<std::size_t>(child)];
      Expansion& expansion = activation->expansions[region.ordinal];
      if (expansion.state == Expansion::State::kWaiting) {
        expansion.turns[entry.slots[depth + 1]] = 1;
        return;
      }
      if (expansion.count > 0) {
        activation = expansion.children;
      } else {
        done = true;
      }
      continue;
    }
    if (activation->parent == nullptr) {
      // An epoch that had no instance of the node may have closed before its turn came.
      activation = nullptr;
      while (activation == nullptr && ++entry.epochs_done < next_epoch_) {
        activation = find_root(entry.epochs_done);
      }
      if (activation == nullptr) {
        return;
      }
      done = false;
      continue;
    }
    const Region& region = plan_.regions()[static_cast<std::size_t>(activation->region)];
    const Expansion& siblings = activation->parent->expansions[region.ordinal];
    if (activation->index + 1 < siblings.count) {
      activation = &siblings.children[activation->index + 1];
      done = false;
    } else {
      activation = activation->parent;
    }
  }
}

void Scheduler::release_turns(Activation* activation, std::int32_t child_region) {
  const Region& region = plan_.regions()[static_cast<std::size_t>(child_region)];
  const auto& below = stateful_below_[static_cast<std::size_t>(child_region)];
  for (std::size_t i = 0; i < below.size(); ++i) {
    // The state is no longer kWaiting, so passing the turn again takes it further down or on.
    if (activation->expansions[region.ordinal].turns[i] != 0) {
      activation->expansions[region.ordinal].turns[i] = 0;
      pass_turn(below[i], activation, false);
    }
  }
}

}  // namespace penstock::flow
