#include "penstock/report/html_report.h"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/identity.h"
#include "penstock/flow/metrics.h"
#include "penstock/report/page.h"
#include "penstock/report/test_table.h"

namespace penstock::report {
namespace {

using core::Value;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kTube = R"(
noob_id: demo
nodes:
  count: {type: test.count, params: {limit: 4}}
  double: {type: test.add, depends: [{a: count.value}, {b: count.value}]}
  out: {type: return, depends: double.value}
report:
  - {kind: bar, data: result.t, x: a, y: a}
)";

class HtmlReportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ =
        std::filesystem::path(::testing::TempDir()) /
        (std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) + ".html");
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::shared_ptr<HtmlReport> start() {
    auto report = HtmlReport::create({.path = path_.string(),
                                      .command = "penstock run demo.yaml",
                                      .inputs = {{"month", Value::integer(3)}}});
    EXPECT_TRUE(report.has_value());
    (*report)->on_start(
        *plan_, {.run_id = "r1", .runner = "sync", .started_unix_us = 1'700'000'000'123'456});
    return *report;
  }
  /// The records of the page so far, without its fixed start.
  std::string records() const {
    std::ifstream file(path_);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_THAT(text, StartsWith(std::string(kPageStart)));
    return text.substr(kPageStart.size());
  }

  std::shared_ptr<const flow::Plan> plan_ = testing::make_plan(kTube);
  flow::RunMetrics metrics_{plan_->nodes().size()};
  std::filesystem::path path_;
};

TEST(PageTest, IsSmallAndLoadsNothing) {
  EXPECT_LT(kPageStart.size(), 400'000U);
  EXPECT_THAT(std::string(kPageStart), HasSubstr("default-src 'none'"));
  for (const char* word :
       {"<link rel=\"stylesheet\"", "src=\"", "fetch(", "XMLHttpRequest", "@import", "https://"}) {
    EXPECT_THAT(std::string(kPageStart), Not(HasSubstr(word)));
  }
}

TEST_F(HtmlReportTest, WritesTheRunBeforeAnythingRan) {
  const auto report = start();
  const std::string text = records();
  EXPECT_THAT(text, HasSubstr(R"("name":"demo")"));
  EXPECT_THAT(text, HasSubstr(R"("started_at":"2023-11-14T22:13:20.123Z")"));
  EXPECT_THAT(text, HasSubstr(R"("inputs":[{"name":"month","value":3}])"));
  EXPECT_THAT(text,
              HasSubstr(R"({"id":"double","operator":"test.add","kind":"operator","depth":0)"));
  const std::string from = std::to_string(plan_->find_node("count")),
                    to = std::to_string(plan_->find_node("double"));
  EXPECT_THAT(text, HasSubstr("[" + from + "," + to + R"(,"value","a",false])"));
}

TEST_F(HtmlReportTest, IsOnDiskAtEveryTickSoAKilledRunLeavesAPage) {
  const auto report = start();
  report->on_node_run({.node = 1,
                       .root_epoch = 0,
                       .path = {},
                       .worker = 0,
                       .start_us = 5,
                       .duration_ns = 9000,
                       .status = flow::NodeStatus::kRan});
  report->on_log(1, "hello </script>");
  EXPECT_THAT(records(), Not(HasSubstr("node_runs")));
  report->on_tick(metrics_);
  EXPECT_THAT(records(), HasSubstr(R"({"type":"node_runs","runs":[[1,"0",0,5,9,0]]})"));
  EXPECT_THAT(records(), HasSubstr("hello \\u003c/script>"));
  EXPECT_THAT(records(), Not(HasSubstr("summary")));
}

TEST_F(HtmlReportTest, EndsWithStatsAndSummaryAndTakesChangesAfterwards) {
  const auto report = start();
  const Value value = testing::map(
      {{"t", testing::make_table({{testing::make_column("a", testing::Integers{1, 2})}})}});
  report->on_result(0, value);
  flow::NodeMetrics& node = metrics_.node(plan_->find_node("count"));
  node.runs = 3;
  node.duration.add(1'500);
  node.duration.add(1'700);
  node.duration.add(70'000);
  report->on_error(
      base::Error(base::ErrorCode::kInternal, "broke").with_context("node 'double', epoch 1"));
  report->on_finish({.status = "failed", .elapsed_s = 0.25, .epochs = 2, .results = 1}, metrics_);
  report->add_changes(
      {.run_id = "r0",
       .items = {{.name = "input month", .kind = "changed", .before = "2", .after = "3"}},
       .node_total_ms = {{"count", 2.5}}});
  const std::string text = records();
  EXPECT_THAT(text, HasSubstr("\"cid\":\"" + core::cid(value)->to_string() + "\""));
  EXPECT_THAT(text, HasSubstr(R"("value":{"t":{"$table":)"));
  EXPECT_THAT(text, HasSubstr(R"({"type":"plot","id":0,"kind":"bar")"));
  EXPECT_THAT(text, HasSubstr(R"("hist":[10,[2,0,0,0,0,0,1]])"));  // 2^10 ns <= 1.5 us < 2^11 ns
  EXPECT_THAT(text, HasSubstr(R"("origin":"node 'double', epoch 1","message":"broke")"));
  EXPECT_THAT(text, HasSubstr(R"({"type":"summary","status":"failed")"));
  EXPECT_THAT(text,
              HasSubstr(R"({"name":"input month","kind":"changed","before":"2","after":"3"})"));
  EXPECT_THAT(text, HasSubstr(R"({"id":"count","total_ms":2.5})"));
}

TEST_F(HtmlReportTest, BoundsTheResultsOfALongRun) {
  const auto report = start();
  for (std::int64_t i = 0; i < 100'000; ++i) {
    report->on_result(i, Value::integer(i));
  }
  report->on_finish({.status = "ok", .results = 100'000}, metrics_);
  const std::string text = records();
  EXPECT_LT(text.size(), 60'000U);
  EXPECT_THAT(text, HasSubstr(R"("epoch":65535,)"));  // number 2^16
  EXPECT_THAT(text, HasSubstr(R"("epoch":99999,)"));  // the last one, with its value
  EXPECT_THAT(text, HasSubstr(R"("value":99999})"));
}

TEST_F(HtmlReportTest, SaysWhyTheFileCannotBeWritten) {
  const auto report = HtmlReport::create({.path = (path_ / "no" / "such.html").string()});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code(), base::ErrorCode::kUnavailable);
  EXPECT_THAT(report.error().message(), HasSubstr("such.html': No such file or directory"));
}

}  // namespace
}  // namespace penstock::report
