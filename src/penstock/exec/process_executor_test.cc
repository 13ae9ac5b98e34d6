#include "penstock/exec/process_executor.h"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/base/clock.h"
#include "penstock/exec/inline_executor.h"
#include "penstock/exec/process_test_support.h"
#include "penstock/exec/shm_arena.h"
#include "penstock/flow/runner.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;
using core::Value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

int count_fds() {
  int count = 0;
  DIR* const folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) {
    ++count;
  }
  ::closedir(folder);
  return count;
}

bool has_children() {
  return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
}

/// Every result of a run, or the error it ended with.
base::Result<std::vector<Value>> run(const std::string& yaml,
                                     std::unique_ptr<flow::Executor> executor,
                                     int epochs_in_flight) {
  auto plan = testing::compile(yaml);
  if (!plan.has_value()) {
    return base::fail(plan.error());
  }
  flow::Runner runner(*plan, std::move(executor),
                      {.name = "test", .max_epochs_in_flight = epochs_in_flight});
  std::vector<Value> results;
  base::Status status = runner.run(std::nullopt, {}, [&](flow::EpochResult result) {
    results.push_back(std::move(result.value));
    return base::Status();
  });
  if (auto ended = runner.deinit(); status.has_value()) {
    status = std::move(ended);
  }
  if (!status.has_value()) {
    return base::fail(status.error());
  }
  return results;
}

void expect_same(const std::string& yaml) {
  const auto wanted = run(yaml, std::make_unique<InlineExecutor>(), 1);
  ASSERT_TRUE(wanted.has_value()) << wanted.error().to_string();
  const auto seen = run(yaml, std::make_unique<ProcessExecutor>(testing::options(yaml)), 8);
  ASSERT_TRUE(seen.has_value()) << seen.error().to_string();
  ASSERT_EQ(seen->size(), wanted->size());
  for (std::size_t i = 0; i < seen->size(); ++i) {
    EXPECT_TRUE((*seen)[i] == (*wanted)[i]) << "epoch " << i;
  }
}

constexpr const char* kChain = R"(
nodes:
  source: {type: test.source, params: {n: 50}}
  count: {type: test.counter, depends: [x: source.value]}
  sum: {type: test.add, depends: [a: source.value, b: count.value]}
  return: {type: return, depends: [sum: sum.value, count: count.value]}
)";

TEST(ProcessExecutorTest, GivesWhatTheInlineExecutorGives) {
  expect_same(kChain);
}

TEST(ProcessExecutorTest, MapsAbsentEventsAndStates) {
  expect_same(R"(
nodes:
  source: {type: test.source, params: {n: 30}}
  range: {type: test.range, depends: [x: source.value]}
  each: {type: map, depends: [value: range.value]}
  odd: {type: test.odd, depends: [x: each.value]}
  sum: {type: test.add, depends: [a: odd.value, b: source.value]}
  count: {type: test.counter, depends: [x: sum.value]}
  all: {type: gather, depends: [value: count.value]}
  return: {type: return, depends: [all: all.value, source: source.value]}
)");
}

TEST(ProcessExecutorTest, LargeTextsAndTensorsOfAnyOrigin) {
  expect_same(R"(
nodes:
  source: {type: test.source, params: {n: 6}}
  text: {type: test.text, params: {count: 40000}, depends: [x: source.value]}
  text_again: {type: test.echo, depends: [x: text.value]}
  heap: {type: test.tensor, params: {elements: 300000}, depends: [x: source.value]}
  arena: {type: test.tensor, params: {elements: 9000000, arena: 1}, depends: [x: source.value]}
  heap_again: {type: test.echo, depends: [x: heap.value]}
  arena_again: {type: test.echo, depends: [x: arena.value]}
  heap_total: {type: test.total, depends: [x: heap_again.value]}
  arena_total: {type: test.total, depends: [x: arena_again.value]}
  return: {type: return, depends: [t: text_again.value, h: heap_total.value, a: arena_total.value, hh: heap_again.value]}
)");
}

TEST(ProcessExecutorTest, LeavesNoProcessAndNoDescriptor) {
  (void)run(kChain, std::make_unique<ProcessExecutor>(testing::options(kChain)), 4);
  const int before = count_fds();
  for (int i = 0; i < 3; ++i) {
    (void)run(kChain, std::make_unique<ProcessExecutor>(testing::options(kChain)), 4);
  }
  EXPECT_EQ(count_fds(), before);
  EXPECT_FALSE(has_children());
}

