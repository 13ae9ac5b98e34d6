#include "penstock/report/columns.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/report/test_table.h"

namespace penstock::report {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the test's own helpers
using core::Value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FindPathTest, FollowsKeysAndIndices) {
  const Value result = map({{"a", Value::list({Value::integer(7), map({{"b", text("x")}})})}});
  EXPECT_EQ(find_path(result, "result")->kind(), core::Kind::kMap);
  EXPECT_EQ(find_path(result, "result.a.0")->as_int(), 7);
  EXPECT_EQ(find_path(result, "result.a.1.b")->as_text(), "x");
}

TEST(FindPathTest, NamesWhatThereIsInstead) {
  const Value result = map({{"routes", Value::null()}, {"airports", Value::null()}});
  EXPECT_THAT(find_path(result, "result.route").error().message(),
              HasSubstr("there are routes, airports"));
  EXPECT_EQ(find_path(result, "result.route").error().code(), base::ErrorCode::kNotFound);
  EXPECT_THAT(find_path(result, "routes").error().message(), HasSubstr("starts with 'result'"));
  EXPECT_THAT(find_path(result, "result.routes.x").error().message(), HasSubstr("null"));
}

TEST(ReadColumnTest, ReadsTablesListsOfMapsAndMapsOfLists) {
  const Value table =
      make_table({{make_column("n", Integers{1, 2}), make_column("t", Texts{"a", std::nullopt})}});
  EXPECT_THAT(read_column(table, "n")->numbers, ElementsAre(1, 2));
  EXPECT_THAT(read_column(table, "t")->texts, ElementsAre("a", ""));
  const Value rows = Value::list({map({{"n", Value::integer(1)}}), map({{"n", Value::real(2.5)}})});
  EXPECT_THAT(read_column(rows, "n")->numbers, ElementsAre(1, 2.5));
  const Value lists = map({{"n", Value::list({Value::integer(3), Value::null()})}});
  EXPECT_EQ(read_column(lists, "n")->text(0), "3");
  EXPECT_EQ(read_column(lists, "n")->text(1), "");
  EXPECT_THAT(column_names(rows), ElementsAre("n"));
}

TEST(ReadColumnTest, TurnsAMixedColumnIntoText) {
  const Value rows =
      Value::list({map({{"x", Value::integer(1)}}), map({}), map({{"x", text("b")}})});
  const auto column = read_column(rows, "x");
  ASSERT_TRUE(column.has_value());
  EXPECT_FALSE(column->is_number);
  EXPECT_THAT(column->texts, ElementsAre("1", "", "b"));
}

TEST(ReadColumnTest, NamesTheColumnsThereAre) {
  const Value table =
      make_table({{make_column("mean_delay", Numbers{1}), make_column("flights", Integers{1})}});
  const auto error = read_column(table, "delay").error();
  EXPECT_EQ(error.code(), base::ErrorCode::kNotFound);
  EXPECT_THAT(error.message(), HasSubstr("no column 'delay': there are mean_delay, flights"));
  EXPECT_THAT(read_column(Value::integer(3), "x").error().message(), HasSubstr("seen int"));
}

}  // namespace
}  // namespace penstock::report
