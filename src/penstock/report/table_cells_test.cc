#include "penstock/report/table_cells.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/report/test_table.h"

namespace penstock::report {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the test's own helpers

std::string cells_of(const core::Value& table, std::int64_t column = 0) {
  const ColumnReader reader(*table.as_table(), column);
  JsonText out;
  out.begin_array();
  for (std::int64_t row = 0; row < reader.num_rows(); ++row) {
    reader.append_json(row, &out);
  }
  return out.end_array().take();
}

std::string cells_of(TestColumn column) {
  return cells_of(make_table({{std::move(column)}}));
}

template <class T>
TestColumn fixed(std::string format, const std::vector<T>& values) {
  return {.name = "x",
          .format = std::move(format),
          .length = std::ssize(values),
          .buffers = {"", packed(values)}};
}

TEST(ColumnReaderTest, ReadsNumbersTextAndNulls) {
  EXPECT_EQ(cells_of(make_column("x", Numbers{1.5, NAN, -2})), "[1.5,null,-2.0]");
  EXPECT_EQ(cells_of(make_column("x", Integers{1, -9})), "[1,-9]");
  EXPECT_EQ(cells_of(make_column("x", Texts{"a\"b", std::nullopt, ""})), R"(["a\"b",null,""])");
}

TEST(ColumnReaderTest, ReadsEveryFixedWidth) {
  EXPECT_EQ(cells_of(fixed<std::int8_t>("c", {-1, 127})), "[-1,127]");
  EXPECT_EQ(cells_of(fixed<std::uint8_t>("C", {255})), "[255]");
  EXPECT_EQ(cells_of(fixed<std::uint16_t>("S", {65535})), "[65535]");
  EXPECT_EQ(cells_of(fixed<std::int32_t>("i", {-5})), "[-5]");
  EXPECT_EQ(cells_of(fixed<std::uint64_t>("L", {~std::uint64_t{0}})), "[18446744073709551615]");
  EXPECT_EQ(cells_of(fixed<float>("f", {0.5F})), "[0.5]");
  EXPECT_EQ(cells_of(fixed<std::uint16_t>("e", {0x3C00, 0xC000, 0x7C00, 0x0001})),
            "[1.0,-2.0,null,5.960464477539063e-08]");
  EXPECT_EQ(cells_of(TestColumn{.name = "x", .format = "b", .length = 3, .buffers = {"", "\x05"}}),
            "[true,false,true]");
  EXPECT_EQ(
      cells_of(TestColumn{.name = "x", .format = "w:2", .length = 2, .buffers = {"", "abcd"}}),
      R"(["YWI=","Y2Q="])");
}

TEST(ColumnReaderTest, WritesDatesAndTimesInIso8601) {
  EXPECT_EQ(cells_of(fixed<std::int32_t>("tdD", {0, -1, 11'017, 19'782})),
            R"(["1970-01-01","1969-12-31","2000-03-01","2024-02-29"])");
  EXPECT_EQ(cells_of(fixed<std::int64_t>("tsu:", {981'075'660'000'000, -1})),
            R"(["2001-02-02T01:01:00","1969-12-31T23:59:59.999999"])");
  EXPECT_EQ(cells_of(fixed<std::int64_t>("tss:UTC", {60})), R"(["1970-01-01T00:01:00Z"])");
  EXPECT_EQ(cells_of(fixed<std::int32_t>("ttm", {3'723'004})), R"(["01:02:03.004"])");
  EXPECT_EQ(cells_of(fixed<std::int64_t>("tDs", {90})), "[90]");
}

TEST(ColumnReaderTest, WritesDecimalsExactly) {
  std::string bytes(32, '\0');
  bytes[0] = '\x7b';                                   // 123
  std::fill(bytes.begin() + 16, bytes.end(), '\xff');  // -1
  EXPECT_EQ(
      cells_of(TestColumn{.name = "x", .format = "d:10,2", .length = 2, .buffers = {"", bytes}}),
      "[1.23,-0.01]");
  EXPECT_EQ(
      cells_of(TestColumn{.name = "x", .format = "d:10,-2", .length = 1, .buffers = {"", bytes}}),
      "[12300]");
}

