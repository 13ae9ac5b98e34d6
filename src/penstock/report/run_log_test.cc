#include "penstock/report/run_log.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RunLogTest, WritesLinesAsTheyCome) {
  RunLog log;
  log.add(2, 1500, "read 12 rows");
  log.add(-1, 1600, "WARNING: slow");
  EXPECT_EQ(
      log.take_record(false),
      R"({"type":"log","lines":[[1500,2,null,"info","read 12 rows"],[1600,null,null,"warning","WARNING: slow"]]})");
  EXPECT_EQ(log.take_record(true), "");
}

TEST(RunLogTest, KeepsOnlyTheLastLinesOfAChattyNode) {
  RunLog log;
  for (int i = 0; i < 100'000; ++i) {
    log.add(0, i, "line " + std::to_string(i));
  }
  log.add(1, 7, "quiet");
  const std::string first = log.take_record(false);
  EXPECT_THAT(first, HasSubstr("\"line 49\""));
  EXPECT_THAT(first, HasSubstr("quiet"));
  EXPECT_THAT(first, Not(HasSubstr("\"line 50\"")));
  const std::string last = log.take_record(true);
  EXPECT_THAT(last, Not(HasSubstr("\"line 99979\"")));
  EXPECT_THAT(last, HasSubstr("\"line 99980\""));
  EXPECT_THAT(last, HasSubstr("\"line 99999\""));
}

TEST(RunLogTest, CutsLongLines) {
  RunLog log;
  log.add(0, 0, std::string(1'000'000, 'x'));
  EXPECT_LT(log.take_record(false).size(), 2200U);
}

TEST(LevelOfTest, ReadsTheWordALineStartsWith) {
  EXPECT_EQ(level_of("ERROR:root:no"), "error");
  EXPECT_EQ(level_of("[warning] careful"), "warning");
  EXPECT_EQ(level_of("Traceback (most recent call last):"), "error");
  EXPECT_EQ(level_of("DEBUG x"), "debug");
  EXPECT_EQ(level_of("12 rows, no error"), "info");
  EXPECT_EQ(level_of(""), "info");
}

}  // namespace
}  // namespace penstock::report
