// PolicyQueue: calls that may not be made yet, because they failed and are to be tried again later,
// or because what they need is in use. Internal to the runner's loop, which brings the time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "penstock/flow/executor.h"
#include "penstock/flow/policy.h"

namespace penstock::flow {

/// First come, first served among the tasks that ask for the same kinds of things: one that must
/// wait holds up those behind it that want a kind it wants, and no others. So nobody starves, and
/// whoever wants nothing never waits. Owner thread only.
class PolicyQueue {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  explicit PolicyQueue(const Resources& there) : free_(there) {}

  /// True when nobody waits here.
  bool is_empty() const { return due_.empty() && num_waiting_ == 0; }

  /// Takes what a call of `task` needs: then it may be made, and release() is called when it is
  /// over. False: the task waits here until pop() gives it back. `policy` outlives that.
  bool admit(const Task& task, const Policy& policy);
  void release(const Policy& policy);

  /// Counts a failed call of `task` and returns how many there are now.
  std::int32_t note_failure(const Task& task) { return ++failures_[key_of(task)]; }
  /// Puts `task` aside until `due_ns`.
  void put_aside(const Task& task, const Policy& policy, std::int64_t due_ns);
  /// No further call of `task` will be made; how many have failed.
  std::int32_t forget(const Task& task);

  /// A task whose call may be made now; it has been admitted.
  bool pop(std::int64_t now_ns, Task& task);
  /// When a task that was put aside may be called again; kNever: none was.
  std::int64_t next_due_ns() const { return due_.empty() ? kNever : due_.front().due_ns; }

  /// Takes out every waiting task that `picks`.
  template <class Picks>
  void remove_if(Picks picks, std::vector<Task>& out);

 private:
  static constexpr std::size_t kAllKinds = 8;  ///< sets of cpu, io and memory
  using Key = std::pair<const void*, std::int32_t>;

  struct Due {
    std::int64_t due_ns;
    std::int64_t order;
    Task task;
    const Policy* policy;
    bool operator<(const Due& other) const {  // the heap's top is the greatest
      return due_ns != other.due_ns ? due_ns > other.due_ns : order > other.order;
    }
  };
  struct Waiting {
    std::int64_t order;
    Task task;
    const Policy* policy;
  };

  static Key key_of(const Task& task) { return {task.activation, task.node}; }
  bool fits(const Resources& needs) const;
  void take(const Resources& needs);
  bool pop_waiting(Task& task);

  Resources free_;
  std::vector<Due> due_;                                ///< a heap
  std::array<std::deque<Waiting>, kAllKinds> waiting_;  ///< by the kinds they want
  std::size_t num_waiting_ = 0;
  bool may_fit_ = false;  ///< something was given back since the last look at waiting_
  std::int64_t next_order_ = 0;
  std::map<Key, std::int32_t> failures_;  ///< of tasks that are not over
};

template <class Picks>
void PolicyQueue::remove_if(Picks picks, std::vector<Task>& out) {
  std::erase_if(due_,
                [&](const Due& due) { return picks(due.task) && (out.push_back(due.task), true); });
  std::make_heap(due_.begin(), due_.end());
  for (std::deque<Waiting>& queue : waiting_) {
    num_waiting_ -= std::erase_if(queue, [&](const Waiting& waiting) {
      return picks(waiting.task) && (out.push_back(waiting.task), true);
    });
  }
  may_fit_ = true;  // who stood behind them may be first now
}

}  // namespace penstock::flow
