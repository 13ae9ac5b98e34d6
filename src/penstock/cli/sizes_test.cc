// Sizes as people write and read them.
#include "penstock/cli/sizes.h"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

TEST(SizesTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_size("0"), 0);
  EXPECT_EQ(parse_size("500000000"), 500'000'000);
  EXPECT_EQ(parse_size("12B"), 12);
  EXPECT_EQ(parse_size("500MB"), 500'000'000);
  EXPECT_EQ(parse_size("2GiB"), std::int64_t{2} << 30);
  EXPECT_EQ(parse_size("1.5 kb"), 1'500);
  EXPECT_EQ(parse_size("3 tib"), std::int64_t{3} << 40);
}

TEST(SizesTest, RefusesOtherTexts) {
  for (const char* text : {"", "MB", "-1", "1 M B", "5 apples", "inf", "nan", "1e9", "9999999TB"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(SizesTest, WritesShortTexts) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(1'000), "1.0 kB");
  EXPECT_EQ(size_text(9'949), "9.9 kB");
  EXPECT_EQ(size_text(9'950), "10 kB");
  EXPECT_EQ(size_text(999'500), "1.0 MB");
  EXPECT_EQ(size_text(2'147'483'648), "2.1 GB");
  EXPECT_EQ(size_text(std::int64_t{5'000} << 40), "5498 TB");
}

}  // namespace
}  // namespace penstock::cli
