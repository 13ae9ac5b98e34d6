#include "penstock/core/block_store.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/random_value.h"

namespace penstock::core {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "penstock-block-store-XXXXXX").string();
    PENSTOCK_CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(const Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()),
          static_cast<std::size_t>(buffer.size_bytes())};
}

Cid raw_cid(std::string_view text) {
  return {Codec::kRaw, hash_bytes(text)};
}

void expect_store_contract(BlockStore& store) {
  const Cid cid = raw_cid("one");
  EXPECT_EQ(store.get(cid).error().code(), base::ErrorCode::kNotFound);
  EXPECT_FALSE(*store.has(cid));
  ASSERT_TRUE(store.put(cid, bytes_of("one")).has_value());
  ASSERT_TRUE(store.put(cid, bytes_of("one")).has_value());
  ASSERT_TRUE(store.put(raw_cid(""), {}).has_value());
  EXPECT_TRUE(*store.has(cid));
  EXPECT_EQ(*store.size(), 2);
  EXPECT_EQ(text_of(**store.get(cid)), "one");
  EXPECT_EQ((*store.get(raw_cid("")))->size_bytes(), 0);
  const Cid other_codec{Codec::kDagCbor, cid.digest};
  EXPECT_FALSE(*store.has(other_codec));
  EXPECT_EQ(store.put(cid, bytes_of("two")).error().code(), base::ErrorCode::kInvalidArgument);
  ASSERT_TRUE(store.remove(cid).has_value());
  ASSERT_TRUE(store.remove(cid).has_value());
  EXPECT_FALSE(*store.has(cid));
  EXPECT_EQ(*store.size(), 1);
}

void expect_values_round_trip(BlockStore& store) {
  RandomValues random(5);
  for (int i = 0; i < 50; ++i) {
    const Value value = Value::list({random.next(), Value::bytes(std::string(70'000, 'x'))});
    const base::Result<Cid> stored = put_value(store, value);
    ASSERT_TRUE(stored.has_value());
    EXPECT_EQ(*stored, *cid(value));
    EXPECT_EQ(*get_value(store, *stored), value);
  }
}

TEST(MemoryBlockStoreTest, KeepsTheContract) {
  MemoryBlockStore store;
  expect_store_contract(store);
  expect_values_round_trip(store);
}

TEST(DirectoryBlockStoreTest, KeepsTheContract) {
  const Folder folder;
  const auto store = DirectoryBlockStore::open(folder.path() + "/a/b");
  ASSERT_TRUE(store.has_value());
  expect_store_contract(**store);
  expect_values_round_trip(**store);
  EXPECT_TRUE(fs::is_empty(folder.path() + "/a/b/tmp"));
}

TEST(DirectoryBlockStoreTest, IsThereAfterReopening) {
  const Folder folder;
  const Value value = Value::text("kept");
  const Cid cid = *put_value(**DirectoryBlockStore::open(folder.path()), value);
  EXPECT_EQ(*get_value(**DirectoryBlockStore::open(folder.path()), cid), value);
}

TEST(DirectoryBlockStoreTest, FlippedBitOrShortFileIsDataLossUntilPutAgain) {
  const Folder folder;
  const auto store = *DirectoryBlockStore::open(folder.path());
  const Cid cid = raw_cid("content");
  const std::function<void(const std::string&)> damages[] = {
      [](const std::string& path) { std::fstream(path, std::ios::in | std::ios::out).put('C'); },
      [](const std::string& path) { fs::resize_file(path, 3); },
      [](const std::string& path) { fs::resize_file(path, 0); },
  };
  for (const auto& damage : damages) {
    ASSERT_TRUE(store->put(cid, bytes_of("content")).has_value());
    damage(store->path_of(cid));
    const auto block = store->get(cid);
    ASSERT_FALSE(block.has_value());
    EXPECT_EQ(block.error().code(), base::ErrorCode::kDataLoss);
    EXPECT_THAT(block.error().message(), HasSubstr("path="));
  }
  ASSERT_TRUE(store->put(cid, bytes_of("content")).has_value());
  EXPECT_EQ(text_of(**store->get(cid)), "content");
}

TEST(DirectoryBlockStoreTest, MissingLinkedBlockIsNotFound) {
  const Folder folder;
  const auto store = *DirectoryBlockStore::open(folder.path());
  const std::string data(70'000, 'x');
  const Cid cid = *put_value(*store, Value::bytes(data));
  ASSERT_TRUE(store->remove(raw_cid(data)).has_value());
  EXPECT_EQ(get_value(*store, cid).error().code(), base::ErrorCode::kNotFound);
}

TEST(DirectoryBlockStoreTest, SweepsOldLeftoversOnly) {
  const Folder folder;
  ASSERT_TRUE(DirectoryBlockStore::open(folder.path()).has_value());
  const fs::path old_file = fs::path(folder.path()) / "tmp/old";
  const fs::path new_file = fs::path(folder.path()) / "tmp/new";
  std::ofstream(old_file) << "x";
  std::ofstream(new_file) << "x";
  fs::last_write_time(old_file, fs::file_time_type::clock::now() - std::chrono::hours(48));
  ASSERT_TRUE(DirectoryBlockStore::open(folder.path()).has_value());
  EXPECT_FALSE(fs::exists(old_file));
  EXPECT_TRUE(fs::exists(new_file));
}

TEST(DirectoryBlockStoreTest, ManyThreadsMayPutTheSameBlocks) {
  const Folder folder;
  const auto store = *DirectoryBlockStore::open(folder.path());
  std::atomic<int> num_failed{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 30; ++i) {
          const std::string text = "block " + std::to_string(i);
          num_failed += store->put(raw_cid(text), bytes_of(text)).has_value() ? 0 : 1;
          num_failed += store->get(raw_cid(text)).has_value() ? 0 : 1;
        }
      });
    }
  }
  EXPECT_EQ(num_failed.load(), 0);
  EXPECT_EQ(*store->size(), 30);
}

TEST(DirectoryBlockStoreTest, RefusesAFolderThatCannotBe) {
  const Folder folder;
  const std::string file = folder.path() + "/file";
  std::ofstream(file) << "x";
  EXPECT_FALSE(DirectoryBlockStore::open(file).has_value());
  EXPECT_FALSE(DirectoryBlockStore::open("").has_value());
}

}  // namespace
}  // namespace penstock::core
