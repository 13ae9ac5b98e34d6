#include "penstock/report/json_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/identity.h"
#include "penstock/flow/metrics.h"
#include "penstock/report/test_table.h"

namespace penstock::report {
namespace {

using core::Value;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(JsonLinesTest, PrintsResultsErrorsAndTheSummaryOneALine) {
  const auto plan = testing::make_plan(
      "nodes:\n  count: {type: test.count, params: {limit: 4}}\n  out: {type: return, depends: "
      "count.value}\n");
  std::vector<std::string> lines;
  JsonLines json([&](std::string_view line) { lines.emplace_back(line); });
  json.on_start(*plan, {.run_id = "r1", .runner = "threads", .num_workers = 2});
  json.on_result(0, Value::text("two\nlines"));
  json.on_error(base::Error(base::ErrorCode::kNotFound, "no file")
                    .with_id("PS0401")
                    .with_context("node 'a', epoch 1"));
  json.on_finish({.status = "failed", .elapsed_s = 1.5}, flow::RunMetrics(plan->nodes().size()));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], R"({"epoch":0,"cid":")" + core::cid(Value::text("two\nlines"))->to_string() +
                          R"(","value":"two\nlines"})" + "\n");
  EXPECT_EQ(
      lines[1],
      R"({"error":{"id":"PS0401","code":"not_found","origin":"node 'a', epoch 1","message":"no file"}})"
      "\n");
  EXPECT_THAT(
      lines[2],
      StartsWith(
          R"({"summary":{"status":"failed","run_id":"r1","runner":"threads","num_workers":2)"));
  EXPECT_THAT(lines[2], HasSubstr(R"("nodes":{"count":{)"));
}

}  // namespace
}  // namespace penstock::report
