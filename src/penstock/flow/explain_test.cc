// Every id in the sources is explained, and every topic is the id of an error that can happen.
#include "penstock/flow/explain.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;

std::set<std::string> ids_in(const std::string& text) {
  static const std::regex kId("(//[^\n]*)|\"(PS[0-9]{4})\"");
  std::set<std::string> out;
  for (std::sregex_iterator at(text.begin(), text.end(), kId), end; at != end; ++at) {
    if ((*at)[2].matched) {
      out.insert((*at)[2]);
    }
  }
  return out;
}

/// Ids that appear as literals in C++ and Python sources, tests and this catalogue left out.
std::set<std::string> ids_in_sources() {
  std::set<std::string> out;
  const fs::path root(PENSTOCK_SOURCE_DIR);
  for (const fs::path& folder : {root / "src" / "penstock", root / "python" / "penstock"}) {
    if (!fs::exists(folder)) {
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      const std::string extension = entry.path().extension().string();
      const bool is_source = extension == ".cc" || extension == ".h" || extension == ".py";
      if (!is_source || name.starts_with("explain") || name.contains("_test")) {
        continue;
      }
      std::ifstream file(entry.path());
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      out.merge(ids_in(text));
    }
  }
  return out;
}

TEST(ExplainTest, FindsTheIdsOfASource) {
  EXPECT_THAT(ids_in("fail(\"PS0101\"); // \"PS0102\""), testing::ElementsAre("PS0101"));
}

TEST(ExplainTest, HasATopicForEachIdAndAnIdForEachTopic) {
  std::set<std::string> topics;
  for (const ErrorTopic& topic : error_topics()) {
    topics.insert(std::string(topic.id));
  }
  EXPECT_THAT(ids_in_sources(), testing::ContainerEq(topics));
}

TEST(ExplainTest, IsSortedCompleteAndUnique) {
  std::set<std::string_view> texts;
  std::string_view last;
  for (const ErrorTopic& topic : error_topics()) {
    EXPECT_LT(last, topic.id);
    last = topic.id;
    EXPECT_FALSE(topic.title.empty() || topic.title.ends_with('.')) << topic.id;
    EXPECT_GT(topic.text.size(), 25U) << topic.id;
    EXPECT_TRUE(texts.insert(topic.text).second) << topic.id;
    EXPECT_TRUE(texts.insert(topic.title).second) << topic.id;
  }
}

TEST(ExplainTest, FindsATopicBySeveralSpellings) {
  for (const char* id : {"PS0101", "ps0101", "PS101", "0101", "101"}) {
    ASSERT_NE(find_error_topic(id), nullptr) << id;
    EXPECT_EQ(find_error_topic(id)->id, "PS0101");
  }
  for (const char* id : {"", "PS", "PS9999", "PS010111", "x"}) {
    EXPECT_EQ(find_error_topic(id), nullptr) << id;
  }
}

TEST(ExplainTest, PrintsCauseAndCure) {
  const std::string text = to_text(*find_error_topic("PS0016"));
  EXPECT_THAT(text, testing::StartsWith("PS0016: Malformed reference\n\n"));
  EXPECT_THAT(text, testing::HasSubstr("Cause:\n\n    depends: count\n"));
  EXPECT_THAT(text, testing::HasSubstr("Cure:\n\n    depends: count.value"));
}

TEST(ExplainTest, NamesThePageOfAnErrorThatHasOne) {
  EXPECT_THAT(to_text(*find_error_topic("PS0016")), testing::EndsWith("docs/errors/PS0016.md"));
  EXPECT_THAT(to_text(*find_error_topic("PS0011")), testing::EndsWith("    nodes: {}"));
}

TEST(ExplainTest, HasAPageForEachFileOfTheFolder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(fs::path(PENSTOCK_SOURCE_DIR) / "docs/errors")) {
    if (std::string name = entry.path().stem().string(); name != "README") {
      files.push_back(std::move(name));
    }
  }
  std::ranges::sort(files);
  EXPECT_THAT(files, testing::ElementsAreArray(error_pages()));
}

}  // namespace
}  // namespace penstock::flow
