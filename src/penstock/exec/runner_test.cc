// Whole runs of native tubes: the inline executor states what is right, threads must agree.
#include "penstock/flow/runner.h"

#include <memory>
#include <new>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/exec/inline_executor.h"
#include "penstock/exec/thread_executor.h"
#include "penstock/flow/metrics.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::exec {
namespace {

using core::Value;
using ::testing::HasSubstr;

struct Setup {
  int threads;  // 0 = inline
  std::optional<std::uint64_t> shuffle;
};

class RunnerTest : public ::testing::TestWithParam<Setup> {
 protected:
  std::shared_ptr<const flow::Plan> compile(const std::string& yaml) {
    static const core::Registry registry = flow::testing::make_registry();
    static const flow::RegistryResolver resolver(registry);
    auto spec = flow::parse_spec(yaml);
    if (!spec.has_value()) {
      ADD_FAILURE() << flow::to_error(spec.error()).message();
      return nullptr;
    }
    const flow::Resolver* resolvers[] = {&resolver};
    auto plan = flow::Plan::compile(*spec, resolvers);
    if (!plan.has_value()) {
      ADD_FAILURE() << flow::to_error(plan.error()).message();
      return nullptr;
    }
    return *plan;
  }

  std::unique_ptr<flow::Runner> make(const std::string& yaml) {
    std::unique_ptr<flow::Executor> executor;
    flow::RunnerOptions options;
    options.shuffle = GetParam().shuffle;
    if (GetParam().threads > 0) {
      executor = std::make_unique<ThreadExecutor>(GetParam().threads);
      options.max_epochs_in_flight = 8;
    } else {
      executor = std::make_unique<InlineExecutor>();
    }
    return std::make_unique<flow::Runner>(compile(yaml), std::move(executor), options);
  }

  std::vector<Value> run_all(flow::Runner& runner, std::optional<std::int64_t> n = {}) {
    std::vector<Value> results;
    const auto status = runner.run(n, {}, [&](flow::EpochResult result) -> base::Status {
      if (!result.value.is_absent()) {
        results.push_back(result.value);
      }
      return {};
    });
    EXPECT_TRUE(status.has_value()) << status.error().to_string();
    return results;
  }
};

INSTANTIATE_TEST_SUITE_P(Executors, RunnerTest,
                         ::testing::Values(Setup{0, {}}, Setup{0, 7}, Setup{2, {}}, Setup{2, 11},
                                           Setup{4, 13}));

std::vector<Value> integers(std::initializer_list<std::int64_t> values) {
  std::vector<Value> out;
  for (const std::int64_t value : values) {
    out.push_back(Value::integer(value));
  }
  return out;
}

TEST_P(RunnerTest, RunsUntilTheSourceEnds) {
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 4}}
  double: {type: test.add, depends: [{a: count.value}, {b: count.value}]}
  out: {type: return, depends: double.value}
)");
  EXPECT_EQ(run_all(*runner), integers({0, 2, 4, 6}));
}

/// The workers that ran nodes.
class WorkersSeen final : public flow::Observer {
 public:
  std::uint32_t detail() const override { return kNodeRuns; }
  void on_node_run(const flow::NodeRun& run) override { workers.insert(run.worker); }
  std::set<std::int32_t> workers;
};

TEST_P(RunnerTest, SaysWhichWorkerRanANode) {
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 200}}
  double: {type: test.add, depends: [{a: count.value}, {b: count.value}]}
  out: {type: return, depends: double.value}
)");
  const auto seen = std::make_shared<WorkersSeen>();
  runner->add_observer(seen);
  EXPECT_EQ(run_all(*runner).size(), 200U);
  ASSERT_FALSE(seen->workers.empty());
  EXPECT_GE(*seen->workers.begin(), 0);
  EXPECT_LE(*seen->workers.rbegin(), GetParam().threads);
  if (GetParam().threads > 0) {
    EXPECT_GT(*seen->workers.rbegin(), 0);  // 0 is the runner's own thread
  }
}

TEST_P(RunnerTest, EndsWhenNothingThatIsLeftLeadsAnywhere) {
  auto runner = make(R"(
nodes:
  short: {type: test.count, params: {limit: 3}}
  long: {type: test.count, params: {limit: 1000}}
  sum: {type: test.add, depends: [{a: short.value}, {b: long.value}]}
)");
  EXPECT_TRUE(run_all(*runner).empty());
  // No more than the epochs that were begun before the short source ended.
  EXPECT_EQ(runner->metrics().nodes()[3].runs, 3);
  EXPECT_LE(runner->metrics().nodes()[2].runs, 3 + 1 + 8);
}

