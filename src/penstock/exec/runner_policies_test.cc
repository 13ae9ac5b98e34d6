// Attempts, deadlines and resources of native nodes, on this thread and on threads.
#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/base/clock.h"
#include "penstock/exec/inline_executor.h"
#include "penstock/exec/thread_executor.h"
#include "penstock/flow/metrics.h"
#include "penstock/flow/runner.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::exec {
namespace {

using core::Value;
using ::testing::HasSubstr;

/// What the nodes of one test do and have seen.
struct Script {
  std::atomic<int> calls{0};
  int failures = 0;  ///< so many calls of test.flaky fail
  base::ErrorCode code = base::ErrorCode::kUnavailable;
  std::atomic<int> active{0}, most_active{0};
};
Script* script = nullptr;

core::Registry make_registry() {
  core::Registry registry = flow::testing::make_registry();
  flow::testing::add_function(registry, flow::testing::make_spec("test.flaky", {"x"}),
                              [](core::Call& call) -> base::Result<core::Step> {
                                call.outputs[0] =
                                    *call.inputs[0];  // also when it fails: nobody may see it
                                if (script->calls.fetch_add(1) < script->failures) {
                                  return base::fail(script->code, "not yet");
                                }
                                return core::Step::kDone;
                              });
  flow::testing::add_function(registry, flow::testing::make_spec("test.endless", {"x"}),
                              [](core::Call& call) -> base::Result<core::Step> {
                                ++script->calls;
                                while (!call.context->is_cancelled()) {
                                  std::this_thread::yield();
                                }
                                return base::fail(base::ErrorCode::kCancelled, "told to end");
                              });
  flow::testing::add_function(
      registry, flow::testing::make_spec("test.busy", {"x"}), [](core::Call& call) {
        const int now = ++script->active;
        int most = script->most_active;
        while (most < now && !script->most_active.compare_exchange_weak(most, now)) {
        }
        const std::int64_t end = base::monotonic_ns() + 200'000;
        while (base::monotonic_ns() < end) {
        }
        --script->active;
        call.outputs[0] = *call.inputs[0];
        return core::Step::kDone;
      });
  core::OperatorSpec stateful = flow::testing::make_spec("test.flaky_in_order", {"x"});
  stateful.stateful = true;
  flow::testing::add_function(
      registry, std::move(stateful), [](core::Call& call) -> base::Result<core::Step> {
        if (script->calls.fetch_add(1) % 3 != 2) {
          return base::fail(base::ErrorCode::kUnavailable, "not yet");
        }
        call.outputs[0] = Value::integer(10 * script->calls.load() + call.inputs[0]->as_int());
        return core::Step::kDone;
      });
  return registry;
}

class RunnerPoliciesTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { script = &script_; }
  void TearDown() override { script = nullptr; }

  std::unique_ptr<flow::Runner> make(const std::string& yaml, flow::RunnerOptions options = {}) {
    static const core::Registry registry = make_registry();
    static const flow::RegistryResolver resolver(registry);
    const flow::Resolver* resolvers[] = {&resolver};
    auto spec = flow::parse_spec(yaml);
    EXPECT_TRUE(spec.has_value()) << flow::to_error(spec.error()).message();
    auto plan = flow::Plan::compile(*spec, resolvers);
    EXPECT_TRUE(plan.has_value()) << flow::to_error(plan.error()).message();
    std::unique_ptr<flow::Executor> executor;
    if (GetParam() > 0) {
      executor = std::make_unique<ThreadExecutor>(GetParam());
      options.max_epochs_in_flight = 8;
    } else {
      executor = std::make_unique<InlineExecutor>();
    }
    options.clock = clock_;
    return std::make_unique<flow::Runner>(*plan, std::move(executor), options);
  }

  std::vector<std::int64_t> run_all(flow::Runner& runner) {
    std::vector<std::int64_t> results;
    const auto status = runner.run({}, {}, [&](flow::EpochResult result) -> base::Status {
      if (!result.value.is_absent()) {
        results.push_back(result.value.as_int());
      }
      return {};
    });
    EXPECT_TRUE(status.has_value()) << status.error().to_string();
    return results;
  }

  Script script_;
  std::shared_ptr<base::VirtualClock> clock_ = std::make_shared<base::VirtualClock>();
};

