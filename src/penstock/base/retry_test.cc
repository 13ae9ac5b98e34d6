#include "penstock/base/retry.h"

#include <cmath>
#include <memory>
#include <random>

#include <gtest/gtest.h>

#include "penstock/base/clock.h"

namespace penstock::base {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// The wait by the words of the header, in plain floating point.
double obvious_ms(const RetryPolicy& policy, std::int32_t failed) {
  return std::min(static_cast<double>(policy.max_ms),
                  static_cast<double>(policy.backoff_ms) * std::pow(2.0, failed - 1));
}

class Cause final : public ErrorCause {
 public:
  explicit Cause(std::string kinds) : kinds_(std::move(kinds)) {}
  std::string portable() const override { return {}; }
  std::string kinds() const override { return kinds_; }

 private:
  std::string kinds_;
};

TEST(RetryTest, WaitsTwiceAsLongEachTimeUpToTheLimit) {
  const RetryPolicy policy{.attempts = 9, .backoff_ms = 100, .max_ms = 1'000, .jitter = 0};
  std::vector<std::int64_t> waits;
  for (std::int32_t failed = 1; failed <= 6; ++failed) {
    waits.push_back(next_delay_ns(policy, failed, 0) / kMs);
  }
  EXPECT_EQ(waits, (std::vector<std::int64_t>{100, 200, 400, 800, 1'000, 1'000}));
}

TEST(RetryTest, AgreesWithTheObviousFormulaOnRandomPolicies) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20'000; ++round) {
    const RetryPolicy policy{.attempts = 100,
                             .backoff_ms = static_cast<std::int64_t>(random() % 2'000),
                             .max_ms = static_cast<std::int64_t>(random() % 100'000),
                             .jitter = static_cast<double>(random() % 101) / 100.0};
    const auto failed = static_cast<std::int32_t>(1 + random() % 80);
    const double longest = obvious_ms(policy, failed) * kMs;
    const auto wait = static_cast<double>(next_delay_ns(policy, failed, random()));
    ASSERT_LE(wait, longest + 1) << round;
    ASSERT_GE(wait, longest * (1 - policy.jitter) - 1) << round;
  }
}

TEST(RetryTest, ChanceFollowsFromTheKeyAlone) {
  const RetryPolicy policy{.attempts = 9, .backoff_ms = 1'000, .max_ms = 9'000, .jitter = 1};
  EXPECT_EQ(next_delay_ns(policy, 2, 77), next_delay_ns(policy, 2, 77));
  EXPECT_NE(next_delay_ns(policy, 2, 77), next_delay_ns(policy, 2, 78));
  EXPECT_NE(next_delay_ns(policy, 2, 77), 2 * next_delay_ns(policy, 1, 77));
}

TEST(RetryTest, UniformFillsItsRangeEvenly) {
  std::vector<int> counts(10);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const double u = uniform(i % 317, i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    ++counts[static_cast<std::size_t>(u * 10)];
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, 10'000, 500);
  }
}

TEST(RetryTest, TriesAgainAfterWhatItNames) {
  const Error unavailable(ErrorCode::kUnavailable, "gone");
  const Error internal(ErrorCode::kInternal, "raised");
  const Error raised = internal.with_cause(std::make_shared<const Cause>(
      "builtins.ConnectionResetError\nbuiltins.ConnectionError\nbuiltins.OSError"));
  EXPECT_TRUE(is_retryable({}, internal));
  EXPECT_FALSE(is_retryable({}, Error(ErrorCode::kCancelled, "interrupted")));
  const RetryPolicy by_code{.on_codes = {ErrorCode::kUnavailable}};
  EXPECT_TRUE(is_retryable(by_code, unavailable));
  EXPECT_FALSE(is_retryable(by_code, raised));
  const RetryPolicy by_type{.on_types = {"ConnectionError"}};
  EXPECT_TRUE(is_retryable(by_type, raised));
  EXPECT_FALSE(is_retryable(by_type, internal));
  EXPECT_FALSE(is_retryable({.on_types = {"Error"}}, raised));
  EXPECT_TRUE(is_retryable({.on_types = {"builtins.OSError"}}, raised));
  EXPECT_TRUE(is_retryable({.on_codes = {ErrorCode::kDataLoss}, .on_types = {"OSError"}}, raised));
}

TEST(RetryTest, AnHourOfWaitingTakesNoTimeOnAVirtualClock) {
  VirtualClock clock;
  const RetryPolicy policy{.attempts = 5, .backoff_ms = 240'000, .max_ms = 3'600'000, .jitter = 0};
  for (std::int32_t failed = 1; failed < policy.attempts; ++failed) {
    clock.sleep_until(clock.now_ns() + next_delay_ns(policy, failed, 0));
  }
  EXPECT_EQ(clock.now_ns() / kMs, 240'000 * (1 + 2 + 4 + 8));
}

}  // namespace
}  // namespace penstock::base
