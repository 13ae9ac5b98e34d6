// The YAML 1.2 core schema, against the table of the specification (10.3.2).
#include "penstock/flow/yaml_scalar.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "penstock/core/value.h"

namespace penstock::flow {
namespace {

using core::Kind;
using core::Value;

TEST(YamlScalarTest, ResolvesNullAndBool) {
  for (const char* text : {"", "~", "null", "Null", "NULL"}) {
    EXPECT_TRUE(resolve_plain_scalar(text).is_null()) << text;
  }
  EXPECT_EQ(resolve_plain_scalar("true"), Value::boolean(true));
  EXPECT_EQ(resolve_plain_scalar("FALSE"), Value::boolean(false));
}

TEST(YamlScalarTest, KeepsWordsOfOlderSchemasAsText) {
  for (const char* text :
       {"yes",  "no",   "on",  "off", "y",    "n",     "tRue", "nUll", "2001-12-14", "1_000",
        "0b11", "1:30", "0o8", "0xg", "-0x1", "+0o7",  "--1",  "+",    "-",          ".",
        "..",   "1e",   "1e+", "e1",  ".e1",  ".inff", "nan",  "inf",  "+.nan",      "="}) {
    EXPECT_EQ(resolve_plain_scalar(text), Value::text(text)) << text;
    EXPECT_FALSE(resolves_to_other_than_text(text)) << text;
  }
}

TEST(YamlScalarTest, ResolvesIntegers) {
  EXPECT_EQ(resolve_plain_scalar("0"), Value::integer(0));
  EXPECT_EQ(resolve_plain_scalar("-0"), Value::integer(0));
  EXPECT_EQ(resolve_plain_scalar("017"), Value::integer(17));
  EXPECT_EQ(resolve_plain_scalar("+12"), Value::integer(12));
  EXPECT_EQ(resolve_plain_scalar("-19"), Value::integer(-19));
  EXPECT_EQ(resolve_plain_scalar("0o17"), Value::integer(15));
  EXPECT_EQ(resolve_plain_scalar("0x3aF"), Value::integer(943));
  EXPECT_EQ(resolve_plain_scalar("9223372036854775807"),
            Value::integer(std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ(resolve_plain_scalar("-9223372036854775808"),
            Value::integer(std::numeric_limits<std::int64_t>::min()));
}

TEST(YamlScalarTest, ResolvesIntegersBeyondInt64) {
  const Value big = resolve_plain_scalar("18446744073709551616");  // 2^64
  ASSERT_TRUE(big.is(Kind::kBigInt));
  EXPECT_FALSE(big.big_negative());
  EXPECT_EQ(big.big_magnitude(), std::string("\x01\0\0\0\0\0\0\0\0", 9));
  const Value negative = resolve_plain_scalar("-9223372036854775809");
  ASSERT_TRUE(negative.is(Kind::kBigInt));
  EXPECT_TRUE(negative.big_negative());
  EXPECT_EQ(resolve_plain_scalar("0x10000000000000000"), big);
  EXPECT_TRUE(resolve_plain_scalar(std::string(100'000, '7')).is(Kind::kText));
}

TEST(YamlScalarTest, ResolvesFloats) {
  EXPECT_EQ(resolve_plain_scalar("1.5"), Value::real(1.5));
  EXPECT_EQ(resolve_plain_scalar("-.5"), Value::real(-0.5));
  EXPECT_EQ(resolve_plain_scalar("1."), Value::real(1.0));
  EXPECT_EQ(resolve_plain_scalar("12e03"), Value::real(12000));
  EXPECT_EQ(resolve_plain_scalar("-2E+05"), Value::real(-2e5));
  EXPECT_EQ(resolve_plain_scalar("-0.0"), Value::real(-0.0));
  EXPECT_EQ(resolve_plain_scalar(".inf"), Value::real(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(resolve_plain_scalar("-.INF"), Value::real(-std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(std::isnan(resolve_plain_scalar(".NaN").as_float()));
}

TEST(YamlScalarTest, ResolvesFloatsBeyondTheRangeToInfinityOrZero) {
  EXPECT_EQ(resolve_plain_scalar("1e999"), Value::real(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(resolve_plain_scalar("-1e999"), Value::real(-std::numeric_limits<double>::infinity()));
  EXPECT_EQ(resolve_plain_scalar("1e-999"), Value::real(0.0));
}

}  // namespace
}  // namespace penstock::flow
