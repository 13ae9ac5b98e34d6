#include "penstock/base/clock.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace penstock::base {
namespace {

TEST(ClockTest, NeverGoesBackwards) {
  std::int64_t last = fast_ns();
  for (int i = 0; i < 100'000; ++i) {
    const std::int64_t now = fast_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ClockTest, FastClockKeepsPaceWithTheKernels) {
  const std::int64_t slow_start = monotonic_ns();
  const std::int64_t fast_start = fast_ns();
  while (monotonic_ns() - slow_start < 20'000'000) {
  }
  const std::int64_t slow = monotonic_ns() - slow_start;
  const std::int64_t fast = fast_ns() - fast_start;
  EXPECT_NEAR(static_cast<double>(fast), static_cast<double>(slow),
              0.02 * static_cast<double>(slow));
}

TEST(ClockTest, UnixTimeIsInThisCentury) {
  EXPECT_GT(unix_us(), std::int64_t{1'600'000'000} * 1'000'000);
  EXPECT_LT(unix_us(), std::int64_t{4'100'000'000} * 1'000'000);
}

TEST(ClockTest, AVirtualSleepTakesNoTime) {
  VirtualClock clock;
  clock.sleep_until(std::int64_t{3'600} * 1'000'000'000);
  EXPECT_EQ(clock.now_ns(), std::int64_t{3'600} * 1'000'000'000);
  clock.sleep_until(5);  // the past
  EXPECT_EQ(clock.now_ns(), std::int64_t{3'600} * 1'000'000'000);
  clock.advance(7);
  EXPECT_EQ(clock.now_ns(), std::int64_t{3'600} * 1'000'000'000 + 7);
}

TEST(ClockTest, ARealSleepEndsInTime) {
  Clock& clock = real_clock();
  const std::int64_t due = clock.now_ns() + 1'000'000;
  clock.sleep_until(due);
  EXPECT_GE(clock.now_ns(), due);
}

}  // namespace
}  // namespace penstock::base
