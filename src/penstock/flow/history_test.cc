// The history file: what is written is read back, bounded, and verified.
#include "penstock/flow/history.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "penstock/core/block_store.h"
#include "penstock/core/identity.h"
#include "penstock/flow/history_record.h"

namespace penstock::flow {
namespace {

using base::ErrorCode;
using core::Value;
using testing::ElementsAre;
using testing::SizeIs;

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("penstock-history-{}-{}", getpid(),
                          testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<History> open() {
    auto history = History::open(folder_.string());
    EXPECT_TRUE(history.has_value()) << history.error().message();
    return std::move(*history);
  }

  std::filesystem::path folder_;
};

RunRecord sample(const std::string& id, std::int64_t started_us) {
  RunRecord run;
  run.run_id = id;
  run.file = "/tubes/flights.yaml";
  run.plan = "ab12";
  run.runner = "threads";
  run.status = "ok";
  run.started_us = started_us;
  run.seed = 0xFFFFFFFFFFFFFFFF;
  run.elapsed_s = 1.5;
  run.inputs = {{"late", "15"}};
  run.nodes = {{.id = "a", .type = "sum", .runs = 3, .total_ns = 12}};
  run.cids = {{.epoch = 2, .cid = "bafy" + id, .root = {}}};
  run.reuse = {{.node = "a",
                .epoch = 2,
                .path = {0, 3},
                .is_reused = true,
                .key = "cd34",
                .parts = {{"code", "sha"}, {"input x", "7"}}}};
  return run;
}

constexpr std::int64_t kNow = 4'000'000'000'000'000;  // a time that never expires

std::vector<std::string> ids(const base::Result<std::vector<RunRecord>>& runs) {
  std::vector<std::string> out;
  for (const RunRecord& run : *runs) {
    out.push_back(run.run_id);
  }
  return out;
}

TEST_F(HistoryTest, KeepsEveryFieldOfARecord) {
  const RunRecord run = sample("r1", kNow);
  ASSERT_TRUE(open()->put(run).has_value());
  const auto back = open()->list(10, "");
  ASSERT_TRUE(back.has_value());
  ASSERT_THAT(*back, SizeIs(1));
  EXPECT_EQ(to_value(back->front()), to_value(run));
  EXPECT_EQ(back->front().seed, 0xFFFFFFFFFFFFFFFF);
}

TEST_F(HistoryTest, ListsNewestFirstAndByFile) {
  const auto history = open();
  ASSERT_TRUE(history->put(sample("old", kNow)).has_value());
  ASSERT_TRUE(history->put(sample("new", kNow + 1)).has_value());
  RunRecord other = sample("other", kNow + 2);
  other.file = "/tubes/other.yaml";
  ASSERT_TRUE(history->put(other).has_value());
  EXPECT_THAT(ids(history->list(10, "")), ElementsAre("other", "new", "old"));
  EXPECT_THAT(ids(history->list(1, "")), ElementsAre("other"));
  EXPECT_THAT(ids(history->list(10, "/tubes/flights.yaml")), ElementsAre("new", "old"));
}

TEST_F(HistoryTest, ReplacesTheRecordOfARunningRun) {
  const auto history = open();
  RunRecord run = sample("r1", kNow);
  run.status = "running";
  ASSERT_TRUE(history->put(run).has_value());
  run.status = "failed";
  ASSERT_TRUE(history->put(run).has_value());
  const auto all = history->list(10, "");
  ASSERT_THAT(*all, SizeIs(1));
  EXPECT_EQ(all->front().status, "failed");
}

TEST_F(HistoryTest, FindsRunsAndResultsByTheirBeginning) {
  const auto history = open();
  ASSERT_TRUE(history->put(sample("ab1", kNow)).has_value());
  ASSERT_TRUE(history->put(sample("ab2", kNow + 1)).has_value());
  EXPECT_THAT(ids(history->find_runs("ab", 10)), ElementsAre("ab2", "ab1"));
  EXPECT_THAT(ids(history->find_runs("ab1", 10)), ElementsAre("ab1"));
  EXPECT_THAT(ids(history->find_runs("a_", 10)), ElementsAre());
  EXPECT_THAT(*history->find_cids("bafyab", 10), ElementsAre("bafyab1", "bafyab2"));
  EXPECT_THAT(ids(history->runs_with("bafyab1", 10)), ElementsAre("ab1"));
}

TEST_F(HistoryTest, KeepsSmallResultsAndVerifiesThem) {
  const auto history = open();
  RunRecord run = sample("r1", kNow);
  const std::string root = *core::encode(Value::text("hello"));
  const core::Cid cid{.codec = core::Codec::kDagCbor, .digest = core::hash_bytes(root)};
  run.cids = {{.epoch = 0, .cid = cid.to_string(), .root = root},
              {.epoch = 1, .cid = "bafywrong", .root = root}};
  ASSERT_TRUE(history->put(run).has_value());
  EXPECT_EQ(history->root_of(cid.to_string()).value(), root);
  EXPECT_EQ(history->root_of("bafyother").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(history->root_of("bafywrong").error().code(), ErrorCode::kDataLoss);
}

TEST_F(HistoryTest, LeavesOutDamagedRecords) {
  const auto history = open();
  ASSERT_TRUE(history->put(sample("r1", kNow)).has_value());
  ASSERT_TRUE(history->put(sample("r2", kNow + 1)).has_value());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ / "history.sqlite").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "UPDATE runs SET record = zeroblob(3) WHERE run_id = 'r2'", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  std::int64_t num_damaged = 0;
  EXPECT_THAT(ids(history->list(10, "", &num_damaged)), ElementsAre("r1"));
  EXPECT_EQ(num_damaged, 1);
}

TEST_F(HistoryTest, PrunesByNumberAndAge) {
  const auto history = open();
  ASSERT_TRUE(history->put(sample("ancient", 1)).has_value());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(history->put(sample(fmt::format("r{}", i), kNow + i)).has_value());
  }
  ASSERT_TRUE(history->prune({.max_runs = 100}).has_value());
  EXPECT_THAT(ids(history->list(10, "")), ElementsAre("r4", "r3", "r2", "r1", "r0"));
  ASSERT_TRUE(history->prune({.max_runs = 2}).has_value());
  EXPECT_THAT(ids(history->list(10, "")), ElementsAre("r4", "r3"));
  EXPECT_THAT(*history->find_cids("bafy", 10), ElementsAre("bafyr3", "bafyr4"));
}

TEST_F(HistoryTest, PrunesTheOldestBlocks) {
  const auto history = open();
  const auto store = core::DirectoryBlockStore::open(history->block_folder());
  ASSERT_TRUE(store.has_value());
  std::vector<core::Cid> cids;
  for (int i = 0; i < 3; ++i) {
    cids.push_back(
        *core::put_value(**store, Value::text(std::string(1000, static_cast<char>('a' + i)))));
    const std::filesystem::file_time_type when{std::chrono::hours(i)};
    std::filesystem::last_write_time((*store)->path_of(cids.back()), when);
  }
  ASSERT_TRUE(history->prune({.max_block_bytes = 2500}).has_value());
  EXPECT_FALSE((*store)->has(cids[0]).value());
  EXPECT_TRUE((*store)->has(cids[1]).value());
  EXPECT_TRUE((*store)->has(cids[2]).value());
}

TEST_F(HistoryTest, RefusesAFileOfANewerVersion) {
  open();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ / "history.sqlite").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version = 9", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const auto history = History::open(folder_.string());
  ASSERT_FALSE(history.has_value());
  EXPECT_EQ(history.error().code(), ErrorCode::kFailedPrecondition);
}

TEST_F(HistoryTest, SaysWhichFolderItCannotMake) {
  const auto history = History::open("/dev/null/penstock");
  ASSERT_FALSE(history.has_value());
  EXPECT_EQ(history.error().id(), "PS0908");
  EXPECT_THAT(history.error().message(), testing::HasSubstr("/dev/null/penstock"));
}

TEST(HistoryRecordTest, RefusesARecordThatLacksAField) {
  const auto record = record_from_value(Value::map({{"run_id", Value::text("x")}}));
  ASSERT_FALSE(record.has_value());
  EXPECT_EQ(record.error().code(), ErrorCode::kDataLoss);
  EXPECT_THAT(record.error().message(), testing::HasSubstr("'file'"));
}

}  // namespace
}  // namespace penstock::flow
