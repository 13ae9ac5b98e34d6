#include "penstock/base/folder.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::base {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FolderTest : public ::testing::Test {
 protected:
  FolderTest() {
    std::string name = (fs::temp_directory_path() / "penstock-folder-XXXXXX").string();
    PENSTOCK_CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
    fs::create_directories(folder_ + "/a/b");
    for (const char* const file : {"/top", "/a/one", "/a/b/two"}) {
      std::ofstream(folder_ + file) << "x";
    }
    fs::create_directory_symlink(folder_ + "/a", folder_ + "/link");
  }
  ~FolderTest() override { fs::remove_all(folder_); }

  std::string folder_;
};

TEST_F(FolderTest, ListsFilesFoldersAndLinks) {
  const auto entries = list_folder(folder_);
  ASSERT_TRUE(entries.has_value()) << entries.error().to_string();
  std::vector<std::string> seen;
  for (const FolderEntry& entry : *entries) {
    EXPECT_EQ(entry.path, folder_ + "/" + entry.name);
    seen.push_back(entry.name + (entry.is_folder ? "/" : ""));
  }
  std::ranges::sort(seen);
  EXPECT_THAT(seen, ElementsAre("a/", "link", "top"));
}

TEST_F(FolderTest, FindsFilesBelowAndFollowsNoLinks) {
  std::vector<std::string> files = files_below(folder_).value_or(std::vector<std::string>());
  std::ranges::sort(files);
  EXPECT_THAT(files, ElementsAre(folder_ + "/a/b/two", folder_ + "/a/one", folder_ + "/link",
                                 folder_ + "/top"));
}

TEST_F(FolderTest, SaysThatThereIsNone) {
  const auto missing = list_folder(folder_ + "/nowhere");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("nowhere': No such file"));
  EXPECT_EQ(list_folder(folder_ + "/top").error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(*files_below(folder_ + "/nowhere"), IsEmpty());
}

}  // namespace
}  // namespace penstock::base
