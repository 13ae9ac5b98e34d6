// The one form of errors, character by character.
#include "penstock/flow/diagnostic.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

using testing::HasSubstr;

Diagnostic sample() {
  return {.id = "PS0101",
          .message = "unknown node 'contur' in depends of node 'map'",
          .location = {.file = "flights.yaml", .line = 12, .column = 17},
          .excerpt = "      - months: contur.value",
          .help = "did you mean 'count'?"};
}

TEST(DiagnosticTest, RendersTheHouseForm) {
  EXPECT_EQ(render(sample(), false),
            "error[PS0101]: unknown node 'contur' in depends of node 'map'\n"
            "  --> flights.yaml:12:17\n"
            "   |       - months: contur.value\n"
            "   |                 ^\n"
            "  help: did you mean 'count'?");
}

TEST(DiagnosticTest, LeavesOutWhatIsUnknown) {
  EXPECT_EQ(render({.id = "PS0101", .message = "what"}, false), "error[PS0101]: what");
  EXPECT_EQ(render({.id = "PS0101", .message = "what", .location = {.file = "f"}}, false),
            "error[PS0101]: what\n  --> f");
  EXPECT_EQ(render({.message = "what"}, false), "error: what");
}

TEST(DiagnosticTest, ColorsOnlyWhenAsked) {
  EXPECT_THAT(render(sample(), true), HasSubstr("\033[1;31merror[PS0101]\033[0m"));
  EXPECT_THAT(render(sample(), false), testing::Not(HasSubstr("\033")));
}

TEST(DiagnosticTest, ShowsAWindowOfALongLine) {
  Diagnostic problem = sample();
  problem.excerpt = std::string(5000, 'x') + "bad" + std::string(5000, 'y');
  problem.location.column = 5001;
  const std::string text = render(problem, false);
  EXPECT_LT(text.size(), 400U);
  EXPECT_THAT(text, HasSubstr("xbady"));
}

TEST(DiagnosticTest, KeepsControlCharactersOffTheTerminal) {
  Diagnostic problem = sample();
  problem.excerpt = "a: \033]0;title\007\tb \xC2\x9B";
  problem.message = "bad\nname \033[31m";
  const std::string text = render(problem, false);
  EXPECT_THAT(text, testing::Not(HasSubstr("\033")));
  EXPECT_THAT(text, testing::Not(HasSubstr("\xC2\x9B")));
  EXPECT_LE(std::ranges::count(text, '\n'), 5);
}

TEST(DiagnosticTest, CountsColumnsInCharacters) {
  Diagnostic problem = sample();
  problem.excerpt = "\xC3\xA9\xC3\xA9: x";
  problem.location.column = 5;
  EXPECT_THAT(render(problem, false), HasSubstr("\n   |     ^"));
}

TEST(DiagnosticTest, JoinsAllIntoOneError) {
  const base::Error error = to_error({sample(), sample()});
  EXPECT_EQ(error.code(), base::ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.id(), "PS0101");
  EXPECT_EQ(std::ranges::count(error.message(), '\n'), 9);
  EXPECT_THAT(to_error(Diagnostics(25, sample())).message(), HasSubstr("\n5 more problems"));
}

}  // namespace
}  // namespace penstock::flow
