// Mutated tubes: the reader never crashes, always answers, and what it accepts reads back.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/flow/spec_yaml.h"

namespace penstock::flow {
namespace {

std::vector<std::string> corpus() {
  std::vector<std::string> out{
      "nodes:\n  a: &x {type: sum, params: {n: 0x1f, t: '3', l: [1.5, .inf, ~]}}\n  b:\n    <<: "
      "*x\n"
      "    depends:\n      - a.value\n      - s: input.k\ninput: {k: {type: int, scope: "
      "process}}\n",
      "noob_id: a/b\ndescription: |\n  two\n  lines\nnodes:\n  r: {type: return, depends: "
      "a.value}\n",
      "? [a]\n: b\n",
      "- &a [*a]\n",
      "%YAML 1.2\n---\nnodes: {}\n...\n",
      "\xEF\xBB\xBFnodes: {}\n",
      "a: \"\\x41\\u2028\\\n  b\"\n",
      "{a: b, c, ? d : e}\n"};
  const std::filesystem::path golden =
      std::filesystem::path(PENSTOCK_SOURCE_DIR) / "tests" / "golden" / "errors";
  if (std::filesystem::exists(golden)) {
    for (const auto& entry : std::filesystem::directory_iterator(golden)) {
      if (entry.path().extension() == ".yaml" && entry.file_size() < 4096) {
        std::ifstream file(entry.path(), std::ios::binary);
        out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
      }
    }
  }
  return out;
}

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed), corpus_(corpus()) {}

  std::string next() {
    std::string text = corpus_[below(corpus_.size())];
    const std::size_t edits = 1 + below(6);
    for (std::size_t i = 0; i < edits; ++i) {
      edit(text);
    }
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void edit(std::string& text) {
    static constexpr std::string_view kMarks = "{}[]:,-?&*!|>'\"%@`#\n\t \\~<=.\xC3\xE2\x80\xFF";
    const std::size_t at = below(text.size() + 1);
    switch (below(5)) {
      case 0:
        text.insert(at, 1, kMarks[below(kMarks.size())]);
        break;
      case 1:
        text.erase(at, 1 + below(8));
        break;
      case 2:
        text.insert(at, text.substr(below(text.size() + 1), below(20)));
        break;
      case 3: {
        const std::string& other = corpus_[below(corpus_.size())];
        text.insert(at, other.substr(below(other.size() + 1), below(40)));
        break;
      }
      default:
        if (at < text.size()) {
          text[at] = static_cast<char>(random_());
        }
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> corpus_;
};

TEST(YamlFuzzTest, AnswersEveryMutationOfTheCorpus) {
  Mutator mutator(20261121);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  int accepted = 0;
  int refused = 0;
  while (std::chrono::steady_clock::now() < end && accepted + refused < 50'000) {
    const std::string text = mutator.next();
    const auto spec = parse_spec(text);
    if (!spec.has_value()) {
      ++refused;
      ASSERT_FALSE(spec.error().empty()) << text;
      ASSERT_FALSE(to_error(spec.error()).message().empty());
      continue;
    }
    ++accepted;
    const auto yaml = to_yaml(*spec);
    ASSERT_TRUE(yaml.has_value()) << text;
    const auto again = parse_spec(*yaml);
    ASSERT_TRUE(again.has_value()) << text << "\n---\n"
                                   << *yaml << "\n---\n"
                                   << to_error(again.error()).message();
    ASSERT_EQ(to_value(*again), to_value(*spec)) << text << "\n---\n" << *yaml;
  }
  RecordProperty("accepted", accepted);
  RecordProperty("refused", refused);
  EXPECT_GT(accepted, 10);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace penstock::flow
