#include "penstock/flow/yaml_write.h"

#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/spec_yaml.h"

namespace penstock::flow {
namespace {

using core::Value;

std::string written(const Value& value) {
  std::string out;
  const auto status = append_yaml(out, value, 2);
  EXPECT_TRUE(status.has_value()) << status.error().message();
  return out;
}

// What a node gets that has the text as a parameter in a file that was written here.
Value read_back(const std::string& text) {
  std::string file = "nodes:\n  a:\n    type: sum\n    params:\n      text:";
  EXPECT_TRUE(append_yaml(file, Value::text(text), 8).has_value());
  const auto spec = parse_spec(file);
  EXPECT_TRUE(spec.has_value()) << to_error(spec.error()).message() << "\n" << file;
  return spec.has_value() ? spec->nodes.at(0).params.at(0).value : Value();
}

TEST(YamlWriteTest, SeveralLinesAreABlock) {
  EXPECT_EQ(written(Value::text("a\n")), " |\n  a\n");
  EXPECT_EQ(written(Value::text("a\nb")), " |-\n  a\n  b\n");
  EXPECT_EQ(written(Value::text("a\n\n")), " |+\n  a\n\n");
  EXPECT_EQ(written(Value::text("\n")), " \"\\n\"\n");
}

TEST(YamlWriteTest, WhatMayNotStandInAFileIsEscaped) {
  EXPECT_EQ(written(Value::text("a\xEF\xBF\xBE"
                                "b\xEF\xBF\xBF")),
            " \"a\\uFFFEb\\uFFFF\"\n");
  EXPECT_EQ(written(Value::text("\xEF\xBB\xBF"
                                "a")),
            " \"\\uFEFFa\"\n");
  EXPECT_EQ(written(Value::text("a\xE2\x80\xA8\xE2\x80\xA9")), " \"a\\L\\P\"\n");
  EXPECT_EQ(written(Value::text("\x1b\x7f\xC2\x85")), " \"\\x1b\\x7f\\x85\"\n");
}

TEST(YamlWriteTest, EveryTextReadsBackAsItself) {
  const std::vector<std::string> parts = {"a",
                                          "b c",
                                          " ",
                                          "\n",
                                          "\t",
                                          ":",
                                          "#",
                                          "- ",
                                          "'",
                                          "\"",
                                          "1",
                                          "true",
                                          "~",
                                          "|",
                                          "%",
                                          "\\",
                                          "\r",
                                          "\x01",
                                          "\xC2\x85",
                                          "\xC3\xA9",
                                          "=",
                                          "<<",
                                          ",",
                                          "[",
                                          "{",
                                          "...",
                                          "---",
                                          "\xE2\x80\xA8",
                                          "\xE2\x80\xA9",
                                          "\xEF\xBB\xBF",
                                          "&",
                                          "*",
                                          "!",
                                          "?",
                                          "@",
                                          "\x7f",
                                          "0x10",
                                          "\xEF\xBF\xBE",
                                          "\xEF\xBF\xBF",
                                          "\xF0\x9F\x98\x80"};
  for (const std::string& part : parts) {
    EXPECT_EQ(read_back(part), Value::text(part));
  }
  std::mt19937 random(8);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::size_t i = random() % 6; i > 0; --i) {
      text += parts[random() % parts.size()];
    }
    ASSERT_EQ(read_back(text), Value::text(text)) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace penstock::flow