TEST(ProcessExecutorTest, ErrorsKeepAllTheirParts) {
  const std::string yaml = R"(
nodes:
  source: {type: test.source}
  bad: {type: test.fail, depends: [x: source.value]}
)";
  const auto result = run(yaml, std::make_unique<ProcessExecutor>(testing::options(yaml)), 1);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kOutOfRange);
  EXPECT_EQ(result.error().message(), "too far: x=9 limit=3");
  EXPECT_EQ(result.error().id(), "PS0999");
  EXPECT_EQ(result.error().help(), "go less far");
  EXPECT_THAT(result.error().trace(), HasSubstr("a.py"));
  const auto same = run(yaml, std::make_unique<InlineExecutor>(), 1);
  EXPECT_EQ(result.error().to_string(), same.error().to_string());
}

TEST(ProcessExecutorTest, ForeignExceptionsAreErrors) {
  const std::string yaml = R"(
nodes:
  source: {type: test.source}
  bad: {type: test.throw, depends: [x: source.value]}
)";
  const auto result = run(yaml, std::make_unique<ProcessExecutor>(testing::options(yaml)), 1);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message(), "thrown");
}

/// An executor with tasks by hand.
struct Bench {
  explicit Bench(const std::string& yaml, ProcessOptions options)
      : plan(testing::compile(yaml).value()), access(plan), executor(std::move(options)) {}
  ~Bench() { executor.stop(); }

  std::int32_t node(std::string_view id) const { return plan->find_node(id); }
  std::vector<flow::Completion> wait_all(std::size_t count) {
    std::vector<flow::Completion> out;
    while (out.size() < count) {
      EXPECT_TRUE(executor.wait(out, 50).has_value());
    }
    return out;
  }
  Value call(std::string_view id, Value input, std::int64_t epoch = 0) {
    testing::Row row{.inputs = {std::move(input)}, .outputs = {}, .epoch = epoch};
    const flow::Task task = access.task(node(id), row);
    EXPECT_TRUE(executor.submit({&task, 1}).has_value());
    status = wait_all(1)[0].status;
    return status.has_value() ? row.outputs[0] : Value();
  }

  std::shared_ptr<const flow::Plan> plan;
  testing::TableAccess access;
  ProcessExecutor executor;
  base::Status status;
};

constexpr const char* kEcho = R"(
nodes:
  source: {type: test.source}
  echo: {type: test.echo, depends: [x: source.value]}
  pid: {type: test.pid, depends: [x: source.value]}
  tensor: {type: test.tensor, params: {elements: 1000000}, depends: [x: source.value]}
  sleep: {type: test.sleep, params: {ms: 20}, depends: [x: source.value]}
  log: {type: test.log, depends: [x: source.value]}
)";

Value arena_tensor(std::int64_t elements) {
  auto buffer = SharedArena::instance().allocate(elements * 8).value();
  std::fill_n(reinterpret_cast<double*>(buffer->mutable_data()), elements, 1.5);
  return Value::tensor(
      core::Tensor::create_contiguous(core::DType::kFloat64, {elements}, buffer).value());
}

TEST(ProcessExecutorTest, ArenaMemoryComesBackAtTheSameAddress) {
  Bench bench(kEcho, testing::options(kEcho, 1));
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  const auto used = SharedArena::instance().stats().used_bytes;
  {
    const Value tensor = arena_tensor(1 << 20);
    const Value back = bench.call("echo", tensor);
    ASSERT_TRUE(back.is(core::Kind::kTensor));
    EXPECT_EQ(back.as_tensor()->data(), tensor.as_tensor()->data());
  }
  // Loans end when both sides have let go; the next round trips carry the news.
  for (int i = 0; i < 3; ++i) {
    bench.call("echo", Value::integer(1));
  }
  EXPECT_EQ(SharedArena::instance().stats().used_bytes, used);
}

TEST(ProcessExecutorTest, AWorkersMemoryGoesToAnotherWorkerWithoutACopy) {
  Bench bench(kEcho, testing::options(kEcho, 2));
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  const auto used = SharedArena::instance().stats().used_bytes;
  const Value tensor = bench.call("tensor", Value::integer(3));
  ASSERT_TRUE(tensor.is(core::Kind::kTensor));
  // Two at once, so that both workers have it.
  std::vector<testing::Row> rows(8, testing::Row{.inputs = {tensor}});
  std::vector<flow::Task> tasks;
  for (testing::Row& row : rows) {
    tasks.push_back(bench.access.task(bench.node("echo"), row));
  }
  ASSERT_TRUE(bench.executor.submit(tasks).has_value());
  bench.wait_all(rows.size());
  for (const testing::Row& row : rows) {
    EXPECT_EQ(row.outputs[0].as_tensor()->data(), tensor.as_tensor()->data());
  }
  EXPECT_EQ(SharedArena::instance().stats().used_bytes, used);
}

