#include "penstock/exec/isolated_calls.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/exec/process_test_support.h"

namespace penstock::exec {
namespace {

using core::Value;

constexpr const char* kTube = R"(
input:
  x: {type: any, scope: process}
nodes:
  pid: {type: test.pid, depends: [x: input.x]}
  kill: {type: test.kill, depends: [x: input.x], params: {at: 1}}
  endless: {type: test.sleep, depends: [x: input.x], params: {ms: 3600000}}
  sleep: {type: test.sleep, depends: [x: input.x], params: {ms: 3600000}, timeout_ms: 50}
)";

class IsolatedCallsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(calls_.start(access_).has_value()); }
  void TearDown() override { calls_.stop(); }

  flow::Completion run(const std::string& node, testing::Row& row,
                       const std::function<void()>& pause = nullptr) {
    row.inputs = {Value::integer(1)};
    row.outputs.resize(1);
    flow::Completion out;
    calls_.run(testing::TableAccess::task(plan_->find_node(node), row), out, pause);
    return out;
  }

  std::shared_ptr<const flow::Plan> plan_ = *testing::compile(kTube);
  testing::TableAccess access_{plan_};
  IsolatedCalls calls_{testing::options(kTube)};
};

TEST_F(IsolatedCallsTest, CallsAreMadeInOneOtherProcessThatIsKept) {
  testing::Row first, second;
  ASSERT_TRUE(run("pid", first).status.has_value());
  ASSERT_TRUE(run("pid", second).status.has_value());
  EXPECT_NE(first.outputs[0].as_int(), ::getpid());
  EXPECT_EQ(first.outputs[0].as_int(), second.outputs[0].as_int());
}

TEST_F(IsolatedCallsTest, CallsOfSeveralThreadsDoNotWaitForEachOther) {
  std::vector<testing::Row> rows(3);
  std::vector<flow::Completion> done(rows.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 20; ++round) {
          done[i] = run("pid", rows[i]);
        }
      });
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_TRUE(done[i].status.has_value()) << done[i].status.error().to_string();
    EXPECT_NE(rows[i].outputs[0].as_int(), ::getpid());
  }
}

TEST_F(IsolatedCallsTest, ACallThatLooksAtNothingEndsWithItsProcess) {
  testing::Row before, row, after;
  ASSERT_TRUE(run("pid", before).status.has_value());
  const flow::Completion out = run("sleep", row);
  ASSERT_FALSE(out.status.has_value());
  EXPECT_EQ(out.status.error().id(), "PS0413");
  ASSERT_TRUE(run("pid", after).status.has_value());
  EXPECT_NE(before.outputs[0].as_int(), after.outputs[0].as_int());
}

TEST_F(IsolatedCallsTest, AWorkerThatEndsIsReplaced) {
  testing::Row row;
  const flow::Completion out = run("kill", row);
  ASSERT_FALSE(out.status.has_value());
  EXPECT_EQ(out.status.error().id(), "PS0501");
  EXPECT_TRUE(run("pid", row).status.has_value());
}

TEST_F(IsolatedCallsTest, ACancelledRunEndsTheCall) {
  testing::Row row;
  int pauses = 0;
  const flow::Completion out = run("endless", row, [&] {
    if (++pauses == 2) {
      access_.cancel_token.cancel();
    }
  });
  ASSERT_FALSE(out.status.has_value());
  EXPECT_EQ(out.status.error().code(), base::ErrorCode::kCancelled);
  EXPECT_GE(pauses, 2);
}

}  // namespace
}  // namespace penstock::exec
