// What the history keeps of a run, seen through the observer that writes it.
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/history.h"
#include "penstock/flow/metrics.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::flow {
namespace {

using core::Value;
using ::testing::Pair;
using ::testing::SizeIs;

class HistoryObserverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("penstock-observer-{}-{}", getpid(),
                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    static const core::Registry registry = testing::make_registry();
    static const RegistryResolver resolver(registry);
    const auto spec = parse_spec("nodes:\n  count: {type: test.count, params: {limit: 4}}\n");
    ASSERT_TRUE(spec.has_value());
    const Resolver* resolvers[] = {&resolver};
    auto plan = Plan::compile(*spec, resolvers);
    ASSERT_TRUE(plan.has_value());
    plan_ = *plan;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The record of a run with the numbers below `num_results` as results.
  RunRecord run(std::int64_t num_results, std::vector<core::MapEntry> inputs = {}) {
    HistoryObserver observer(folder_.string());
    observer.set_inputs(std::move(inputs));
    observer.on_start(*plan_, {.run_id = "r1"});
    for (std::int64_t epoch = 0; epoch < num_results; ++epoch) {
      observer.on_result(epoch, Value::integer(epoch));
    }
    observer.on_finish({.status = "ok"}, RunMetrics(plan_->nodes().size()));
    EXPECT_FALSE(observer.error().has_value()) << observer.error()->message();
    return observer.record();
  }

  std::filesystem::path folder_;
  std::shared_ptr<const Plan> plan_;
};

TEST_F(HistoryObserverTest, KeepsTheFirstResultsAndTheLast) {
  for (const std::int64_t count : {1, 31, 32, 33, 34, 60}) {
    SCOPED_TRACE(::testing::Message() << count << " results");
    const RunRecord record = run(count);
    ASSERT_THAT(record.cids, SizeIs(static_cast<std::size_t>(count)));
    for (std::int64_t i = 0; i < count; ++i) {
      const ResultRecord& result = record.cids[static_cast<std::size_t>(i)];
      EXPECT_EQ(result.epoch, i);
      EXPECT_FALSE(result.cid.empty());
      EXPECT_EQ(!result.root.empty(), i < 32 || i + 1 == count) << "result " << i;
    }
  }
}

TEST_F(HistoryObserverTest, CutsLongInputsBetweenCharacters) {
  const std::string fits(200, 'x'), long_one(201, 'x');
  std::string wide;
  for (int i = 0; i < 101; ++i) {
    wide += "\xC3\xA9";
  }
  const RunRecord record = run(0, {{"fits", Value::text(fits)},
                                   {"long", Value::text(long_one)},
                                   {"wide", Value::text("x" + wide)},
                                   {"lines", Value::text("  two\nlines ")},
                                   {"number", Value::integer(7)}});
  EXPECT_THAT(record.inputs,
              ::testing::ElementsAre(Pair("fits", fits), Pair("long", fits + "..."),
                                     Pair("wide", "x" + wide.substr(0, 198) + "..."),
                                     Pair("lines", "two lines"), Pair("number", "7")));
}

}  // namespace
}  // namespace penstock::flow
