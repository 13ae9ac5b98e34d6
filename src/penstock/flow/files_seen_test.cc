// What files hold, and whether that has changed.
#include "penstock/flow/files_seen.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;

class FilesSeenTest : public ::testing::Test {
 protected:
  FilesSeenTest() {
    std::string name = (fs::temp_directory_path() / "penstock-files-XXXXXX").string();
    PENSTOCK_CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~FilesSeenTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }

  fs::path folder_;
};

TEST_F(FilesSeenTest, DigestsContent) {
  write("a", "one");
  write("b", "one");
  write("c", "");
  EXPECT_EQ(*digest_of_files(path("a")), core::hash_bytes("one"));
  EXPECT_EQ(*digest_of_files(path("a")), *digest_of_files(path("b")));
  EXPECT_EQ(*digest_of_files(path("c")), core::hash_bytes(""));
  EXPECT_EQ(digest_of_files(path("d")).error().code(), base::ErrorCode::kNotFound);
  EXPECT_FALSE(digest_of_files(folder_.string()).has_value());
}

TEST_F(FilesSeenTest, DigestsWhatAPatternMatches) {
  write("a1", "one");
  write("b1", "two");
  const auto one = *digest_of_files(path("a?"));
  EXPECT_NE(one, *digest_of_files(path("[ab]1")));
  write("a2", "two");
  EXPECT_NE(one, *digest_of_files(path("a?")));
  EXPECT_EQ(*digest_of_files(path("x*")), *digest_of_files(path("y*")));
}

TEST_F(FilesSeenTest, NoticesAnyChange) {
  const auto change_of = [this](auto change) {
    write("a1", "one");
    FilesSeen files;
    EXPECT_EQ(*files.digest(path("a1")), core::hash_bytes("one"));
    EXPECT_TRUE(files.digest(path("a?")).has_value());
    EXPECT_TRUE(files.are_unchanged());
    change();
    return !files.are_unchanged();
  };
  EXPECT_TRUE(change_of([this] { write("a1", "more"); }));
  EXPECT_TRUE(change_of([this] { fs::remove(path("a1")); }));
  EXPECT_TRUE(change_of([this] {
    write("b", "one");
    fs::rename(path("b"), path("a1"));
  }));
  EXPECT_TRUE(change_of([this] { write("a2", "another that the pattern matches"); }));
  EXPECT_FALSE(change_of([this] { write("b", "another"); }));
  EXPECT_TRUE(FilesSeen().are_unchanged());
}

}  // namespace
}  // namespace penstock::flow
