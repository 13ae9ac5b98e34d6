#include "penstock/flow/yaml_comments.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/spec_yaml.h"

namespace penstock::flow {
namespace {

std::string formatted(const std::string& source) {
  const auto spec = parse_spec(source);
  EXPECT_TRUE(spec.has_value()) << to_error(spec.error()).message();
  return keep_comments(source, *to_yaml(*spec));
}

void expect_stable(const std::string& source, const std::string& wanted) {
  EXPECT_EQ(formatted(source), wanted);
  EXPECT_EQ(formatted(wanted), wanted);
}

TEST(YamlCommentsTest, StayWithTheirKeysWhenThoseMove) {
  expect_stable(
      "nodes:\n  a:\n    # of depends\n    depends: b.value  # behind\n    type: sum # type\n",
      "nodes:\n  a:\n    type: sum  # type\n    # of depends\n    depends: b.value  # behind\n");
}

TEST(YamlCommentsTest, StayAtTheTopAndTheEnd) {
  expect_stable("# top\n\n\n# nodes\nnodes:\n  a: {type: sum}\n\n# end\n",
                "# top\n\n# nodes\nnodes:\n  a:\n    type: sum\n\n# end\n");
}

TEST(YamlCommentsTest, MoveToTheNextPartWhenTheirsIsGone) {
  expect_stable("nodes:\n  a:\n    enabled: true  # default\n    type: sum\n  b: {type: sum}\n",
                "nodes:\n  a:\n    # default\n    type: sum\n  b:\n    type: sum\n");
}

TEST(YamlCommentsTest, AreNotFoundInText) {
  EXPECT_EQ(count_comments("a: \"# no\"\nb: 'x # no'\nc: x#no\nd: |\n  # no\n\n  # no\ne: 1 # yes\n"
                           "f: [1, # yes\n  2]\n# yes\n"),
            3);
  expect_stable("nodes:\n  a:\n    type: sum\n    description: \"\\u00e9 # no\"  # yes\n",
                "nodes:\n  a:\n    type: sum\n    description: \"\xC3\xA9 # no\"  # yes\n");
}

TEST(YamlCommentsTest, BlocksKeepTheirLayout) {
  expect_stable(
      "nodes:\n   a:\n      type: sum\n      params:\n         q: >\n            SELECT 1\n"
      "            FROM t\n\n   b: {type: sum}\n",
      "nodes:\n  a:\n    type: sum\n    params:\n      q: >\n        SELECT 1\n"
      "        FROM t\n\n  b:\n    type: sum\n");
  // Blank lines at the end that count, and an indentation of its own, are written anew.
  EXPECT_EQ(formatted("nodes:\n  a:\n    type: sum\n    description: |+\n      x\n\n\n"),
            "nodes:\n  a:\n    type: sum\n    description: |+\n      x\n\n\n");
}

TEST(YamlCommentsTest, TwoBehindOneLineKeepTheirOrder) {
  const std::string text =
      formatted("nodes:\n  a: {type: sum, params: {k: [1, # one\n    2]}} # two\n");
  EXPECT_THAT(text, testing::HasSubstr("# one"));
  EXPECT_THAT(text, testing::HasSubstr("# two"));
  EXPECT_EQ(formatted(text), text);
}

}  // namespace
}  // namespace penstock::flow
