// Workers that die, hang or are told to stop, at moments drawn from printed seeds.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/base/clock.h"
#include "penstock/exec/inline_executor.h"
#include "penstock/exec/process_test_support.h"
#include "penstock/flow/runner.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;
using core::Value;
using ::testing::HasSubstr;

class Scratch {
 public:
  Scratch() { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  ~Scratch() {
    ::unlink(marker().c_str());
    ::rmdir(path_.c_str());
  }
  std::string marker() const { return path_ + "/marker"; }

 private:
  std::string path_ = ::testing::TempDir() + "penstock-XXXXXX";
};

struct Outcome {
  base::Status status;
  std::vector<Value> results;
};

/// Runs `yaml` to its end; `on_result` may disturb the executor.
Outcome run(const std::string& yaml, std::unique_ptr<flow::Executor> executor,
            const std::function<void(std::int64_t)>& on_result = {}) {
  auto plan = testing::compile(yaml);
  if (!plan.has_value()) {
    return {base::fail(plan.error()), {}};
  }
  Outcome out;
  flow::Runner runner(*plan, std::move(executor),
                      {.name = "test", .seed = 7, .max_epochs_in_flight = 6});
  out.status = runner.run(std::nullopt, {}, [&](flow::EpochResult result) {
    if (!result.value.is_absent()) {
      out.results.push_back(std::move(result.value));
    }
    if (on_result) {
      on_result(result.epoch);
    }
    return base::Status();
  });
  return out;
}

constexpr const char* kTube = R"(
nodes:
  source: {type: test.source, params: {n: 60}}
  range: {type: test.range, depends: [x: source.value]}
  each: {type: map, depends: [value: range.value]}
  sum: {type: test.add, depends: [a: each.value, b: source.value]}
  count: {type: test.counter, depends: [x: sum.value]}
  other: {type: test.counter, depends: [x: source.value]}
  big: {type: test.tensor, params: {elements: 20000}, depends: [x: source.value]}
  total: {type: test.total, depends: [x: big.value]}
  all: {type: gather, depends: [value: count.value]}
  return: {type: return, depends: [all: all.value, other: other.value, total: total.value]}
)";

TEST(ProcessFaultTest, AnyWorkerKilledAtAnyTimeChangesNothing) {
  const Outcome wanted = run(kTube, std::make_unique<InlineExecutor>());
  ASSERT_TRUE(wanted.status.has_value());
  std::int64_t killed = 0;
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    auto executor = std::make_unique<ProcessExecutor>(testing::options(kTube));
    ProcessExecutor* const peek = executor.get();
    std::mt19937 random(seed);
    const Outcome seen = run(kTube, std::move(executor), [&](std::int64_t) {
      const auto pids = peek->worker_pids();
      if (random() % 12 == 0 && !pids.empty()) {
        ::kill(pids[random() % pids.size()], SIGKILL);
        ++killed;
      }
    });
    ASSERT_TRUE(seen.status.has_value())
        << "seed " << seed << ": " << seen.status.error().to_string();
    EXPECT_TRUE(seen.results == wanted.results) << "seed " << seed;
  }
  EXPECT_GE(killed, 12);
}

TEST(ProcessFaultTest, ATaskThatEndsItsWorkerOnceRunsAgain) {
  const Scratch scratch;
  const std::string yaml = R"(
nodes:
  source: {type: test.source, params: {n: 8}}
  kill: {type: test.kill_once, params: {at: 3, marker: )" +
                           scratch.marker() + R"(}, depends: [x: source.value]}
  count: {type: test.counter, depends: [x: kill.value]}
  return: {type: return, depends: count.value}
)";
  auto executor = std::make_unique<ProcessExecutor>(testing::options(yaml));
  ProcessExecutor* const peek = executor.get();
  std::int64_t replaced = 0;
  const Outcome seen =
      run(yaml, std::move(executor), [&](std::int64_t) { replaced = peek->num_replaced(); });
  ASSERT_TRUE(seen.status.has_value()) << seen.status.error().to_string();
  EXPECT_EQ(seen.results.size(), 8U);
  EXPECT_EQ(replaced, 1);
}

TEST(ProcessFaultTest, ATaskThatAlwaysEndsItsWorkerFails) {
  const std::string yaml = R"(
nodes:
  source: {type: test.source, params: {n: 8}}
  kill: {type: test.kill, params: {at: 2}, depends: [x: source.value]}
  return: {type: return, depends: kill.value}
)";
  auto plan = testing::compile(yaml);
  ASSERT_TRUE(plan.has_value());
  flow::Runner runner(*plan, std::make_unique<ProcessExecutor>(testing::options(yaml)),
                      {.name = "processes"});
  EXPECT_EQ(runner.process()->value.as_int(), 0);
  EXPECT_EQ(runner.process()->value.as_int(), 1);
  const auto failed = runner.process();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().id(), "PS0501");
  EXPECT_EQ(failed.error().to_string(),
            "its worker process was killed by signal 9 (SIGKILL), each of the 3 times it ran "
            "(at node 'kill', epoch 2)");
  EXPECT_EQ(runner.process()->value.as_int(), 3);
}

