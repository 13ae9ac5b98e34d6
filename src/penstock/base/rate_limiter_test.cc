#include "penstock/base/rate_limiter.h"

#include <algorithm>
#include <deque>
#include <random>

#include <gtest/gtest.h>

#include "penstock/base/clock.h"

namespace penstock::base {
namespace {

/// A bucket that holds its tokens one by one: the k-th token taken comes back one interval after
/// the one before it came back, or after it was taken.
class Twin {
 public:
  Twin(std::int64_t interval_ns, std::int64_t burst) : interval_ns_(interval_ns), free_(burst) {}
  std::int64_t try_acquire(std::int64_t now_ns) {
    while (!coming_.empty() && coming_.front() <= now_ns) {
      coming_.pop_front();
      ++free_;
    }
    if (free_ == 0) {
      return coming_.front() - now_ns;
    }
    --free_;
    coming_.push_back((coming_.empty() ? now_ns : coming_.back()) + interval_ns_);
    return 0;
  }

 private:
  std::int64_t interval_ns_, free_;
  std::deque<std::int64_t> coming_;
};

TEST(RateLimiterTest, LetsABurstThroughAndThenOneByOne) {
  RateLimiter limiter(10, 3);
  EXPECT_EQ(limiter.try_acquire(0), 0);
  EXPECT_EQ(limiter.try_acquire(0), 0);
  EXPECT_EQ(limiter.try_acquire(0), 0);
  EXPECT_EQ(limiter.try_acquire(0), 100'000'000);
  EXPECT_EQ(limiter.try_acquire(99'999'999), 1);
  EXPECT_EQ(limiter.try_acquire(100'000'000), 0);
}

TEST(RateLimiterTest, AgreesWithABucketOfTokensOnRandomArrivals) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    const auto burst = static_cast<std::int64_t>(1 + random() % 6);
    const auto interval_ns = static_cast<std::int64_t>(1 + random() % 1'000) * 1'000;
    RateLimiter limiter(1e9 / static_cast<double>(interval_ns), burst);
    Twin twin(interval_ns, burst);
    VirtualClock clock;
    for (int call = 0; call < 500; ++call) {
      clock.advance(static_cast<std::int64_t>(random() % 1'500'000));
      const std::int64_t wait = limiter.try_acquire(clock.now_ns());
      ASSERT_EQ(wait, twin.try_acquire(clock.now_ns())) << round << " " << call;
      if (random() % 2 == 0) {
        clock.advance(wait);
      }
    }
  }
}

TEST(RateLimiterTest, AMillionCallsKeepTheRate) {
  RateLimiter limiter(3e6, 1);  // an interval of 333 ns
  VirtualClock clock;
  for (int i = 0; i < 1'000'000; ++i) {
    while (const std::int64_t wait = limiter.try_acquire(clock.now_ns())) {
      clock.advance(wait);
    }
  }
  EXPECT_EQ(clock.now_ns(), 333LL * 999'999);
}

TEST(RateLimiterTest, TakesTheLargestOfBursts) {
  RateLimiter limiter(1e-9, std::int64_t{1} << 62);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(limiter.try_acquire(0), 0);
  }
}

}  // namespace
}  // namespace penstock::base