TEST_P(RunnerTest, SwitchesNodesBetweenEpochsAndKeepsTheirState) {
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 100}}
  sum: {type: test.sum_so_far, depends: count.value, enabled: false}
  list: {type: test.range, depends: count.value}
  each: {type: map, depends: list.value}
  odd: {type: test.odd, depends: each.value}
  out: {type: return, depends: [{sum: sum.value}, {odd: odd.value}]}
)");
  const auto process = [&] {
    const auto result = runner->process();
    EXPECT_TRUE(result.has_value());
    return result.has_value() ? result->value : Value();
  };
  const auto with_odd = [](std::initializer_list<std::int64_t> values) {
    return std::pair<std::string, Value>("odd", Value::list(integers(values)));
  };
  EXPECT_EQ(process(), Value::map({with_odd({})}));
  ASSERT_TRUE(runner->enable_node("sum").has_value());
  EXPECT_EQ(process(), Value::map({{"sum", Value::integer(1)}, with_odd({})}));
  ASSERT_TRUE(runner->disable_node("odd").has_value());
  EXPECT_EQ(process(), Value::map({{"sum", Value::integer(5)}, with_odd({})}));
  ASSERT_TRUE(runner->disable_node("each").has_value());
  ASSERT_TRUE(runner->disable_node("sum").has_value());
  EXPECT_TRUE(process().is_absent());
  ASSERT_TRUE(runner->enable_node("odd").has_value());
  ASSERT_TRUE(runner->enable_node("each").has_value());
  ASSERT_TRUE(runner->enable_node("sum").has_value());
  EXPECT_EQ(process(), Value::map({{"sum", Value::integer(19)}, with_odd({1, 3})}));
}

TEST_P(RunnerTest, RefusesToSwitchANodeWhileItRunsAndOneThatIsNotThere) {
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 3}}
  out: {type: return, depends: count.value}
)");
  int num_refused = 0;
  const auto status = runner->run({}, {}, [&](const flow::EpochResult& /*result*/) -> base::Status {
    const auto refused = runner->disable_node("out");
    num_refused += !refused.has_value() && refused.error().id() == "PS0430" ? 1 : 0;
    return {};
  });
  EXPECT_TRUE(status.has_value());
  EXPECT_EQ(num_refused, 4);  // the last epoch is that in which the source ended
  const auto unknown = runner->enable_node("coumt");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().id(), "PS0431");
  EXPECT_EQ(unknown.error().help(), "did you mean 'count'?");
}

// A value on the heap that may be large sends the loop from the fast path to the ordinary one.
TEST_P(RunnerTest, GivesTheSameWithLargeValues) {
  auto runner = make(R"(
input:
  n: {type: int, scope: process}
nodes:
  list: {type: test.range, depends: input.n}
  each: {type: map, depends: list.value}
  odd: {type: test.odd, depends: each.value}
  more: {type: test.range, depends: odd.value}
  out: {type: return, depends: [{odd: odd.value}, {more: more.value}]}
)");
  for (std::int64_t n = 0; n < 40; ++n) {
    const auto result = runner->process(Value::map({{"n", Value::integer(n)}}));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->value.find("odd")->as_list().size(), static_cast<std::size_t>(n / 2));
    EXPECT_EQ(result->value.find("more")->as_list().size(), static_cast<std::size_t>(n / 2));
  }
}

TEST_P(RunnerTest, KeepsStatefulNodesInEpochOrder) {
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 200}}
  sum: {type: test.sum_so_far, depends: count.value}
  out: {type: return, depends: sum.value}
)");
  const auto results = run_all(*runner);
  ASSERT_EQ(results.size(), 200U);
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < 200; ++i) {
    sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) * 3U +
                                    static_cast<std::uint64_t>(i));
    ASSERT_EQ(results[static_cast<std::size_t>(i)].as_int(), sum) << i;
  }
}