TEST(ColumnReaderTest, ReadsStringViewsShortAndLong) {
  const std::string long_text = "more than twelve bytes";
  std::string views(32, '\0');
  views[0] = 2;
  views.replace(4, 2, "ab");
  views[16] = static_cast<char>(long_text.size());
  views.replace(20, 4, long_text.substr(0, 4));
  const TestColumn column{
      .name = "x",
      .format = "vu",
      .length = 2,
      .buffers = {"", views, long_text, packed(std::vector<std::int64_t>{std::ssize(long_text)})}};
  EXPECT_EQ(cells_of(column), R"(["ab","more than twelve bytes"])");
}

TEST(ColumnReaderTest, ReadsListsStructsAndDictionaries) {
  const TestColumn items = make_column("item", Integers{1, 2, 3});
  const TestColumn list{.name = "x",
                        .format = "+l",
                        .length = 2,
                        .buffers = {"", packed(std::vector<std::int32_t>{0, 1, 3})},
                        .children = {items}};
  EXPECT_EQ(cells_of(list), "[[1],[2,3]]");
  const TestColumn fields{
      .name = "x", .format = "+s", .length = 3, .buffers = {""}, .children = {items}};
  EXPECT_EQ(cells_of(fields), R"([{"item":1},{"item":2},{"item":3}])");
  TestColumn dictionary = fixed<std::int8_t>("c", {1, 0, 1});
  dictionary.dictionary = {make_column("", Texts{"no", "yes"})};
  EXPECT_EQ(cells_of(dictionary), R"(["yes","no","yes"])");
  const core::Value table = make_table({{dictionary}});
  EXPECT_EQ(ColumnReader(*table.as_table(), 0).text(0), "yes");
}

TEST(ColumnReaderTest, FindsRowsAcrossBatchesAndOffsets) {
  TestColumn sliced = make_column("x", Integers{7, 8, 9});
  sliced.offset = 1;
  sliced.length = 2;
  const core::Value table =
      make_table({{make_column("x", Integers{1, 2})}, {make_column("x", Integers{})}, {sliced}});
  EXPECT_EQ(cells_of(table), "[1,2,8,9]");
  const ColumnReader reader(*table.as_table(), 0);
  EXPECT_EQ(reader.number(3), 9);
  EXPECT_EQ(reader.text(2), "8");
}

TEST(ColumnReaderTest, GivesNanForNullAndForText) {
  const core::Value table =
      make_table({{make_column("n", Numbers{NAN}), make_column("t", Texts{"a"})}});
  EXPECT_TRUE(std::isnan(ColumnReader(*table.as_table(), 0).number(0)));
  EXPECT_TRUE(std::isnan(ColumnReader(*table.as_table(), 1).number(0)));
  EXPECT_EQ(ColumnReader(*table.as_table(), 0).text(0), "");
}

TEST(TypeNameTest, NamesWhatPeopleCallTheTypes) {
  const auto name = [](const TestColumn& column) {
    ArrowSchema schema = schema_of(column);
    const std::string out = type_name(schema);
    schema.release(&schema);
    return out;
  };
  EXPECT_EQ(name({.name = "", .format = "l"}), "int64");
  EXPECT_EQ(name({.name = "", .format = "vu"}), "utf8");
  EXPECT_EQ(name({.name = "", .format = "tsu:"}), "timestamp[us]");
  EXPECT_EQ(name({.name = "", .format = "d:10,2"}), "decimal(10,2)");
  EXPECT_EQ(name({.name = "", .format = "c", .dictionary = {{.name = "", .format = "u"}}}), "utf8");
}

}  // namespace
}  // namespace penstock::report
