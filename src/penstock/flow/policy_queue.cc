#include "penstock/flow/policy_queue.h"

#include <algorithm>

namespace penstock::flow {
namespace {

std::size_t kinds_of(const Resources& needs) {
  return (needs.cpu_milli != 0 ? 1U : 0U) | (needs.io != 0 ? 2U : 0U) |
         (needs.memory_bytes != 0 ? 4U : 0U);
}

}  // namespace

bool PolicyQueue::fits(const Resources& needs) const {
  return needs.cpu_milli <= free_.cpu_milli && needs.io <= free_.io &&
         needs.memory_bytes <= free_.memory_bytes;
}

void PolicyQueue::take(const Resources& needs) {
  free_.cpu_milli -= needs.cpu_milli;
  free_.io -= needs.io;
  free_.memory_bytes -= needs.memory_bytes;
}

bool PolicyQueue::admit(const Task& task, const Policy& policy) {
  const std::size_t kinds = kinds_of(policy.needs);
  bool must_wait = !fits(policy.needs);
  for (std::size_t other = 1; other < kAllKinds && !must_wait; ++other) {
    must_wait = (other & kinds) != 0 && !waiting_[other].empty();
  }
  if (must_wait) {
    waiting_[kinds].push_back({next_order_++, task, &policy});
    ++num_waiting_;
    return false;
  }
  take(policy.needs);
  return true;
}

void PolicyQueue::release(const Policy& policy) {
  free_.cpu_milli += policy.needs.cpu_milli;
  free_.io += policy.needs.io;
  free_.memory_bytes += policy.needs.memory_bytes;
  may_fit_ = true;
}

void PolicyQueue::put_aside(const Task& task, const Policy& policy, std::int64_t due_ns) {
  due_.push_back({due_ns, next_order_++, task, &policy});
  std::push_heap(due_.begin(), due_.end());
}

std::int32_t PolicyQueue::forget(const Task& task) {
  const auto found = failures_.extract(key_of(task));
  return found.empty() ? 0 : found.mapped();
}

bool PolicyQueue::pop(std::int64_t now_ns, Task& task) {
  if (may_fit_ && num_waiting_ > 0) {
    if (pop_waiting(task)) {
      return true;
    }
    may_fit_ = false;
  }
  while (!due_.empty() && due_.front().due_ns <= now_ns) {
    std::pop_heap(due_.begin(), due_.end());
    const Due due = due_.back();
    due_.pop_back();
    if (admit(due.task, *due.policy)) {
      task = due.task;
      return true;
    }
  }
  return false;
}

// The oldest of those that nobody older holds up. Line by line, in the order of their first ones:
// who is behind the first of a line wants the same and waits for it.
bool PolicyQueue::pop_waiting(Task& task) {
  std::array<bool, kAllKinds> seen{};
  for (std::size_t blocked = 0;;) {
    std::size_t first = 0;
    for (std::size_t kinds = 1; kinds < kAllKinds; ++kinds) {
      if (!seen[kinds] && !waiting_[kinds].empty() &&
          (first == 0 || waiting_[kinds].front().order < waiting_[first].front().order)) {
        first = kinds;
      }
    }
    if (first == 0) {
      return false;
    }
    const Waiting& next = waiting_[first].front();
    if ((first & blocked) == 0 && fits(next.policy->needs)) {
      take(next.policy->needs);
      task = next.task;
      waiting_[first].pop_front();
      --num_waiting_;
      return true;
    }
    blocked |= first;
    seen[first] = true;
  }
}

}  // namespace penstock::flow
