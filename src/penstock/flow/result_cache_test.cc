// The cache of kept results: found by key, bounded, shared by processes, never in the way.
#include "penstock/flow/result_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/base/clock.h"

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using core::Value;
using ::testing::HasSubstr;

core::Digest key_of(std::string_view text) {
  return core::hash_bytes(text);
}

class ResultCacheTest : public ::testing::Test {
 protected:
  ResultCacheTest() {
    std::string name = (fs::temp_directory_path() / "penstock-cache-XXXXXX").string();
    PENSTOCK_CHECK(mkdtemp(name.data()) != nullptr);
    home_ = name;
  }
  ~ResultCacheTest() override { fs::remove_all(home_); }

  std::shared_ptr<ResultCache> open(CacheLimits limits = {}) const {
    auto cache = ResultCache::open(home_.string(), limits);
    EXPECT_TRUE(cache.has_value()) << cache.error().to_string();
    return *cache;
  }

  static void keep(ResultCache& cache, std::string_view key, const Value& value) {
    const std::vector<Value> outputs{value};
    const auto kept = cache.keep(key_of(key), {.node = std::string(key), .type = "t"}, outputs);
    ASSERT_TRUE(kept.has_value()) << kept.error().to_string();
    EXPECT_EQ(kept->at(0), *core::digest(value));
  }

  std::string path_of(std::string_view key) const {
    const std::string hex = key_of(key).to_hex();
    return (home_ / "cache" / hex.substr(0, 2) / hex).string();
  }

