#include "penstock/report/progress.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/report/test_table.h"

namespace penstock::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ProgressTest : public ::testing::Test {
 protected:
  Progress make(ProgressOptions options) {
    options.sink = [this](std::string_view text) { written_.emplace_back(text); };
    options.clock_ns = [this] { return now_ns_; };
    return Progress(std::move(options));
  }
  void start(Progress& progress) { progress.on_start(*plan_, {.runner = "threads"}); }
  void tick_at(Progress& progress, double seconds) {
    now_ns_ = static_cast<std::int64_t>(seconds * 1e9);
    progress.on_tick(metrics_);
  }

  std::shared_ptr<const flow::Plan> plan_ = testing::make_plan(
      "nodes:\n  count: {type: test.count, params: {limit: 40}}\n  double: {type: test.add, "
      "depends: [{a: count.value}, {b: count.value}]}\n"
      "  out: {type: return, depends: double.value}\n");
  flow::RunMetrics metrics_{plan_->nodes().size()};
  std::int64_t now_ns_ = 0;
  std::vector<std::string> written_;
};

TEST_F(ProgressTest, SaysNothingOfAShortRun) {
  Progress progress = make({.is_terminal = true});
  start(progress);
  tick_at(progress, 0.5);
  tick_at(progress, 1.99);
  progress.on_finish({}, metrics_);
  EXPECT_TRUE(written_.empty());
}

TEST_F(ProgressTest, DrawsARowPerNodeAndRedrawsInPlace) {
  Progress progress = make({.is_terminal = true, .total_epochs = 40});
  start(progress);
  metrics_.epochs_finished = 10;
  flow::NodeMetrics& node = metrics_.node(plan_->find_node("double"));
  node.runs = 10;
  node.running = 1;
  for (int i = 0; i < 10; ++i) {
    node.duration.add(200'000'000);
  }
  tick_at(progress, 2.4);
  ASSERT_EQ(written_.size(), 1U);
  EXPECT_THAT(written_[0], HasSubstr("running (threads): 2 s, epoch 10 of 40, 4.2/s, 7 s left\n"));
  EXPECT_THAT(written_[0], HasSubstr("double  running       10/40"));
  EXPECT_THAT(written_[0], HasSubstr("200 ms each"));
  EXPECT_THAT(written_[0], HasSubstr("count   waits          0/40"));
  EXPECT_THAT(written_[0], Not(HasSubstr("\x1b[3")));  // no colour unless asked for
  tick_at(progress, 2.45);
  EXPECT_EQ(written_.size(), 1U);  // not more than ten times a second
  tick_at(progress, 2.55);
  ASSERT_EQ(written_.size(), 2U);
  EXPECT_THAT(written_[1], StartsWith("\x1b[4A\r\x1b[J"));
  progress.on_finish({}, metrics_);
  EXPECT_EQ(written_.back(), "\x1b[4A\r\x1b[J");
}

TEST_F(ProgressTest, ShowsBusyNodesFirstWhenNotAllFit) {
  std::string yaml = "nodes:\n";
  for (int i = 0; i < 100; ++i) {
    yaml += "  n" + std::to_string(i) + ": {type: test.count, params: {limit: 40}}\n";
  }
  plan_ = testing::make_plan(yaml);
  flow::RunMetrics metrics(plan_->nodes().size());
  metrics.node(plan_->find_node("n77")).running = 1;
  Progress progress = make({.is_terminal = true, .color = true, .height = 12});
  start(progress);
  now_ns_ = 3'000'000'000;
  progress.on_tick(metrics);
  EXPECT_THAT(written_.at(0), HasSubstr("\x1b[32m  n77 "));
  EXPECT_THAT(written_.at(0), HasSubstr("... 92 more nodes"));
}

TEST_F(ProgressTest, PrintsAPlainLineEveryTenSecondsWithoutATerminal) {
  Progress progress = make({});
  start(progress);
  metrics_.node(plan_->find_node("double")).running = 1;
  tick_at(progress, 9.9);
  EXPECT_TRUE(written_.empty());
  metrics_.epochs_finished = 3;
  tick_at(progress, 10);
  tick_at(progress, 19);
  tick_at(progress, 75);
  ASSERT_EQ(written_.size(), 2U);
  EXPECT_EQ(written_[0], "penstock: 10 s, epoch 3, 0.3/s; running double\n");
  EXPECT_EQ(written_[1], "penstock: 1 min 15 s, epoch 3, 0.0/s; running double\n");
  progress.on_finish({}, metrics_);
  EXPECT_EQ(written_.size(), 2U);
}

TEST(UseColorTest, ObeysTheOptionThenTheEnvironmentThenTheTerminal) {
  EXPECT_TRUE(use_color(ColorMode::kAlways, -1));
  EXPECT_FALSE(use_color(ColorMode::kNever, -1));
  EXPECT_FALSE(use_color(ColorMode::kAuto, -1));  // no terminal
}

TEST(DurationTextTest, UsesTheUnitsPeopleRead) {
  EXPECT_EQ(duration_text(112e-9), "112 ns");
  EXPECT_EQ(duration_text(5e-6), "5 us");
  EXPECT_EQ(duration_text(0.05), "50 ms");
  EXPECT_EQ(duration_text(0.9996), "1 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(185), "3 min 5 s");
  EXPECT_EQ(duration_text(8040), "2 h 14 min");
}

}  // namespace
}  // namespace penstock::report