INSTANTIATE_TEST_SUITE_P(Executors, RunnerPoliciesTest, ::testing::Values(0, 2));

const char* const kFlaky = R"(
nodes:
  count: {type: test.count, params: {limit: 3}}
  flaky: {type: test.flaky, depends: count.value, 
          retry: {attempts: 4, backoff_ms: 60000, max_ms: 600000, jitter: 0}}
  out: {type: return, depends: flaky.value}
)";

TEST_P(RunnerPoliciesTest, AFailedCallIsMadeAgainAfterItsWait) {
  script_.failures = 3;
  auto runner = make(kFlaky);
  EXPECT_EQ(run_all(*runner), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(script_.calls, 6);
  EXPECT_EQ(runner->summary().retries, 3);
  const auto& counts = runner->metrics().nodes()[2];
  EXPECT_EQ(counts.runs, 3);
  EXPECT_EQ(counts.failed, 0);
  EXPECT_EQ(counts.retries, 3);
  EXPECT_GE(clock_->now_ns(), std::int64_t{60} * 1'000'000'000);
}

TEST_P(RunnerPoliciesTest, TheLastErrorSaysHowOftenItWasTried) {
  script_.failures = 100;
  auto runner = make(kFlaky);
  const auto failed = runner->process();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), base::ErrorCode::kUnavailable);
  EXPECT_EQ(failed.error().origin(), "node 'flaky', epoch 0, after 4 attempts");
  EXPECT_EQ(script_.calls, 4);
  EXPECT_EQ(clock_->now_ns() / 1'000'000, 60'000 + 120'000 + 240'000);
  script_.failures = 0;
  const auto fine = runner->process();
  ASSERT_TRUE(fine.has_value()) << fine.error().to_string();
  EXPECT_EQ(fine->value.as_int(), 1);
}

TEST_P(RunnerPoliciesTest, OnlyNamedErrorsAreTriedAgain) {
  script_.failures = 100;
  script_.code = base::ErrorCode::kInvalidArgument;
  auto runner = make(R"(
nodes:
  count: {type: test.count}
  flaky: {type: test.flaky, depends: count.value, retry: {attempts: 4, on: [unavailable]}}
  out: {type: return, depends: flaky.value}
)");
  const auto failed = runner->process();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().origin(), "node 'flaky', epoch 0");
  EXPECT_EQ(script_.calls, 1);
}

TEST_P(RunnerPoliciesTest, AStatefulNodeKeepsItsOrder) {
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 4}}
  flaky: {type: test.flaky_in_order, depends: count.value, retry: 3}
  out: {type: return, depends: flaky.value}
)");
  EXPECT_EQ(run_all(*runner), (std::vector<std::int64_t>{30, 61, 92, 123}));
}

TEST_P(RunnerPoliciesTest, ElementsOfAMapAreTriedAgainOneByOne) {
  script_.failures = 7;
  auto runner = make(R"(
nodes:
  count: {type: test.count, params: {limit: 6}}
  range: {type: test.range, depends: count.value}
  each: {type: map, depends: range.value}
  flaky: {type: test.flaky, depends: each.value, retry: 8}
  all: {type: gather, depends: flaky.value}
  n: {type: test.range, depends: each.n}
  out: {type: return, depends: [{all: all.value}]}
)");
  std::vector<Value> seen;
  const auto status = runner->run({}, {}, [&](flow::EpochResult result) -> base::Status {
    if (!result.value.is_absent()) {
      seen.push_back(*result.value.find("all"));
    }
    return {};
  });
  ASSERT_TRUE(status.has_value()) << status.error().to_string();
  ASSERT_EQ(seen.size(), 6U);
  for (std::size_t epoch = 0; epoch < seen.size(); ++epoch) {
    const auto& items = seen[epoch].as_list();
    ASSERT_EQ(items.size(), epoch);
    for (std::size_t i = 0; i < epoch; ++i) {
      EXPECT_EQ(items[i].as_int(), static_cast<std::int64_t>(i));
    }
  }
  EXPECT_EQ(runner->summary().retries, 7);
}

