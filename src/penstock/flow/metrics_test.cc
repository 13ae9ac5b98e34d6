#include "penstock/flow/metrics.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

TEST(DurationHistogramTest, IsEmptyAtFirst) {
  const DurationHistogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.total_ns(), 0);
  EXPECT_EQ(histogram.max_ns(), 0);
  EXPECT_EQ(histogram.quantile_ns(0.5), 0);
  EXPECT_TRUE(histogram.buckets().empty());
}

TEST(DurationHistogramTest, CountsAndAddsUp) {
  DurationHistogram histogram;
  for (const std::int64_t duration : {700, 20, 700, 1}) {
    histogram.add(duration);
  }
  EXPECT_EQ(histogram.count(), 4);
  EXPECT_EQ(histogram.total_ns(), 1421);
  EXPECT_EQ(histogram.max_ns(), 700);
  const auto buckets = histogram.buckets();
  EXPECT_EQ(std::accumulate(buckets.begin(), buckets.end(), 0U), 4U);
  EXPECT_EQ(*std::ranges::max_element(buckets), 2U);
}

TEST(DurationHistogramTest, QuantilesAreNeverLowAndAtMostAnEighthHigh) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    DurationHistogram histogram;
    std::vector<std::int64_t> all;
    const std::size_t count = 1 + random() % 40;
    for (std::size_t i = 0; i < count; ++i) {
      // From 1 ns to about half an hour, every octave alike.
      all.push_back(static_cast<std::int64_t>(1 + random() % (2ULL << (random() % 40))));
      histogram.add(all.back());
    }
    std::ranges::sort(all);
    for (const double q : {0.0, 0.25, 0.5, 0.95, 1.0}) {
      const auto rank = static_cast<std::size_t>(q * static_cast<double>(count - 1));
      SCOPED_TRACE(testing::Message() << "q " << q << " of " << count);
      EXPECT_GE(histogram.quantile_ns(q), all[rank]);
      // Small numbers of nanoseconds have a bucket each.
      EXPECT_LE(
          static_cast<double>(histogram.quantile_ns(q)),
          std::max(1.125 * static_cast<double>(all[rank]), 1.0 + static_cast<double>(all[rank])));
    }
    EXPECT_EQ(histogram.quantile_ns(1), all.back());
  }
}

}  // namespace
}  // namespace penstock::flow