TEST(ProcessExecutorTest, StatelessTasksUseAllWorkers) {
  Bench bench(kEcho, testing::options(kEcho, 2));
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  std::vector<testing::Row> rows(20, testing::Row{.inputs = {Value::integer(1)}});
  std::vector<flow::Task> tasks;
  for (testing::Row& row : rows) {
    tasks.push_back(bench.access.task(bench.node("sleep"), row));
  }
  ASSERT_TRUE(bench.executor.submit(tasks).has_value());
  std::map<std::int32_t, int> by_worker;
  for (const flow::Completion& completion : bench.wait_all(rows.size())) {
    ++by_worker[completion.worker];
    EXPECT_GE(completion.duration_ns, 19'000'000);
  }
  EXPECT_EQ(by_worker.size(), 2U);
  EXPECT_GE(by_worker[1], 8);
  EXPECT_GE(by_worker[2], 8);
}

TEST(ProcessExecutorTest, KnowsThePeakMemoryOfItsWorkers) {
  const std::string yaml =
      "nodes:\n  source: {type: test.source, params: {n: 1}}\n"
      "  touch: {type: test.touch, params: {mib: 300}, depends: [x: source.value]}\n";
  constexpr std::int64_t kTouched = 300LL << 20;
#if defined(__SANITIZE_THREAD__)
  constexpr std::int64_t kMost = 8 * kTouched;  // its shadow of what is touched is resident too
#else
  constexpr std::int64_t kMost = 2 * kTouched;
#endif
  Bench bench(yaml, testing::options(yaml, 2));
  EXPECT_EQ(bench.executor.workers_peak_rss_bytes(), 0);
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  const std::int64_t idle = bench.executor.workers_peak_rss_bytes();
  EXPECT_GT(idle, 0);
  EXPECT_LT(idle, kTouched);
  bench.call("touch", Value::integer(1));
  const std::int64_t live = bench.executor.workers_peak_rss_bytes();
  EXPECT_GE(live, kTouched);
  EXPECT_LT(live, idle + kMost);
  bench.executor.stop();
  EXPECT_GE(bench.executor.workers_peak_rss_bytes(), live);
  // A new run starts from nothing.
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  EXPECT_LT(bench.executor.workers_peak_rss_bytes(), kTouched);
}

TEST(ProcessExecutorTest, LogLinesComeBackInOrder) {
  Bench bench(kEcho, testing::options(kEcho, 1));
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  for (int i = 0; i < 3; ++i) {
    bench.call("log", Value::integer(i));
  }
  EXPECT_THAT(bench.access.lines, ElementsAre("log: line 0", "log: line 1", "log: line 2"));
}

TEST(ProcessExecutorTest, StartsAgainAfterStop) {
  Bench bench(kEcho, testing::options(kEcho, 1));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(bench.executor.start(bench.access).has_value());
    EXPECT_EQ(bench.call("echo", Value::integer(i)).as_int(), i);
    bench.executor.stop();
    EXPECT_FALSE(has_children());
  }
}

TEST(ProcessExecutorTest, IdleWorkersEndAsSoonAsTheyAreAsked) {
  // Those that do not are ended after half a second. The best of several: the machine may be busy.
  std::int64_t best_ns = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < 10 && best_ns > 300'000'000; ++i) {
    Bench bench(kEcho, testing::options(kEcho, 2));
    ASSERT_TRUE(bench.executor.start(bench.access).has_value());
    EXPECT_EQ(bench.call("echo", Value::integer(i)).as_int(), i);
    const std::int64_t begun = base::monotonic_ns();
    bench.executor.stop();
    best_ns = std::min(best_ns, base::monotonic_ns() - begun);
  }
  EXPECT_LE(best_ns, 300'000'000);
}

TEST(ProcessExecutorTest, StatesGoOnAfterStopAndStart) {
  const std::string yaml = kChain;
  Bench bench(yaml, testing::options(yaml, 2));
  std::vector<std::int64_t> seen;
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(bench.executor.start(bench.access).has_value());
    seen.push_back(bench.call("count", Value::integer(1)).as_int());
    bench.executor.stop();
  }
  EXPECT_THAT(seen, ElementsAre(1, 4, 13));
}

