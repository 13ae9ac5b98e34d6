// Every alignment and length gives what a loop of assignments gives.
#include "penstock/events/stream_fill.h"

#include <cmath>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::events {
namespace {

using core::Value;

TEST(StreamFill, GivesWhatPlainLoopsGive) {
  constexpr std::size_t kMost = 70;
  std::vector<std::int64_t> words(kMost + 8);
  std::vector<std::uint32_t> halves(kMost + 8);
  std::vector<double> reals(kMost + 8);
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = static_cast<std::int64_t>(i) * -77'777'777'777;
    halves[i] = static_cast<std::uint32_t>(i * 2'654'435'761U);
    reals[i] = i == 3 ? std::nan("7") : std::ldexp(-1.5, static_cast<int>(i));
  }
  for (std::size_t skip = 0; skip < 8; ++skip) {
    for (std::size_t count = 0; count <= kMost - skip; ++count) {
      std::vector<std::int64_t> out(kMost + 8, 1), filled(kMost + 8, 1);
      std::vector<std::uint32_t> small(kMost + 8, 1), same(kMost + 8, 1);
      std::vector<Value> values(kMost + 8), numbers(kMost + 8);
      stream_copy(out.data() + skip, words.data() + 1, count);
      stream_fill(filled.data() + skip, -9, count);
      stream_copy(small.data() + skip, halves.data() + 1, count);
      stream_fill(same.data() + skip, 9U, count);
      stream_values(values.data() + skip, reals.data() + 1, count);
      stream_values(numbers.data() + skip, words.data() + 1, count);
      stream_fence();
      for (std::size_t i = 0; i < kMost + 8; ++i) {
        const bool in = i >= skip && i < skip + count;
        ASSERT_EQ(out[i], in ? words[i - skip + 1] : 1);
        ASSERT_EQ(filled[i], in ? -9 : 1);
        ASSERT_EQ(small[i], in ? halves[i - skip + 1] : 1U);
        ASSERT_EQ(same[i], in ? 9U : 1U);
        ASSERT_EQ(values[i], in ? Value::real(reals[i - skip + 1]) : Value());
        ASSERT_EQ(numbers[i], in ? Value::integer(words[i - skip + 1]) : Value());
      }
    }
  }
}

}  // namespace
}  // namespace penstock::events
