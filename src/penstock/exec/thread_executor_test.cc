// What the threads of the executor do between tasks; runner_test.cc has what they compute.
#include "penstock/exec/thread_executor.h"

#include <time.h>

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/base/clock.h"
#include "penstock/exec/process_test_support.h"

namespace penstock::exec {
namespace {

std::int64_t processor_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * 1'000'000'000 + used.tv_nsec;
}

TEST(ThreadExecutorTest, ThreadsWithNothingToDoSleep) {
  const auto plan = testing::compile("nodes:\n  source: {type: test.source}\n");
  ASSERT_TRUE(plan.has_value());
  const testing::TableAccess access(*plan);
  ThreadExecutor executor(2);
  ASSERT_TRUE(executor.start(access).has_value());
  std::vector<flow::Completion> out;
  ASSERT_TRUE(executor.wait(out, 20).has_value());  // they look around for a moment first
  const std::int64_t used_ns = processor_ns(), begun_ns = base::monotonic_ns();
  while (base::monotonic_ns() - begun_ns < 200'000'000) {
    ASSERT_TRUE(executor.wait(out, 100).has_value());
  }
  // Two threads that never slept would use 400 ms, on a machine that has nothing else to do.
  EXPECT_LT(processor_ns() - used_ns, 30'000'000);
  EXPECT_TRUE(out.empty());
  executor.stop();
}

}  // namespace
}  // namespace penstock::exec