TEST_P(RunnerTest, GathersWhatTheMapKeptInOrder) {
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 6}}
  range: {type: test.range, depends: count.value}
  each: {type: map, depends: range.value}
  odd: {type: test.odd, depends: each.value}
  plus: {type: test.add, depends: [{a: odd.value}, {b: count.value}]}
  sum: {type: test.sum_so_far, depends: plus.value}
  all: {type: gather, depends: plus.value}
  out: {type: return, depends: [{all: all.value}, {n: each.n}, {sums: sum.value}]}
)");
  const auto results = run_all(*runner);
  ASSERT_EQ(results.size(), 6U);
  EXPECT_EQ(*results[0].find("all"), Value::list({}));
  EXPECT_EQ(results[0].find("n"), nullptr);
  EXPECT_EQ(*results[5].find("all"), Value::list(integers({6, 8})));
  EXPECT_EQ(results[5].find("n")->as_int(), 5);
  // sums over epochs 2..5: 3 | 4 | 5, 7 | 6, 8 with sum = 3 * sum + value, in this order.
  std::int64_t sum = 0;
  std::vector<Value> last;
  for (const std::vector<std::int64_t>& epoch :
       std::vector<std::vector<std::int64_t>>{{3}, {4}, {5, 7}, {6, 8}}) {
    last.clear();
    for (const std::int64_t value : epoch) {
      sum = sum * 3 + value;
      last.push_back(Value::integer(sum));
    }
  }
  EXPECT_EQ(*results[5].find("sums"), Value::list(last));
}

TEST_P(RunnerTest, AnErrorClosesItsEpochAndTheRunnerGoesOn) {
  auto runner = make(R"(
input:
  n: {type: int, scope: process}
nodes:
  range: {type: test.range, depends: input.n}
  each: {type: map, depends: range.value}
  odd: {type: test.odd, depends: each.value}
  bad: {type: test.fail, depends: odd.value}
  out: {type: return, depends: [{a: odd.value}, {b: bad.value}]}
)");
  for (int round = 0; round < 3; ++round) {
    const auto failed = runner->process(Value::map({{"n", Value::integer(3)}}));
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().code(), base::ErrorCode::kOutOfRange);
    EXPECT_THAT(failed.error().origin(), HasSubstr("node 'bad', epoch"));
    const auto fine = runner->process(Value::map({{"n", Value::integer(1)}}));
    ASSERT_TRUE(fine.has_value()) << fine.error().to_string();
    EXPECT_EQ(*fine->value.find("a"), Value::list({}));
  }
}

TEST_P(RunnerTest, AMissingInputIsAnErrorBeforeAnythingRuns) {
  auto runner = make(R"(
input:
  n: {type: int, scope: process}
nodes:
  range: {type: test.range, depends: input.n}
  out: {type: return, depends: range.value}
)");
  const auto failed = runner->process({});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().id(), "PS0301");
  EXPECT_THAT(failed.error().message(), HasSubstr("'n'"));
}

TEST_P(RunnerTest, NestedMapsKeepOrderAndBroadcast) {
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 5}}
  range: {type: test.range, depends: count.value}
  outer: {type: map, depends: range.value}
  inner_range: {type: test.range, depends: outer.value}
  inner: {type: map, depends: inner_range.value}
  mix: {type: test.add, depends: [{a: inner.value}, {b: count.value}]}
  seq: {type: test.sum_so_far, depends: inner.value}
  rows: {type: gather, depends: mix.value}
  table: {type: gather, depends: rows.value}
  out: {type: return, depends: [{table: table.value}, {flat: mix.value}]}
)");
  const auto results = run_all(*runner);
  ASSERT_EQ(results.size(), 5U);
  EXPECT_EQ(*results[3].find("table"), Value::list({Value::list({}), Value::list(integers({3})),
                                                    Value::list(integers({3, 4}))}));
  EXPECT_EQ(*results[3].find("flat"), Value::list(integers({3, 3, 4})));
}

/// Has no memory for the second result.
class NoMemoryObserver final : public flow::Observer {
 public:
  void on_result(std::int64_t root_epoch, const core::Value& /*value*/) override {
    if (root_epoch == 1) {
      throw std::bad_alloc();
    }
  }
};

TEST_P(RunnerTest, WithoutMemoryForItsOwnPartOnlyEnds) {
  auto runner =
      make("nodes:\n  a: {type: test.count}\n  out: {type: return, depends: [a.value]}\n");
  runner->add_observer(std::make_shared<NoMemoryObserver>());
  EXPECT_TRUE(runner->process().has_value());
  const auto failed = runner->process();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().id(), "PS0440");
  EXPECT_EQ(failed.error().code(), base::ErrorCode::kResourceExhausted);
  const auto refused = runner->process();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().id(), "PS0441");
  EXPECT_EQ(runner->disable_node("a").error().id(), "PS0441");
  EXPECT_TRUE(runner->deinit().has_value());
  EXPECT_EQ(runner->init().error().id(), "PS0441");
}

}  // namespace
}  // namespace penstock::exec
