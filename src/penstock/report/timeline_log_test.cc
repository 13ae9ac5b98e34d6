#include "penstock/report/timeline_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/report/test_table.h"

namespace penstock::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kMapTube = R"(
nodes:
  items: {type: test.count, params: {limit: 4}}
  each: {type: map, depends: items.value}
  double: {type: test.add, depends: [{a: each.value}, {b: each.value}]}
  all: {type: gather, depends: double.value}
  out: {type: return, depends: all.value}
)";

TEST(EpochTextTest, NamesTheMapsOfThePath) {
  const auto plan = testing::make_plan(std::string(kMapTube));
  const std::vector<std::int64_t> path{5};
  EXPECT_EQ(epoch_text(*plan, {.node = plan->find_node("double"), .root_epoch = 3, .path = path}),
            "3/each[5]");
  EXPECT_EQ(epoch_text(*plan, {.node = plan->find_node("items"), .root_epoch = 3, .path = {}}),
            "3");
}

TEST(TimelineLogTest, WritesTheFirstRunsOneByOne) {
  const auto plan = testing::make_plan(std::string(kMapTube));
  TimelineLog log(*plan);
  const std::int32_t node = plan->find_node("items");
  log.add({.node = node,
           .root_epoch = 0,
           .path = {},
           .worker = 1,
           .start_us = 10,
           .duration_ns = 2499,
           .status = flow::NodeStatus::kRan});
  log.add({.node = node,
           .root_epoch = 1,
           .path = {},
           .worker = 0,
           .start_us = 20,
           .duration_ns = 2500,
           .status = flow::NodeStatus::kFailed});
  const std::string id = std::to_string(node);
  EXPECT_THAT(log.take_records(), ElementsAre(R"({"type":"node_runs","runs":[[)" + id +
                                              R"(,"0",1,10,2,0],[)" + id + R"(,"1",0,20,3,3]]})"));
  EXPECT_FALSE(log.has_pending());
}

TEST(TimelineLogTest, SumsLaterRunsUpInSlicesAndKeepsFailuresAndLongRuns) {
  const auto plan = testing::make_plan(std::string(kMapTube));
  TimelineLog log(*plan);
  const std::int32_t busy = plan->find_node("items"), other = plan->find_node("out");
  const auto add = [&](std::int32_t node, std::int64_t start_us, std::int64_t duration_us,
                       flow::NodeStatus status = flow::NodeStatus::kRan) {
    log.add({.node = node,
             .root_epoch = 0,
             .path = {},
             .worker = 0,
             .start_us = start_us,
             .duration_ns = duration_us * 1000,
             .status = status});
  };
  for (std::int64_t i = 0; i < TimelineLog::kVerbatim; ++i) {
    add(busy, i, 1);
  }
  (void)log.take_records();
  for (std::int64_t i = 0; i < 100; ++i) {
    add(i % 4 == 0 ? other : busy, 4000 + i * 10, 5);
  }
  EXPECT_FALSE(log.has_pending());
  add(busy, 4990, 5, flow::NodeStatus::kFailed);
  add(busy, 4995, 100'000);
  log.close_slice();
  const auto records = log.take_records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_THAT(records[0], HasSubstr(",0,4990,5,3],"));
  EXPECT_THAT(records[0], HasSubstr(",0,4995,100000,0]"));
  EXPECT_EQ(records[1],
            R"({"type":"slices","slices":[[0,4000,5000,500,100,)" + std::to_string(busy) + "]]}");
}

TEST(TimelineLogTest, StaysSmallHoweverLongTheRun) {
  const auto plan = testing::make_plan(std::string(kMapTube));
  TimelineLog log(*plan);
  std::size_t bytes = 0;
  // Forty days at one run a second, then at ten thousand a second for a minute.
  for (std::int64_t i = 0; i < 3'456'000; ++i) {
    log.add({.node = 1,
             .root_epoch = i,
             .path = {},
             .worker = static_cast<std::int32_t>(i % 3),
             .start_us = i * 1'000'000,
             .duration_ns = 400'000'000,
             .status = flow::NodeStatus::kRan});
    if (i % 1000 == 0) {
      for (const std::string& record : log.take_records()) {
        bytes += record.size();
      }
    }
  }
  EXPECT_LT(bytes, 1'500'000U);
}

}  // namespace
}  // namespace penstock::report