TEST_P(RunnerPoliciesTest, AnotherFailureOfTheEpochEndsTheWait) {
  script_.failures = 1'000'000;
  auto runner = make(R"(
input:
  n: {type: int, scope: process}
nodes:
  flaky: {type: test.flaky, depends: input.n, retry: {attempts: 3, backoff_ms: 3600000, max_ms: 3600000}}
  bad: {type: test.fail, depends: input.n}
  out: {type: return, depends: [{a: flaky.value}, {b: bad.value}]}
)");
  const auto failed = runner->process(Value::map({{"n", Value::integer(1)}}));
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().origin(), "node 'bad', epoch 0");
  EXPECT_LT(clock_->now_ns(), std::int64_t{60} * 1'000'000'000);
}

TEST_P(RunnerPoliciesTest, ACancelledRunDoesNotWaitForTheNextAttempt) {
  script_.failures = 1'000'000;
  core::CancelToken cancel;
  auto runner = make(
      R"(
input:
  n: {type: int, scope: process}
nodes:
  flaky: {type: test.flaky, depends: input.n, retry: {attempts: 900000, backoff_ms: 1, max_ms: 1}}
  out: {type: return, depends: flaky.value}
)",
      {.cancel = &cancel});
  std::jthread other([&] {
    while (script_.calls < 20) {
      std::this_thread::yield();
    }
    cancel.cancel();
  });
  const auto failed = runner->process(Value::map({{"n", Value::integer(1)}}));
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), base::ErrorCode::kCancelled);
}

TEST_P(RunnerPoliciesTest, ANodeThatIsToldToEndEndsTheRunInOurWords) {
  core::CancelToken cancel;
  auto runner = make(
      R"(
input:
  n: {type: int, scope: process}
nodes:
  slow: {type: test.endless, depends: input.n, retry: 3}
)",
      {.cancel = &cancel});
  std::jthread other([&] {
    while (script_.calls == 0) {
      std::this_thread::yield();
    }
    cancel.cancel();
  });
  const auto failed = runner->process(Value::map({{"n", Value::integer(1)}}));
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), base::ErrorCode::kCancelled);
  EXPECT_EQ(failed.error().message(), "interrupted");
  EXPECT_EQ(script_.calls, 1);
}

TEST_P(RunnerPoliciesTest, ACallThatLooksAtTheClockEndsAtItsDeadline) {
  auto runner = make(R"(
input:
  n: {type: int, scope: process}
nodes:
  slow: {type: test.endless, depends: input.n, timeout_ms: 3, retry: {attempts: 2, on: deadline_exceeded}}
  out: {type: return, depends: slow.value}
)");
  const auto failed = runner->process(Value::map({{"n", Value::integer(1)}}));
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code(), base::ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(failed.error().id(), "PS0413");
  EXPECT_EQ(failed.error().origin(), "node 'slow', epoch 0, after 2 attempts");
  EXPECT_THAT(failed.error().message(), HasSubstr("timeout_ms=3"));
  EXPECT_EQ(script_.calls, 2);
}

TEST_P(RunnerPoliciesTest, CallsNeverUseMoreThanThereIs) {
  auto runner = make(
      R"(
nodes:
  count: {type: test.count, params: {limit: 40}}
  busy: {type: test.busy, depends: count.value, resources: {cpu: 0.6}}
  out: {type: return, depends: busy.value}
)",
      {.resources = flow::Resources{.cpu_milli = 1'000}});
  EXPECT_EQ(run_all(*runner).size(), 40U);
  EXPECT_EQ(script_.most_active, 1);
}

TEST_P(RunnerPoliciesTest, ANodeThatAsksForMoreThanThereIsIsOneErrorAtTheStart) {
  const char* const tube = R"(
nodes:
  count: {type: test.count}
  big: {type: test.busy, depends: count.value, resources: {memory: 2GiB, io: 1}, where: gpu}
)";
  auto runner = make(tube, {.resources = flow::Resources{.io = 1, .memory_bytes = 1 << 20},
                            .tags = {"local", "gpu"}});
  const auto failed = runner->init();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().id(), "PS0415");
  EXPECT_EQ(failed.error().message(),
            "node 'big' needs more than the run has: io 1, memory 2 GiB of io 1, memory 1 MiB");
  auto elsewhere = make(tube);
  const auto refused = elsewhere->init();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().id(), "PS0416");
  EXPECT_THAT(refused.error().message(), HasSubstr("'gpu' of node 'big'; this run has: local"));
}

}  // namespace
}  // namespace penstock::exec
