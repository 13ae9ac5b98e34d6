#include "penstock/flow/policy_queue.h"

#include <algorithm>
#include <memory>
#include <random>

#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

Task task(std::int32_t node) {
  return {.node = node, .activation = nullptr};
}

Policy policy(Resources needs) {
  Policy out;
  out.needs = needs;
  return out;
}

/// Node numbers of everything that may run now.
std::vector<std::int32_t> popped(PolicyQueue& queue, std::int64_t now_ns = 0) {
  std::vector<std::int32_t> nodes;
  for (Task next; queue.pop(now_ns, next);) {
    nodes.push_back(next.node);
  }
  return nodes;
}

TEST(PolicyQueueTest, GivesTasksBackWhenTheyAreDue) {
  PolicyQueue queue({});
  const Policy none;
  queue.put_aside(task(1), none, 30);
  queue.put_aside(task(2), none, 10);
  queue.put_aside(task(3), none, 10);
  EXPECT_EQ(queue.next_due_ns(), 10);
  EXPECT_EQ(popped(queue, 9), (std::vector<std::int32_t>{}));
  EXPECT_EQ(popped(queue, 10), (std::vector<std::int32_t>{2, 3}));
  EXPECT_FALSE(queue.is_empty());
  EXPECT_EQ(popped(queue, 1'000), (std::vector<std::int32_t>{1}));
  EXPECT_TRUE(queue.is_empty());
  EXPECT_EQ(queue.next_due_ns(), PolicyQueue::kNever);
}

TEST(PolicyQueueTest, CountsFailuresUntilTheyAreForgotten) {
  PolicyQueue queue({});
  EXPECT_EQ(queue.note_failure(task(1)), 1);
  EXPECT_EQ(queue.note_failure(task(1)), 2);
  EXPECT_EQ(queue.note_failure(task(2)), 1);
  EXPECT_EQ(queue.forget(task(1)), 2);
  EXPECT_EQ(queue.forget(task(1)), 0);
}

TEST(PolicyQueueTest, AHeldUpTaskHoldsUpOnlyThoseThatWantTheSameKind) {
  PolicyQueue queue({.cpu_milli = 2'000, .io = 2, .memory_bytes = 100});
  const Policy two_cores = policy({.cpu_milli = 2'000});
  const Policy one_core = policy({.cpu_milli = 1'000});
  const Policy io = policy({.io = 1});
  const Policy core_and_memory = policy({.cpu_milli = 1'000, .memory_bytes = 1});
  EXPECT_TRUE(queue.admit(task(1), one_core));
  EXPECT_FALSE(queue.admit(task(2), two_cores));
  EXPECT_FALSE(queue.admit(task(3), one_core)) << "there is one, but 2 was first";
  EXPECT_FALSE(queue.admit(task(4), core_and_memory));
  EXPECT_TRUE(queue.admit(task(5), io));
  EXPECT_EQ(popped(queue), (std::vector<std::int32_t>{}));
  queue.release(one_core);
  EXPECT_EQ(popped(queue), (std::vector<std::int32_t>{2}));
  queue.release(two_cores);
  EXPECT_EQ(popped(queue), (std::vector<std::int32_t>{3, 4}));
}

TEST(PolicyQueueTest, ATaskThatComesBackStandsInLineLikeAnyOther) {
  PolicyQueue queue({.cpu_milli = 1'000, .io = 0, .memory_bytes = 0});
  const Policy core = policy({.cpu_milli = 1'000});
  ASSERT_TRUE(queue.admit(task(1), core));
  queue.put_aside(task(2), core, 5);
  EXPECT_EQ(popped(queue, 5), (std::vector<std::int32_t>{}));
  EXPECT_FALSE(queue.is_empty());
  queue.release(core);
  EXPECT_EQ(popped(queue, 5), (std::vector<std::int32_t>{2}));
}

TEST(PolicyQueueTest, WhoIsRemovedHoldsUpNobody) {
  PolicyQueue queue({.cpu_milli = 3'000, .io = 0, .memory_bytes = 0});
  const Policy all = policy({.cpu_milli = 3'000});
  const Policy one = policy({.cpu_milli = 1'000});
  ASSERT_TRUE(queue.admit(task(1), one));
  ASSERT_FALSE(queue.admit(task(2), all));
  ASSERT_FALSE(queue.admit(task(3), one));
  queue.put_aside(task(4), one, 5);
  std::vector<Task> removed;
  queue.remove_if([](const Task& t) { return t.node % 2 == 0; }, removed);
  EXPECT_EQ(removed.size(), 2U);
  EXPECT_EQ(popped(queue, 9), (std::vector<std::int32_t>{3}));
  EXPECT_TRUE(queue.is_empty());
}

// Against the rule as it is written: whoever is first among those not held up, looked for anew each
// time.
class Twin {
 public:
  explicit Twin(Resources there) : free_(there) {}
  void arrive(std::int32_t node, Resources needs) { line_.emplace_back(node, needs); }
  void leave(const Resources& needs) {
    free_.cpu_milli += needs.cpu_milli;
    free_.io += needs.io;
    free_.memory_bytes += needs.memory_bytes;
  }
  std::vector<std::int32_t> start() {
    std::vector<std::int32_t> started;
    bool cpu = false, io = false, memory = false;
    for (auto at = line_.begin(); at != line_.end();) {
      const Resources& needs = at->second;
      const bool held = (cpu && needs.cpu_milli > 0) || (io && needs.io > 0) ||
                        (memory && needs.memory_bytes > 0);
      if (!held && needs.cpu_milli <= free_.cpu_milli && needs.io <= free_.io &&
          needs.memory_bytes <= free_.memory_bytes) {
        free_.cpu_milli -= needs.cpu_milli;
        free_.io -= needs.io;
        free_.memory_bytes -= needs.memory_bytes;
        started.push_back(at->first);
        at = line_.erase(at);
        continue;
      }
      cpu |= needs.cpu_milli > 0;
      io |= needs.io > 0;
      memory |= needs.memory_bytes > 0;
      ++at;
    }
    return started;
  }

 private:
  Resources free_;
  std::vector<std::pair<std::int32_t, Resources>> line_;
};

TEST(PolicyQueueTest, AgreesWithTheRuleOnRandomArrivals) {
  std::mt19937_64 random(17);
  for (int round = 0; round < 200; ++round) {
    const Resources there{.cpu_milli = static_cast<std::int64_t>(1 + random() % 5),
                          .io = static_cast<std::int64_t>(1 + random() % 5),
                          .memory_bytes = static_cast<std::int64_t>(1 + random() % 5)};
    PolicyQueue queue(there);
    Twin twin(there);
    std::vector<std::unique_ptr<Policy>> policies;
    std::vector<std::int32_t> running;
    for (std::int32_t step = 0; step < 300; ++step) {
      std::vector<std::int32_t> seen, wanted;
      if (random() % 2 == 0) {
        const auto some = [&](std::int64_t most) {
          return static_cast<std::int64_t>(
              random() % 2 == 0 ? 0 : random() % static_cast<std::uint64_t>(most + 1));
        };
        const auto node = static_cast<std::int32_t>(policies.size());
        policies.push_back(std::make_unique<Policy>(
            policy({some(there.cpu_milli), some(there.io), some(there.memory_bytes)})));
        twin.arrive(node, policies.back()->needs);
        if (queue.admit(task(node), *policies.back())) {
          seen.push_back(node);
        }
      } else if (!running.empty()) {
        const std::size_t which = random() % running.size();
        const Policy& over = *policies[static_cast<std::size_t>(running[which])];
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(which));
        queue.release(over);
        twin.leave(over.needs);
      }
      std::ranges::copy(popped(queue), std::back_inserter(seen));
      wanted = twin.start();
      ASSERT_EQ(seen, wanted) << round << " " << step;
      running.insert(running.end(), seen.begin(), seen.end());
    }
  }
}

}  // namespace
}  // namespace penstock::flow
