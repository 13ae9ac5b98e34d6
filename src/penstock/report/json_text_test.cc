#include "penstock/report/json_text.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace penstock::report {
namespace {

TEST(JsonTextTest, PutsCommasWhereTheyBelong) {
  JsonText out;
  out.begin_object().key("a").begin_array().integer(1).begin_array().end_array().null().end_array();
  out.key("b")
      .begin_object()
      .end_object()
      .text_field("none", "")
      .integer_field("c", -3)
      .end_object();
  EXPECT_EQ(out.str(), R"({"a":[1,[],null],"b":{},"c":-3})");
}

TEST(JsonTextTest, EscapesTextAndReplacesIllFormedUtf8) {
  JsonText out;
  out.text("q\"b\\n\nt\t\x01\x7f <\xC3\xA9> \xC3 \xED\xA0\x80");
  EXPECT_EQ(out.str(),
            "\"q\\\"b\\\\n\\nt\\t\\u0001\\u007f <\xC3\xA9> \\ufffd \\ufffd\\ufffd\\ufffd\"");
}

TEST(JsonTextTest, CannotEndAScriptElementInAPage) {
  JsonText out(true);
  out.begin_object().key("</script>").text("<!-- </script>").end_object();
  EXPECT_EQ(out.str().find('<'), std::string::npos);
  EXPECT_EQ(out.str(), R"({"\u003c/script>":"\u003c!-- \u003c/script>"})");
}

TEST(JsonTextTest, WritesNumbersThatReadBackEqualAndNullForNoNumber) {
  JsonText out;
  out.begin_array().real(0.1).real(2).real(-0.0).real(1e300).real(std::nan("")).real(HUGE_VAL);
  out.real(3.14159265, 3)
      .real(1234567, 3)
      .integer(std::numeric_limits<std::int64_t>::min())
      .end_array();
  EXPECT_EQ(out.str(), "[0.1,2.0,-0.0,1e+300,null,null,3.14,1.23e+06,-9223372036854775808]");
}

TEST(ToBase64Test, PadsLikeTheStandard) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("\xff\xfe\xfd"), "//79");
}

TEST(ToDecimalTest, ReadsTwosComplementOfAnyWidth) {
  EXPECT_EQ(to_decimal(std::string(16, '\0')), "0");
  EXPECT_EQ(to_decimal(std::string(16, '\xff')), "-1");
  EXPECT_EQ(to_decimal(std::string(8, '\0') + '\x01' + std::string(7, '\0')),
            "18446744073709551616");
  EXPECT_EQ(to_decimal(std::string("\x00\x80", 2)), "-32768");
}

}  // namespace
}  // namespace penstock::report
