// IdIndex against a std::map.
#include "penstock/flow/id_index.h"

#include <map>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

TEST(IdIndexTest, FindsNothingWhenEmpty) {
  EXPECT_EQ(IdIndex().find("a"), IdIndex::kAbsent);
}

TEST(IdIndexTest, KeepsTheFirstNumberOfAnId) {
  IdIndex index;
  EXPECT_EQ(index.insert("a", 1), std::pair(1, true));
  EXPECT_EQ(index.insert("a", 2), std::pair(1, false));
  EXPECT_EQ(index.insert("", 3), std::pair(3, true));
  EXPECT_EQ(index.find("a"), 1);
  EXPECT_EQ(index.find(""), 3);
}

TEST(IdIndexTest, AgreesWithAMap) {
  std::mt19937_64 random(3);
  std::map<std::string, std::int32_t> expected;  // keeps its keys in place, as IdIndex wants
  IdIndex index;
  for (std::int32_t i = 0; i < 20'000; ++i) {
    const auto [at, is_new] = expected.emplace(fmt::format("n{}", random() % 12'000), i);
    EXPECT_EQ(index.insert(at->first, i), std::pair(at->second, is_new));
    if (i == 500) {
      index.reserve(4'000);
    }
  }
  for (std::int32_t i = 0; i < 13'000; ++i) {
    const std::string id = fmt::format("n{}", i);
    const auto at = expected.find(id);
    EXPECT_EQ(index.find(id), at == expected.end() ? IdIndex::kAbsent : at->second);
  }
}

}  // namespace
}  // namespace penstock::flow
