#include "penstock/ops/table/sql_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::ops::table {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SqlTextTest, FindsParametersOutsideStringsAndComments) {
  const SqlWords words = scan_words(
      "SELECT $late, '$no', \"$no\", $$ $no $$, $tag$ $no $tag$ -- $no\n/* $no */ FROM t "
      "WHERE x > $Month");
  EXPECT_THAT(words.parameters, ElementsAre("late", "month"));
}

TEST(SqlTextTest, NamesAreLowerCaseAndQuotedOnesCount) {
  const SqlWords words = scan_words("FROM Flights f JOIN \"Air Ports\" USING (iata)");
  EXPECT_THAT(words.names,
              ElementsAre("air ports", "f", "flights", "from", "iata", "join", "using"));
}

TEST(SqlTextTest, SeesFunctionsThatAreNotOfTheirInput) {
  EXPECT_EQ(scan_words("SELECT now()").impure, "now");
  EXPECT_EQ(scan_words("SELECT Random ()").impure, "random");
  EXPECT_EQ(scan_words("SELECT current_date").impure, "current_date");
  EXPECT_THAT(scan_words("SELECT now, t.random FROM t").impure, IsEmpty());
  EXPECT_THAT(scan_words("SELECT 'now()' -- now()").impure, IsEmpty());
}

TEST(SqlTextTest, UnfinishedPartsEndWithTheText) {
  for (const char* text : {"'", "\"", "/*", "--", "$$", "$a$ b", "$", ""}) {
    EXPECT_THAT(scan_words(text).parameters, IsEmpty()) << text;
  }
}

TEST(SqlTextTest, OneLineKeepsThePlace) {
  EXPECT_EQ(one_line("Parser Error: syntax error at or near \"x\"\n\n"
                     "LINE 1: SELECT * FORM x\n                      ^"),
            "Parser Error: syntax error at or near \"x\" (line 1, column 15 of the query, at 'x')");
  EXPECT_EQ(one_line("Binder Error: a\nb"), "Binder Error: a b");
  EXPECT_EQ(one_line("Error: a\n\nLINE 3: ...cut here x\n                 ^"),
            "Error: a (line 3 of the query, at 're x')");
  EXPECT_EQ(one_line("Error: a\n\nLINE 1: broken"), "Error: a");
  EXPECT_EQ(one_line("Error: a\n\nLINE 2: x > 1\n        ^", "filter", 1),
            "Error: a (line 1, column 1 of the filter, at 'x > 1')");
}

TEST(SqlTextTest, SuggestionIsTheFirstOffered) {
  EXPECT_EQ(suggestion("x\nDid you mean \"flights\"?\n"), "flights");
  EXPECT_EQ(suggestion("x\nCandidate bindings: \"delay\", \"date\""), "delay");
  EXPECT_EQ(suggestion("x"), "");
}

}  // namespace
}  // namespace penstock::ops::table