  void used_days_ago(std::string_view key, std::int64_t days) const {
    const timespec then{.tv_sec = base::unix_us() / 1'000'000 - days * 86'400, .tv_nsec = 0};
    const timespec times[2] = {then, then};
    ASSERT_EQ(::utimensat(AT_FDCWD, path_of(key).c_str(), times, 0), 0);
  }

  std::size_t num_temporary() const {
    const fs::directory_iterator files(home_ / "cache" / "tmp");
    return static_cast<std::size_t>(std::distance(fs::begin(files), fs::end(files)));
  }

  fs::path home_;
};

TEST_F(ResultCacheTest, FindsWhatWasKept) {
  const auto cache = open();
  EXPECT_EQ(cache->find(key_of("a")), nullptr);
  keep(*cache, "a", Value::integer(5));
  const auto found = open()->find(key_of("a"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->load(0)->as_int(), 5);
  EXPECT_EQ(found->facts().node, "a");
  EXPECT_EQ(num_temporary(), 0U);
}

TEST_F(ResultCacheTest, FindsOneResultUnderTwoKeys) {
  const auto cache = open();
  keep(*cache, "a", Value::integer(5));
  cache->also_under(key_of("b"), key_of("a"));
  cache->also_under(key_of("b"), key_of("a"));  // is there already
  cache->also_under(key_of("c"), key_of("none"));
  ASSERT_NE(cache->find(key_of("b")), nullptr);
  EXPECT_EQ(cache->find(key_of("c")), nullptr);
  const auto items = cache->list();
  ASSERT_TRUE(items.has_value());
  ASSERT_EQ(items->size(), 1U) << "it is one result";
  EXPECT_THAT((*items)[0].other_keys, ::testing::SizeIs(1));
  EXPECT_EQ((*items)[0].size_bytes, static_cast<std::int64_t>(fs::file_size(path_of("a"))));
  ASSERT_TRUE(cache->remove((*items)[0]).has_value());
  EXPECT_EQ(cache->find(key_of("a")), nullptr);
  EXPECT_EQ(cache->find(key_of("b")), nullptr);
}

TEST_F(ResultCacheTest, ListsWhatWasUsedLastFirst) {
  const auto cache = open();
  for (const char* key : {"a", "b", "c"}) {
    keep(*cache, key, Value::text(key));
  }
  used_days_ago("a", 2);
  used_days_ago("b", 9);
  used_days_ago("c", 5);
  EXPECT_NE(cache->find(key_of("b")), nullptr);  // a look is a use
  const auto items = cache->list();
  ASSERT_TRUE(items.has_value());
  std::string order;
  for (const auto& item : *items) {
    order += item.facts.node;
  }
  EXPECT_EQ(order, "bac");
}

TEST_F(ResultCacheTest, DamagedFilesAreNotFoundAndListedAsSuch) {
  const auto cache = open();
  keep(*cache, "head", Value::text("x"));
  keep(*cache, "value", Value::bytes(std::string(9'000, 'v')));
  keep(*cache, "whole", Value::text("y"));
  std::fstream(path_of("head"), std::ios::in | std::ios::out).seekp(60) << "??";
  std::fstream(path_of("value"), std::ios::in | std::ios::out).seekp(-100, std::ios::end) << "??";
  EXPECT_EQ(cache->find(key_of("head")), nullptr);
  const auto value = cache->find(key_of("value"));
  ASSERT_NE(value, nullptr);  // its head is whole; its value shows when it is read
  EXPECT_EQ(value->load(0).error().code(), ErrorCode::kDataLoss);
  const auto count = [&cache](bool verify) {
    std::size_t damaged = 0;
    const auto items = *cache->list(verify);
    for (const auto& item : items) {
      damaged += !item.damage.empty() ? 1 : 0;
    }
    return damaged;
  };
  EXPECT_EQ(count(false), 1U);
  EXPECT_EQ(count(true), 2U);
  const auto pruned = cache->prune(cache->limits());
  ASSERT_TRUE(pruned.has_value());
  EXPECT_EQ(pruned->removed, 1);
  keep(*cache, "value", Value::text("again"));  // over the damaged one
  EXPECT_EQ(cache->find(key_of("value"))->load(0)->as_text(), "again");
}

TEST_F(ResultCacheTest, PruneRemovesWhatIsOld) {
  const auto cache = open();
  for (const char* key : {"a", "b", "c"}) {
    keep(*cache, key, Value::text(key));
  }
  used_days_ago("a", 31);
  used_days_ago("b", 29);
  const auto pruned = cache->prune({.max_bytes = 1 << 30, .max_age_days = 30});
  ASSERT_TRUE(pruned.has_value());
  EXPECT_EQ(pruned->removed, 1);
  EXPECT_EQ(pruned->left, 2);
  EXPECT_EQ(cache->find(key_of("a")), nullptr);
  EXPECT_NE(cache->find(key_of("b")), nullptr);
}

TEST_F(ResultCacheTest, PruneLeavesWhatWasUsedLast) {
  const auto cache = open();
  for (int i = 0; i < 10; ++i) {
    keep(*cache, fmt::format("{}", i), Value::bytes(std::string(10'000, 'x')));
    used_days_ago(fmt::format("{}", i), 1 + i * 7 % 10);
  }
  const auto size = static_cast<std::int64_t>(fs::file_size(path_of("0")));
  const auto pruned = cache->prune({.max_bytes = 4 * size, .max_age_days = 30});
  ASSERT_TRUE(pruned.has_value());
  EXPECT_EQ(pruned->left, 4);
  EXPECT_EQ(pruned->left_bytes, 4 * size);
  EXPECT_EQ(pruned->removed_bytes, 6 * size);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(fs::exists(path_of(fmt::format("{}", i))), i * 7 % 10 < 4) << i;
  }
}

TEST_F(ResultCacheTest, PruneRemovesFilesOfKilledProcesses) {
  const auto cache = open();
  const fs::path old = home_ / "cache/tmp/1-2-3", fresh = home_ / "cache/tmp/4-5-6";
  std::ofstream(old) << "half";
  std::ofstream(fresh) << "half";
  const timespec then{.tv_sec = base::unix_us() / 1'000'000 - 2 * 86'400, .tv_nsec = 0};
  const timespec times[2] = {then, then};
  ASSERT_EQ(::utimensat(AT_FDCWD, old.c_str(), times, 0), 0);
  ASSERT_TRUE(cache->prune(cache->limits()).has_value());
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(fresh));  // another process may be writing it
}

TEST_F(ResultCacheTest, IsPrunedByItsOwnLimitsWhenMuchWasWrittenByAnyone) {
  const CacheLimits limits{.max_bytes = 400'000, .max_age_days = 30};
  open(limits)->prune_if_due();  // nothing written: nothing due
  EXPECT_FALSE(fs::exists(home_ / "cache/pruned"));
  for (int i = 0; i < 200; ++i) {  // each a process that writes a fortieth
    const auto cache = open(limits);
    keep(*cache, fmt::format("{}", i), Value::bytes(std::string(10'000, 'x')));
    cache->prune_if_due();
    std::int64_t size = 0;
    const auto items = *cache->list();
    for (const auto& item : items) {
      size += item.size_bytes;
    }
    EXPECT_LE(size, limits.max_bytes + limits.max_bytes / 16 + 12'000);
  }
  EXPECT_GE(open(limits)->list()->size(), 35U);
}

TEST_F(ResultCacheTest, DoesNotKeepWhatFillsHalfOfIt) {
  const auto cache = open({.max_bytes = 20'000, .max_age_days = 30});
  const std::vector<Value> outputs{Value::bytes(std::string(10'001, 'x'))};
  const auto kept = cache->keep(key_of("a"), {.node = "big"}, outputs);
  ASSERT_FALSE(kept.has_value());
  EXPECT_EQ(kept.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(kept.error().id(), "PS0420");
  EXPECT_THAT(kept.error().message(), HasSubstr("more than half of the cache's 20000"));
  EXPECT_EQ(cache->find(key_of("a")), nullptr);
}

TEST_F(ResultCacheTest, SaysWhereItCannotBe) {
  std::ofstream(home_ / "file") << "x";
  const auto cache = ResultCache::open((home_ / "file").string());
  ASSERT_FALSE(cache.has_value());
  EXPECT_EQ(cache.error().id(), "PS0420");
  EXPECT_THAT(cache.error().message(), HasSubstr("cannot keep results in"));
}

TEST_F(ResultCacheTest, SaysThatItCannotWrite) {
  const auto cache = open();
  const std::vector<Value> outputs{Value::integer(1)};
  fs::remove_all(home_ / "cache/tmp");
  std::ofstream(home_ / "cache/tmp") << "a file, so that root is refused too";
  auto kept = cache->keep(key_of("a"), {.node = "n"}, outputs);
  ASSERT_FALSE(kept.has_value());
  EXPECT_EQ(kept.error().id(), "PS0420");
  EXPECT_THAT(kept.error().message(), HasSubstr("result of node 'n' is not kept: cannot create"));

  // The file is written, and cannot be moved to its place.
  fs::remove(home_ / "cache/tmp");
  fs::create_directory(home_ / "cache/tmp");
  fs::create_directories(fs::path(path_of("a")) / "in the way");
  kept = cache->keep(key_of("a"), {.node = "n"}, outputs);
  ASSERT_FALSE(kept.has_value());
  EXPECT_THAT(kept.error().message(), HasSubstr("cannot move"));
  EXPECT_EQ(num_temporary(), 0U);
}

TEST_F(ResultCacheTest, TwoProcessesKeepOneKeyAtOnce) {
  constexpr int kRounds = 300;
  const auto cache = open();
  const pid_t other = ::fork();
  ASSERT_GE(other, 0);
  bool right = true;
  for (int i = 0; i < kRounds; ++i) {
    const std::vector<Value> outputs{Value::integer(i % 7), Value::bytes(std::string(5'000, 'p'))};
    const core::Digest key = key_of(fmt::format("{}", i % 7));
    right &= cache->keep(key, {.node = "n"}, outputs).has_value();
    const auto found = cache->find(key);
    right &= found != nullptr && found->load(0).has_value() && found->load(0)->as_int() == i % 7 &&
             found->load(1).has_value();
  }
  if (other == 0) {
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_TRUE(right);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(cache->list(true)->size(), 7U);
  EXPECT_EQ(num_temporary(), 0U);
}

TEST_F(ResultCacheTest, TheUsersCacheIsAsLargeAsTheEnvironmentSays) {
  ::setenv("PENSTOCK_HOME", home_.c_str(), 1);
  for (const auto& [said, wanted] : {std::pair("0", 0LL), std::pair("60000", 60'000LL),
                                     std::pair("9223372036854775807", 9223372036854775807LL)}) {
    ::setenv("PENSTOCK_CACHE_BYTES", said, 1);
    const auto cache = open_cache_folder();
    ASSERT_TRUE(cache.has_value()) << cache.error().message();
    EXPECT_EQ((*cache)->limits().max_bytes, wanted);
  }
  for (const char* const said : {"", "-1", "60000 ", "6e4", "9223372036854775808"}) {
    ::setenv("PENSTOCK_CACHE_BYTES", said, 1);
    const auto cache = open_cache_folder();
    ASSERT_FALSE(cache.has_value()) << said;
    EXPECT_EQ(cache.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(cache.error().message(), HasSubstr("wanted a number of bytes"));
  }
  ::unsetenv("PENSTOCK_CACHE_BYTES");
  ::unsetenv("PENSTOCK_HOME");
}

}  // namespace
}  // namespace penstock::flow
