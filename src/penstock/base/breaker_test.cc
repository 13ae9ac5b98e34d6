#include "penstock/base/breaker.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/base/clock.h"

namespace penstock::base {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// Looks at the whole past each time. Calls end before the next one begins.
class Twin {
 public:
  explicit Twin(BreakerOptions options) : options_(options) {}
  bool allows(std::int64_t now_ns) const {
    return opened_ns_ < 0 || now_ns >= opened_ns_ + options_.open_ms * kMs;
  }
  void end(std::int64_t now_ns, bool good) {
    past_.push_back(good);
    if (opened_ns_ >= 0) {
      if (!good) {
        open(now_ns);
      } else if (good_in_a_row() >= options_.probes) {
        opened_ns_ = -1;
        past_.clear();
      }
    } else if (bad_in_a_row() >= options_.failures) {
      open(now_ns);
    }
  }

 private:
  void open(std::int64_t now_ns) {
    opened_ns_ = now_ns;
    past_.clear();
  }
  std::int32_t good_in_a_row() const { return in_a_row(true); }
  std::int32_t bad_in_a_row() const { return in_a_row(false); }
  std::int32_t in_a_row(bool good) const {
    std::int32_t count = 0;
    for (auto at = past_.rbegin(); at != past_.rend() && *at == good; ++at) {
      ++count;
    }
    return count;
  }
  BreakerOptions options_;
  std::vector<bool> past_;
  std::int64_t opened_ns_ = -1;
};

TEST(BreakerTest, OpensAfterFailuresInARowAndClosesAfterAProbe) {
  Breaker breaker({.failures = 2, .open_ms = 10, .probes = 1});
  VirtualClock clock;
  EXPECT_TRUE(breaker.allows(clock.now_ns()));
  breaker.failed(clock.now_ns());
  breaker.succeeded();
  breaker.failed(clock.now_ns());
  EXPECT_EQ(breaker.state(), Breaker::State::kClosed);
  breaker.failed(clock.now_ns());
  EXPECT_EQ(breaker.state(), Breaker::State::kOpen);
  EXPECT_FALSE(breaker.allows(clock.now_ns()));
  clock.sleep_until(breaker.retry_at_ns());
  EXPECT_TRUE(breaker.allows(clock.now_ns()));
  EXPECT_FALSE(breaker.allows(clock.now_ns())) << "one probe at a time";
  breaker.succeeded();
  EXPECT_EQ(breaker.state(), Breaker::State::kClosed);
  EXPECT_TRUE(breaker.allows(clock.now_ns()));
}

TEST(BreakerTest, AFailedProbeOpensItAgain) {
  Breaker breaker({.failures = 1, .open_ms = 10, .probes = 2});
  VirtualClock clock;
  EXPECT_TRUE(breaker.allows(0));
  breaker.failed(0);
  clock.sleep_until(breaker.retry_at_ns());
  EXPECT_TRUE(breaker.allows(clock.now_ns()));
  EXPECT_TRUE(breaker.allows(clock.now_ns()));
  breaker.succeeded();
  EXPECT_EQ(breaker.state(), Breaker::State::kHalfOpen);
  breaker.failed(clock.now_ns());
  EXPECT_EQ(breaker.state(), Breaker::State::kOpen);
  EXPECT_EQ(breaker.retry_at_ns(), 20 * kMs);
}

TEST(BreakerTest, AgreesWithATwinThatLooksAtTheWholePast) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 300; ++round) {
    const BreakerOptions options{.failures = static_cast<std::int32_t>(1 + random() % 4),
                                 .open_ms = static_cast<std::int64_t>(1 + random() % 20),
                                 .probes = static_cast<std::int32_t>(1 + random() % 3)};
    Breaker breaker(options);
    Twin twin(options);
    VirtualClock clock;
    for (int call = 0; call < 400; ++call) {
      clock.advance(static_cast<std::int64_t>(random() % 5) * kMs);
      const bool allowed = breaker.allows(clock.now_ns());
      ASSERT_EQ(allowed, twin.allows(clock.now_ns())) << round << " " << call;
      if (!allowed) {
        continue;
      }
      const bool good = random() % 3 != 0;
      twin.end(clock.now_ns(), good);
      if (good) {
        breaker.succeeded();
      } else {
        breaker.failed(clock.now_ns());
      }
    }
  }
}

}  // namespace
}  // namespace penstock::base