TEST(ProcessFaultTest, ATaskBeyondItsTimeFailsAndTheRunGoesOn) {
  const std::string yaml = R"(
nodes:
  source: {type: test.source, params: {n: 8}}
  slow: {type: test.sleep, params: {ms: 60000}, depends: [x: source.value]}
  count: {type: test.counter, depends: [x: source.value]}
  return: {type: return, depends: [slow: slow.value, count: count.value]}
)";
  ProcessOptions options = testing::options(yaml);
  options.task_timeout_ms = 200;
  auto plan = testing::compile(yaml);
  ASSERT_TRUE(plan.has_value());
  flow::Runner runner(*plan, std::make_unique<ProcessExecutor>(std::move(options)),
                      {.name = "processes"});
  const std::int64_t begun = base::monotonic_ns();
  for (int i = 0; i < 2; ++i) {
    const auto failed = runner.process();
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().id(), "PS0503");
    EXPECT_EQ(failed.error().code(), ErrorCode::kDeadlineExceeded);
    EXPECT_THAT(failed.error().to_string(), HasSubstr("node 'slow', epoch " + std::to_string(i)));
  }
  EXPECT_LT(base::monotonic_ns() - begun, 5'000'000'000);
}

TEST(ProcessFaultTest, AStateBeyondTheBoundIsOneClearError) {
  ProcessOptions options = testing::options(kTube);
  options.history_limit_bytes = 100;
  auto executor = std::make_unique<ProcessExecutor>(std::move(options));
  ProcessExecutor* const peek = executor.get();
  const Outcome seen = run(kTube, std::move(executor), [&](std::int64_t epoch) {
    if (epoch == 20) {
      for (const std::int32_t pid : peek->worker_pids()) {
        ::kill(pid, SIGKILL);
      }
    }
  });
  ASSERT_FALSE(seen.status.has_value());
  EXPECT_EQ(seen.status.error().id(), "PS0506");
  EXPECT_THAT(seen.status.error().message(), HasSubstr("its state cannot be rebuilt"));
}

/// The runner's cancellation, seen by operators that look at it and by those that do not.
void expect_cancelled_in_time(int obey) {
  const std::string yaml = R"(
nodes:
  source: {type: test.source, params: {n: 8}}
  slow: {type: test.sleep, params: {ms: 60000, obey: )" +
                           std::to_string(obey) + R"(}, depends: [x: source.value]}
  return: {type: return, depends: slow.value}
)";
  auto plan = testing::compile(yaml);
  ASSERT_TRUE(plan.has_value());
  core::CancelToken cancel;
  flow::Runner runner(*plan, std::make_unique<ProcessExecutor>(testing::options(yaml)),
                      {.name = "processes", .cancel = &cancel});
  ASSERT_TRUE(runner.init().has_value());
  std::int64_t cancelled_ns = 0;
  std::thread user([&] {
    timespec step{0, 100'000'000};
    ::nanosleep(&step, nullptr);
    cancelled_ns = base::monotonic_ns();
    cancel.cancel();
  });
  const auto result = runner.process();
  const std::int64_t ended_ns = base::monotonic_ns();
  user.join();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kCancelled);
  EXPECT_LT(ended_ns - cancelled_ns, 1'000'000'000);
  EXPECT_TRUE(runner.deinit().has_value());
  EXPECT_LT(base::monotonic_ns() - cancelled_ns, 2'000'000'000);
  EXPECT_TRUE(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD);
}

TEST(ProcessFaultTest, CancellationReachesOperators) {
  expect_cancelled_in_time(1);
}
TEST(ProcessFaultTest, CancellationEndsOperatorsThatDoNotLook) {
  expect_cancelled_in_time(0);
}

// A run's process that is killed takes its workers along, also stopped ones.
TEST(ProcessFaultTest, WorkersEndWithTheRunsProcess) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t run_process = ::fork();
  if (run_process == 0) {
    const std::string yaml = "nodes:\n  source: {type: test.source}\n";
    auto plan = testing::compile(yaml);
    testing::TableAccess access(*plan);
    ProcessExecutor executor(testing::options(yaml));
    const bool started = executor.start(access).has_value();
    const auto pids = executor.worker_pids();
    if (started && pids.size() == 2) {
      ::kill(pids[1], SIGSTOP);
      (void)!::write(ends[1], pids.data(), 2 * sizeof pids[0]);
    }
    ::raise(SIGKILL);
  }
  ::close(ends[1]);
  std::int32_t pids[2] = {0, 0};
  const auto got = ::read(ends[0], pids, sizeof pids);
  ::close(ends[0]);
  ::waitpid(run_process, nullptr, 0);
  ASSERT_EQ(got, static_cast<ssize_t>(sizeof pids));
  for (const std::int32_t pid : pids) {
    const std::int64_t begun = base::monotonic_ns();
    // Init reaps them; until then they may be zombies, which kill() still finds.
    auto gone = [pid] {
      std::string state;
      if (FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/stat").c_str(), "r")) {
        char text[256] = {};
        (void)!std::fread(text, 1, sizeof text - 1, file);
        std::fclose(file);
        state = text;
      }
      const auto bracket = state.rfind(')');
      return state.empty() || (bracket != std::string::npos && state[bracket + 2] == 'Z');
    };
    while (!gone() && base::monotonic_ns() - begun < 5'000'000'000) {
      std::this_thread::yield();
    }
    EXPECT_TRUE(gone()) << pid;
  }
}

}  // namespace
}  // namespace penstock::exec
