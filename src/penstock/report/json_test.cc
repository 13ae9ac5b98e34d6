#include "penstock/report/json.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/tensor.h"
#include "penstock/report/test_table.h"

namespace penstock::report {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the test's own helpers
using core::Value;
using ::testing::HasSubstr;

TEST(ToJsonTest, WritesEveryPlainKind) {
  const Value value =
      map({{"null", Value::null()},
           {"bool", Value::boolean(true)},
           {"int", Value::integer(INT64_MAX)},
           {"float", Value::real(0.5)},
           {"nan", Value::real(NAN)},
           {"text", text("a<b")},
           {"bytes", Value::bytes("foo")},
           {"tuple", Value::tuple({Value::integer(1), Value::list({})})},
           {"big", Value::big_integer(true, std::string("\x01\0\0\0\0\0\0\0\0", 9))}});
  EXPECT_EQ(
      to_json(value),
      R"({"null":null,"bool":true,"int":9223372036854775807,"float":0.5,"nan":null,"text":"a<b",)"
      R"("bytes":"Zm9v","tuple":[1,[]],"big":-18446744073709551616})");
}

TEST(ToJsonTest, WritesSmallTablesWholeAndLargeOnesAsSample) {
  const Value table = make_table(
      {{make_column("a", Integers{1, 2, 3}), make_column("b", Texts{"x", "y", std::nullopt})}});
  EXPECT_EQ(
      to_json(table),
      R"({"columns":["a","b"],"types":["int64","utf8"],"num_rows":3,"rows":[[1,"x"],[2,"y"],[3,null]]})");
  EXPECT_EQ(to_json(table, {.max_rows = 2, .sample_rows = 1}),
            R"({"columns":["a","b"],"types":["int64","utf8"],"num_rows":3,"sample":[[1,"x"]]})");
}

TEST(ToJsonTest, WritesTensorsInLogicalOrder) {
  auto buffer = core::Buffer::allocate(6 * 4);
  for (int i = 0; i < 6; ++i) {
    const auto value = static_cast<std::int32_t>(i);
    std::memcpy(buffer->mutable_data() + 4 * i, &value, 4);
  }
  // The transpose of a 2x3 array: strides swapped.
  const auto tensor = core::Tensor::create(core::DType::kInt32, {3, 2}, {4, 12}, buffer);
  ASSERT_TRUE(tensor.has_value());
  EXPECT_EQ(to_json(Value::tensor(*tensor)),
            R"({"dtype":"int32","shape":[3,2],"data":[0,3,1,4,2,5]})");
  EXPECT_EQ(to_json(Value::tensor(*tensor), {.max_rows = 2, .sample_rows = 2}),
            R"({"dtype":"int32","shape":[3,2],"sample":[0,3]})");
}

TEST(ToJsonTest, TagsTablesInAPageSoThatMapsCannotLookLikeThem) {
  const Value table = make_table({{make_column("a", Integers{1})}});
  EXPECT_EQ(to_json(table, kPageJson),
            R"({"$table":{"columns":["a"],"types":["int64"],"num_rows":1,"rows":[[1]]}})");
  EXPECT_EQ(to_json(Value::integer(INT64_MAX), kPageJson), R"("9223372036854775807")");
  EXPECT_EQ(to_json(Value::bytes("foo"), kPageJson), R"({"$bytes":{"length":3}})");
}

TEST(ToJsonTest, CutsLongListsTextsAndWholeValues) {
  EXPECT_EQ(to_json(Value::list({Value::integer(1), Value::integer(2), Value::integer(3)}),
                    {.max_items = 2}),
            R"([1,2,"... 1 more items"])");
  EXPECT_EQ(to_json(text("ab\xC3\xA9"), {.max_text_bytes = 3}), R"("ab... 2 more bytes")");
  std::vector<Value> rows(1000, text(std::string(100, 'x')));
  const std::string cut =
      to_json(Value::list({Value::list(rows), Value::list(rows)}), {.max_bytes = 5000});
  EXPECT_LT(cut.size(), 5500U);
  EXPECT_THAT(cut, HasSubstr("more items"));
}

TEST(ToJsonTest, StopsAtTheNestingLimit) {
  Value value = Value::null();
  for (int i = 0; i < 1'000'000; ++i) {
    value = i % 2 == 0   ? Value::list({value})
            : i % 3 == 0 ? Value::map({{"a", value}})
                         : Value::extension("type", value);
  }
  EXPECT_THAT(to_json(value), HasSubstr("nested too deeply"));
  EXPECT_THAT(to_json(value, {.in_page = true}), HasSubstr("nested too deeply"));
  EXPECT_THAT(to_json(to_shown(value)), HasSubstr("nested too deeply"));
}

TEST(AppendSummaryFieldsTest, GivesCountsAndTimesByNodeWithoutTheInputNode) {
  const auto plan = make_plan(
      "nodes:\n  count: {type: test.count, params: {limit: 4}}\n  out: {type: return, depends: "
      "count.value}\n");
  flow::RunMetrics metrics(plan->nodes().size());
  flow::NodeMetrics& node = metrics.node(plan->find_node("count"));
  node.runs = 2;
  node.duration.add(1'000'000);
  node.duration.add(3'000'000);
  JsonText out;
  out.begin_object();
  append_summary_fields(*plan, {.run_id = "r1", .runner = "sync"},
                        {.status = "ok", .elapsed_s = 0.5, .epochs = 2, .results = 2}, metrics,
                        &out);
  out.end_object();
  EXPECT_THAT(
      out.str(),
      HasSubstr(
          R"("status":"ok","run_id":"r1","runner":"sync","num_workers":1,"backend":"native","elapsed_s":0.5,"epochs":2,"results":2,)"));
  EXPECT_THAT(out.str(), HasSubstr(R"("count":{"runs":2,"failed":0,"retries":0,)"));
  EXPECT_THAT(out.str(), HasSubstr(R"("max_ms":3,"total_ms":4})"));
  EXPECT_THAT(out.str(), Not(HasSubstr("\"input\"")));
}

}  // namespace
}  // namespace penstock::report