TEST(ProcessExecutorTest, AFailedEpochStaysFailedInANewWorker) {
  const std::string yaml =
      "nodes:\n  source: {type: test.source}\n"
      "  count: {type: test.counter_but_13, depends: [x: source.value]}\n";
  Bench bench(yaml, testing::options(yaml, 1));
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  EXPECT_EQ(bench.call("count", Value::integer(1), 0), Value::integer(1));
  EXPECT_TRUE(bench.call("count", Value::integer(13), 1).is_absent());
  EXPECT_EQ(bench.status.error().code(), ErrorCode::kOutOfRange);
  for (int round = 0; round < 2; ++round) {
    // The rest of the epoch is not called, before its worker has been replaced and after.
    EXPECT_TRUE(bench.call("count", Value::integer(5), 1).is_absent());
    ASSERT_FALSE(bench.status.has_value());
    EXPECT_EQ(bench.status.error().code(), ErrorCode::kCancelled);
    ASSERT_EQ(::kill(bench.executor.worker_pids().at(0), SIGKILL), 0);
  }
  EXPECT_EQ(bench.call("count", Value::integer(4), 2), Value::integer(3 * (3 * 1 + 13) + 4));
  EXPECT_GE(bench.executor.num_replaced(), 1);
}

TEST(ProcessExecutorTest, AWorkerThatEndsIsReplacedBeforeItIsNeeded) {
  Bench bench(kChain, testing::options(kChain, 2));
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  // The node's own worker, and the one that has nothing to do.
  for (const std::size_t index : {0U, 1U}) {
    const auto pids = bench.executor.worker_pids();
    ASSERT_EQ(pids.size(), 2U);
    const std::int64_t replaced = bench.executor.num_replaced();
    ASSERT_EQ(::kill(pids[index], SIGKILL), 0);
    while (bench.executor.num_replaced() == replaced) {
      bench.call("count", Value::integer(1));
      ASSERT_TRUE(bench.status.has_value()) << bench.status.error().message();
    }
    EXPECT_EQ(bench.executor.worker_pids().size(), 2U);
  }
}

TEST(ProcessExecutorTest, TheEndOfACallWakesTheRun) {
  const std::string yaml =
      "nodes:\n  source: {type: test.source}\n"
      "  sleep: {type: test.sleep, params: {ms: 1}, depends: [x: source.value]}\n";
  Bench bench(yaml, testing::options(yaml, 2));
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  // Without it the run looks every 10 ms. The best of several: the machine may be busy.
  std::int64_t best_ns = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < 20 && best_ns > 100'000'000; ++i) {
    const std::int64_t begun = base::monotonic_ns();
    for (int call = 0; call < 20; ++call) {
      bench.call("sleep", Value::integer(call));
    }
    best_ns = std::min(best_ns, base::monotonic_ns() - begun);
  }
  EXPECT_LE(best_ns, 100'000'000);
}

TEST(ProcessExecutorTest, AValueThatCannotLeaveIsOneClearError) {
  Bench bench(kEcho, testing::options(kEcho, 1));
  ASSERT_TRUE(bench.executor.start(bench.access).has_value());
  Value deep = Value::integer(0);
  for (int i = 0; i < 300; ++i) {
    deep = Value::list({deep});
  }
  bench.call("echo", deep);
  ASSERT_FALSE(bench.status.has_value());
  EXPECT_EQ(bench.status.error().id(), "PS0504");
  EXPECT_THAT(bench.status.error().message(), HasSubstr("an input cannot enter another process"));
  EXPECT_EQ(bench.call("echo", Value::integer(4)).as_int(), 4);
}

std::string start_failure(std::string_view first_line, std::string command = {}) {
  const std::string yaml = std::string(first_line) + kEcho;
  const int before = count_fds();
  ProcessOptions options = testing::options(yaml, 2);
  if (!command.empty()) {
    options.command = {command};
  }
  Bench bench(kEcho, std::move(options));
  const base::Status started = bench.executor.start(bench.access);
  EXPECT_FALSE(started.has_value());
  EXPECT_FALSE(has_children());
  EXPECT_EQ(count_fds(), before);
  return started.has_value() ? "" : started.error().id() + ": " + started.error().message();
}

TEST(ProcessExecutorTest, AFailedStartIsOneClearError) {
  EXPECT_EQ(start_failure("#exit"),
            "PS0502: worker 1 ended with exit code 5 before it could run a node");
  EXPECT_EQ(start_failure("#error"), ": no module named 'gone'");
  EXPECT_THAT(start_failure("#other plan"), HasSubstr("PS0505: a worker compiled another plan"));
  EXPECT_THAT(start_failure("", "/nowhere/python"), HasSubstr("cannot start a worker"));
  EXPECT_THAT(start_failure("", "/bin/true"), HasSubstr("exit code 0 before it could run"));
}

}  // namespace
}  // namespace penstock::exec
