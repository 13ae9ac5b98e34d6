// Tables and their canonical form: every type, any chunking, hostile forms.
#include "penstock/core/table.h"

#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/table_codec.h"
#include "penstock/core/table_layout.h"
#include "penstock/core/table_transport.h"

namespace penstock::core {
namespace {

using base::ErrorCode;
using ::testing::HasSubstr;

// ---- making Arrow columns by hand
// ----------------------------------------------------------------

template <class T>
std::string packed(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string bits(const std::string& text) {
  std::string out((text.size() + 7) / 8, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) {
    out[i / 8] = static_cast<char>(out[i / 8] | ((text[i] == '1' ? 1 : 0) << (i % 8)));
  }
  return out;
}

/// One column: format, slots, buffers (nullopt = null pointer), children, dictionary.
struct Column {
  std::string format;
  std::int64_t length = 0;
  std::vector<std::optional<std::string>> buffers;
  std::vector<Column> children;
  std::vector<Column> dictionary;  // none or one
  std::string name = "x";
  std::int64_t null_count = -1;
};

ArrowSchema schema_of(const Column& column) {
  std::vector<ArrowSchema> children;
  for (const Column& child : column.children) {
    children.push_back(schema_of(child));
  }
  ArrowSchema values{};
  if (!column.dictionary.empty()) {
    values = schema_of(column.dictionary[0]);
  }
  return make_schema(column.format, column.name, ARROW_FLAG_NULLABLE, std::move(children),
                     column.dictionary.empty() ? nullptr : &values);
}

struct Held {
  Column column;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
  ArrowArray dictionary{};
};

void release_held(ArrowArray* array) {
  auto* held = static_cast<Held*>(array->private_data);
  for (ArrowArray* child : held->pointers) {
    child->release(child);
  }
  if (held->dictionary.release != nullptr) {
    held->dictionary.release(&held->dictionary);
  }
  array->release = nullptr;
  delete held;
}

ArrowArray array_of(const Column& column) {
  auto* held = new Held{.column = column};
  for (const auto& buffer : held->column.buffers) {
    held->buffers.push_back(buffer.has_value() ? buffer->data() : nullptr);
  }
  for (const Column& child : column.children) {
    held->children.push_back(array_of(child));
  }
  for (ArrowArray& child : held->children) {
    held->pointers.push_back(&child);
  }
  if (!column.dictionary.empty()) {
    held->dictionary = array_of(column.dictionary[0]);
  }
  ArrowArray out{};
  out.length = column.length;
  out.null_count = column.null_count;
  out.n_buffers = static_cast<std::int64_t>(held->buffers.size());
  out.buffers = held->buffers.data();
  out.n_children = static_cast<std::int64_t>(held->children.size());
  out.children = held->pointers.data();
  out.dictionary = column.dictionary.empty() ? nullptr : &held->dictionary;
  out.release = release_held;
  out.private_data = held;
  return out;
}

base::Result<std::shared_ptr<const Table>> try_table(const std::vector<Column>& columns) {
  Column root{.format = "+s",
              .length = columns.empty() ? 0 : columns[0].length,
              .buffers = {std::nullopt},
              .children = columns,
              .null_count = 0};
  ArrowSchema schema = schema_of(root);
  return Table::create(&schema, {array_of(root)});
}

std::shared_ptr<const Table> table_of(const std::vector<Column>& columns) {
  auto table = try_table(columns);
  EXPECT_TRUE(table.has_value()) << table.error().to_string();
  return *table;
}

/// The same rows, cut at `cuts`; every batch is a slice with an offset.
std::shared_ptr<const Table> rechunked(const std::shared_ptr<const Table>& table,
                                       std::vector<std::int64_t> cuts) {
  cuts.push_back(table->num_rows());
  std::vector<ArrowArray> batches;
  std::int64_t begin = 0;
  ArrowSchema schema{};
  for (const std::int64_t end : cuts) {
    ArrowArrayStream stream{};
    export_stream(table, &stream);
    ArrowArray batch{};
    EXPECT_EQ(stream.get_next(&stream, &batch), 0);
    if (schema.release == nullptr) {
      EXPECT_EQ(stream.get_schema(&stream, &schema), 0);
    }
    stream.release(&stream);
    batch.offset += begin;
    batch.length = end - begin;
    batches.push_back(batch);
    begin = end;
  }
  auto out = Table::create(&schema, std::move(batches));
  EXPECT_TRUE(out.has_value()) << out.error().to_string();
  return *out;
}

std::string buffer_text(const TableForm& form, std::size_t index) {
  const Buffer& buffer = *form.buffers.at(index);
  return {reinterpret_cast<const char*>(buffer.data()),
          static_cast<std::size_t>(buffer.size_bytes())};
}

Column int_column(std::vector<std::int32_t> values, std::optional<std::string> validity) {
  const auto length = static_cast<std::int64_t>(values.size());
  return {.format = "i", .length = length, .buffers = {std::move(validity), packed(values)}};
}

Column text_column(const std::string& format = "u") {
  // "aa", null (with bytes under it), "", "b", "ccc"
  return {.format = format,
          .length = 5,
          .buffers = {bits("10111"),
                      format == "u" || format == "z" ? packed<std::int32_t>({0, 2, 4, 4, 5, 8})
                                                     : packed<std::int64_t>({0, 2, 4, 4, 5, 8}),
                      "aaXXbccc"}};
}

Column view_column() {
  std::string views(5 * 16, '\0');
  const auto put = [&views](int slot, std::int32_t size, const std::string& head,
                            std::int32_t offset) {
    std::memcpy(views.data() + slot * 16, &size, 4);
    std::memcpy(views.data() + slot * 16 + 4, head.data(), head.size());
    if (size > 12) {
      std::memcpy(views.data() + slot * 16 + 12, &offset, 4);
    }
  };
  put(0, 2, "aa", 0);
  put(1, 3, "XXX", 0);
  put(2, 16, "long", 4);
  put(4, 12, "exactly12byt", 0);
  return {.format = "vu",
          .length = 5,
          .buffers = {bits("10111"), views, "....long text, here!", packed<std::int64_t>({20})}};
}

/// One column of each kind, five slots each, with nulls that have garbage below them.
std::vector<Column> all_kinds() {
  const std::string valid = bits("10111");
  std::vector<Column> columns;
  const auto add = [&columns](Column column) {
    column.name = "c" + std::to_string(columns.size());
    columns.push_back(std::move(column));
  };
  add({.format = "n", .length = 5, .null_count = 5});
  add({.format = "b", .length = 5, .buffers = {valid, bits("01101")}});
  const std::pair<const char*, int> widths[] = {
      {"c", 1},           {"C", 1},         {"s", 2},
      {"S", 2},           {"i", 4},         {"I", 4},
      {"l", 8},           {"L", 8},         {"e", 2},
      {"f", 4},           {"g", 8},         {"w:3", 3},
      {"tdD", 4},         {"tdm", 8},       {"tts", 4},
      {"ttm", 4},         {"ttu", 8},       {"ttn", 8},
      {"tss:", 8},        {"tsm:UTC", 8},   {"tsu:Europe/Berlin", 8},
      {"tsn:", 8},        {"tDs", 8},       {"tDn", 8},
      {"tiM", 4},         {"tiD", 8},       {"tin", 16},
      {"d:9,2,32", 4},    {"d:18,2,64", 8}, {"d:38,-3", 16},
      {"d:76,10,256", 32}};
  for (const auto& [format, width] : widths) {
    std::string data;
    for (int i = 0; i < 5 * width; ++i) {
      data.push_back(static_cast<char>(i + 1));
    }
    add({.format = format, .length = 5, .buffers = {valid, data}});
  }
  for (const char* format : {"u", "U", "z", "Z"}) {
    add(text_column(format));
  }
  add(view_column());
  const Column items = int_column({1, 2, 3, 4, 5, 6, 7, 8}, bits("11101111"));
  add({.format = "+l",
       .length = 5,
       .buffers = {valid, packed<std::int32_t>({0, 2, 4, 4, 5, 8})},
       .children = {items}});
  add({.format = "+L",
       .length = 5,
       .buffers = {valid, packed<std::int64_t>({0, 2, 4, 4, 5, 8})},
       .children = {items}});
  add({.format = "+w:2",
       .length = 5,
       .buffers = {valid},
       .children = {int_column({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, bits("1111111110"))}});
  add({.format = "+s",
       .length = 5,
       .buffers = {valid},
       .children = {int_column({1, 2, 3, 4, 5}, std::nullopt), text_column()}});
  Column key = text_column();
  key.buffers[0].reset();
  const Column entries{.format = "+s",
                       .length = 5,
                       .buffers = {std::nullopt},
                       .children = {key, int_column({1, 2, 3, 4, 5}, std::nullopt)}};
  add({.format = "+m",
       .length = 5,
       .buffers = {valid, packed<std::int32_t>({0, 1, 2, 2, 3, 5})},
       .children = {entries}});
  Column words{.format = "u",
               .length = 4,
               .buffers = {bits("1101"), packed<std::int32_t>({0, 1, 2, 3, 4}), "badb"}};
  add({.format = "c",
       .length = 5,
       .buffers = {valid, packed<std::int8_t>({3, 99, 0, 2, 1})},
       .dictionary = {words}});
  return columns;
}

// ---- tests
// ---------------------------------------------------------------------------------------

TEST(TableTest, EveryKindComesBackFromItsForm) {
  for (const Column& column : all_kinds()) {
    SCOPED_TRACE(column.format);
    const auto table = table_of({column});
    const auto form = to_form(table);
    ASSERT_TRUE(form.has_value()) << form.error().to_string();
    const auto back = from_form(*form);
    ASSERT_TRUE(back.has_value()) << back.error().to_string();
    EXPECT_TRUE(equal(*table, **back).value());
    EXPECT_EQ((*back)->num_rows(), 5);
  }
}

TEST(TableTest, ChunkingAndSlicingDoNotShowInTheForm) {
  for (const Column& column : all_kinds()) {
    SCOPED_TRACE(column.format);
    const auto table = table_of({column});
    const TableForm whole = to_form(table).value();
    for (const std::vector<std::int64_t>& cuts :
         {std::vector<std::int64_t>{1}, {0, 2, 2, 3}, {1, 2, 3, 4}, {5}}) {
      const TableForm cut = to_form(rechunked(table, cuts)).value();
      ASSERT_EQ(whole.buffers.size(), cut.buffers.size());
      for (std::size_t i = 0; i < whole.buffers.size(); ++i) {
        EXPECT_EQ(buffer_text(whole, i), buffer_text(cut, i)) << "buffer " << i;
      }
    }
  }
}

TEST(TableTest, SlicesAreEqualToTheSameRowsOnTheirOwn) {
  const auto all = table_of({int_column({1, 2, 3, 4}, bits("1011"))});
  const auto tail = table_of({int_column({3, 4}, std::nullopt)});
  const auto cut = rechunked(all, {2});
  ArrowArrayStream stream{};
  export_stream(cut, &stream);
  ArrowSchema schema{};
  ASSERT_EQ(stream.get_schema(&stream, &schema), 0);
  ArrowArray head{}, second{};
  ASSERT_EQ(stream.get_next(&stream, &head), 0);
  ASSERT_EQ(stream.get_next(&stream, &second), 0);
  head.release(&head);
  stream.release(&stream);
  const auto sliced = Table::create(&schema, {second}).value();
  EXPECT_TRUE(equal(*sliced, *tail).value());
  EXPECT_FALSE(equal(*sliced, *all).value());
}

TEST(TableTest, CanonicalFormHasNoGarbage) {
  const TableForm ints = to_form(table_of({int_column({7, 8, 9}, bits("101"))})).value();
  EXPECT_EQ(buffer_text(ints, 0), bits("101"));
  EXPECT_EQ(buffer_text(ints, 1), packed<std::int32_t>({7, 0, 9}));
  // A bitmap that says "no nulls", with dirty padding, is as good as none.
  const TableForm full = to_form(table_of({int_column({7, 8, 9}, std::string("\xff"))})).value();
  EXPECT_EQ(buffer_text(full, 0), "");
  const TableForm text = to_form(table_of({text_column()})).value();
  EXPECT_EQ(buffer_text(text, 1), packed<std::int32_t>({0, 2, 2, 2, 3, 6}));
  EXPECT_EQ(buffer_text(text, 2), "aabccc");
}

TEST(TableTest, DictionaryIsInOrderOfFirstUse) {
  const TableForm form = to_form(table_of({all_kinds().back()})).value();
  // Slots: "b" (entry 3), null, "b" (entry 0), null (entry 2 is null), "a".
  EXPECT_EQ(buffer_text(form, 0), bits("10101"));
  EXPECT_EQ(buffer_text(form, 1), packed<std::int8_t>({0, 0, 0, 0, 1}));
  EXPECT_EQ(buffer_text(form, 3), packed<std::int32_t>({0, 1, 2}));
  EXPECT_EQ(buffer_text(form, 4), "ba");
}

TEST(TableTest, WholeCleanColumnIsNotCopied) {
  const auto table = table_of({int_column({7, 8, 9}, std::nullopt)});
  const TableForm form = to_form(table).value();
  EXPECT_EQ(static_cast<const void*>(form.buffers[1]->data()),
            table->batches()[0].children[0]->buffers[1]);
}

TEST(TableTest, EverySliceOfEveryKindSurvivesTransport) {
  for (const Column& column : all_kinds()) {
    SCOPED_TRACE(column.format);
    const auto table = table_of({column});
    for (const std::vector<std::int64_t>& cuts :
         {std::vector<std::int64_t>{}, {1}, {0, 2, 2, 3}, {1, 2, 3, 4}, {5}}) {
      const auto cut = rechunked(table, cuts);
      auto form = to_transport(cut);
      ASSERT_TRUE(form.has_value()) << form.error().to_string();
      const auto back = from_transport(*form);
      ASSERT_TRUE(back.has_value()) << back.error().to_string();
      EXPECT_TRUE(equal(*table, **back).value());
      EXPECT_EQ((*back)->batches().size(), cut->batches().size());
    }
  }
}

// Beyond eight slots a slice begins inside the buffers.
TEST(TableTest, TransportSendsOnlyTheSlice) {
  std::vector<std::int32_t> numbers(100);
  std::vector<std::int32_t> offsets(101);
  std::string valid, text;
  for (int i = 0; i < 100; ++i) {
    numbers[static_cast<std::size_t>(i)] = i;
    valid += i % 7 == 3 ? '0' : '1';
    text += std::string(static_cast<std::size_t>(i % 5), static_cast<char>('a' + i % 26));
    offsets[static_cast<std::size_t>(i) + 1] = static_cast<std::int32_t>(text.size());
  }
  Column ints{.format = "i", .length = 100, .buffers = {bits(valid), packed(numbers)}};
  ints.name = "i";
  Column words{.format = "u", .length = 100, .buffers = {bits(valid), packed(offsets), text}};
  words.name = "u";
  Column lists{.format = "+l",
               .length = 20,
               .buffers = {std::nullopt, packed<std::int32_t>([] {
                             std::vector<std::int32_t> steps(21);
                             for (int i = 0; i <= 20; ++i) {
                               steps[static_cast<std::size_t>(i)] = 5 * i;
                             }
                             return steps;
                           }())},
               .children = {ints}};
  for (const auto& table : {table_of({ints, words}), table_of({lists})}) {
    for (const std::vector<std::int64_t>& cuts :
         {std::vector<std::int64_t>{9}, {16, 17}, {3, 11, 13}}) {
      auto form = to_transport(rechunked(table, cuts)).value();
      std::int64_t size = 0;
      for (const auto& buffer : form.buffers) {
        size += buffer->size_bytes();
      }
      EXPECT_LT(size, 1500);
      EXPECT_TRUE(equal(*table, *from_transport(std::move(form)).value()).value());
    }
  }
  const auto table = table_of({ints});
  EXPECT_EQ(static_cast<const void*>(to_transport(table).value().buffers[2]->data()),
            table->batches()[0].children[0]->buffers[1]);
}

TEST(TableTest, DamagedTransportIsRefusedOrATable) {
  std::mt19937 random(5);
  const std::vector<Column> kinds = all_kinds();
  int refused = 0, accepted = 0;
  for (int i = 0; i < 3000; ++i) {
    auto form = to_transport(table_of({kinds[random() % kinds.size()]})).value();
    // One number of the column's description, or one buffer's size.
    if (random() % 2 == 0) {
      std::vector<Value> batch = form.batches.as_list()[0].as_list();
      std::vector<Value> column = batch[4].as_list()[0].as_list();
      column[random() % 6] = Value::integer(static_cast<std::int64_t>(random() % 9) - 1);
      batch[4] = Value::list({Value::list(std::move(column))});
      form.batches = Value::list({Value::list(std::move(batch))});
    } else {
      form.buffers[random() % form.buffers.size()] =
          Buffer::allocate(static_cast<std::int64_t>(random() % 30));
    }
    (from_transport(std::move(form)).has_value() ? accepted : refused) += 1;
  }
  EXPECT_GT(refused, 1500);
  EXPECT_GT(accepted, 100);
}

TEST(TableTest, MetadataIsLeftBehind) {
  Column column = int_column({1}, std::nullopt);
  Column root{.format = "+s", .length = 1, .buffers = {std::nullopt}, .children = {column}};
  ArrowSchema schema = schema_of(root);
  const char metadata[8] = {};
  schema.metadata = metadata;
  const auto table = Table::create(&schema, {array_of(root)}).value();
  EXPECT_EQ(table->schema().metadata, nullptr);
  EXPECT_EQ(table->column_name(0), "x");
  EXPECT_EQ(table->find_column("x"), 0);
  EXPECT_EQ(table->find_column("y"), -1);
}

TEST(TableTest, ExportedColumnOutlivesTheStreamAndTheTable) {
  auto table = table_of({int_column({1, 2}, std::nullopt)});
  ArrowArrayStream stream{};
  export_stream(table, &stream);
  ArrowArray batch{};
  ASSERT_EQ(stream.get_next(&stream, &batch), 0);
  ArrowArray column = *batch.children[0];
  batch.children[0]->release = nullptr;  // moved, as the interface allows
  batch.release(&batch);
  stream.release(&stream);
  table.reset();
  EXPECT_EQ(load<std::int32_t>(column.buffers[1], 1), 2);
  column.release(&column);
}

TEST(TableTest, EmptyTablesAreEqualWithAndWithoutBatches) {
  Column column = int_column({}, std::nullopt);
  const auto one = table_of({column});
  Column root{.format = "+s", .length = 0, .buffers = {std::nullopt}, .children = {column}};
  ArrowSchema schema = schema_of(root);
  const auto none = Table::create(&schema, {}).value();
  EXPECT_TRUE(equal(*one, *none).value());
  EXPECT_TRUE(from_form(to_form(none).value()).has_value());
}

void expect_refused(const Column& column, ErrorCode code, const std::string& what) {
  const auto table = try_table({column});
  ASSERT_FALSE(table.has_value());
  EXPECT_EQ(table.error().code(), code);
  EXPECT_THAT(table.error().message(), HasSubstr(what));
}

TEST(TableTest, CreateRefusesWhatTheSchemaDoesNotSay) {
  expect_refused({.format = "+r", .length = 0, .buffers = {}}, ErrorCode::kUnimplemented, "'+r'");
  expect_refused({.format = "", .length = 0, .buffers = {}}, ErrorCode::kUnimplemented, "''");
  expect_refused({.format = "d:x,2", .length = 0}, ErrorCode::kInvalidArgument, "'d:x,2'");
  expect_refused({.format = "i", .length = 1, .buffers = {std::nullopt}},
                 ErrorCode::kInvalidArgument, "number of buffers: seen 1, wanted 2");
  expect_refused({.format = "i", .length = 1, .buffers = {std::nullopt, std::nullopt}},
                 ErrorCode::kInvalidArgument, "buffer 1 is null");
  expect_refused({.format = "i", .length = -1, .buffers = {std::nullopt, ""}},
                 ErrorCode::kInvalidArgument, "length");
  expect_refused({.format = "+s",
                  .length = 2,
                  .buffers = {std::nullopt},
                  .children = {int_column({1}, std::nullopt)}},
                 ErrorCode::kInvalidArgument, "length of a child: seen 1, wanted 2");
  expect_refused({.format = "+w:3",
                  .length = 2,
                  .buffers = {std::nullopt},
                  .children = {int_column({1, 2, 3, 4, 5}, std::nullopt)}},
                 ErrorCode::kInvalidArgument, "length of a child: seen 5, wanted 6");
  expect_refused({.format = "g",
                  .length = 1,
                  .buffers = {std::nullopt, std::string(8, ' ')},
                  .dictionary = {text_column()}},
                 ErrorCode::kInvalidArgument, "wants integer indices");
  expect_refused({.format = "c",
                  .length = 1,
                  .buffers = {std::nullopt, " "},
                  .dictionary = {{.format = "b", .length = 1, .buffers = {std::nullopt, " "}}}},
                 ErrorCode::kUnimplemented, "dictionary");
}

TEST(TableTest, AnEmptyColumnNeedsNoBuffers) {
  const auto table =
      table_of({{.format = "i", .length = 0, .buffers = {std::nullopt, std::nullopt}}});
  EXPECT_TRUE(equal(*table, *table_of({int_column({}, std::nullopt)})).value());
}

TEST(TableTest, DictionaryIndexBeyondTheEndIsRefused) {
  Column column = all_kinds().back();
  column.buffers[1] = packed<std::int8_t>({0, 0, 4, 0, 0});
  const auto form = to_form(table_of({column}));
  ASSERT_FALSE(form.has_value());
  EXPECT_EQ(form.error().code(), ErrorCode::kDataLoss);
  EXPECT_THAT(form.error().message(), HasSubstr("seen 4, wanted 0 to 3"));
}

// ---- hostile forms
// -------------------------------------------------------------------------------

std::shared_ptr<const Buffer> buffer_of(const std::string& text) {
  auto buffer = Buffer::allocate(static_cast<std::int64_t>(text.size()));
  if (!text.empty()) {
    std::memcpy(buffer->mutable_data(), text.data(), text.size());
  }
  return buffer;
}

Value field_of(const std::string& type, std::vector<Value> children = {}) {
  std::vector<MapEntry> entries{
      {"name", Value::text("x")}, {"type", Value::text(type)}, {"flags", Value::integer(2)}};
  if (!children.empty()) {
    entries.emplace_back("children", Value::list(std::move(children)));
  }
  return Value::map(std::move(entries));
}

void expect_bad_form(const Value& field, std::int64_t num_rows,
                     const std::vector<std::string>& buffers, const std::string& what) {
  SCOPED_TRACE(what);
  TableForm form{.schema = Value::list({field}), .num_rows = num_rows};
  for (const std::string& buffer : buffers) {
    form.buffers.push_back(buffer_of(buffer));
  }
  const auto table = from_form(std::move(form));
  ASSERT_FALSE(table.has_value());
  EXPECT_EQ(table.error().code(), ErrorCode::kDataLoss) << table.error().to_string();
  EXPECT_THAT(table.error().message(), HasSubstr(what));
}

TEST(TableTest, FromFormRefusesWrongShapes) {
  expect_bad_form(Value::integer(1), 0, {}, "a field wants the keys");
  expect_bad_form(field_of("i"), -1, {}, "not negative");
  expect_bad_form(field_of("i"), 2, {}, "too few buffers");
  expect_bad_form(field_of("i"), 2, {"", "12345678", ""}, "left over");
  expect_bad_form(field_of("i"), 2, {"", "1234567"}, "seen 7 bytes, wanted 8");
  expect_bad_form(field_of("i"), 2, {"ab", "12345678"}, "seen 2 bytes, wanted 0 or 1");
  expect_bad_form(field_of("l"), std::int64_t{1} << 61, {"", "x"}, "seen");
  expect_bad_form(field_of("u"), std::int64_t{1} << 60, {"", ""}, "wanted");
  expect_bad_form(field_of("zz"), 0, {}, "'zz'");
  expect_bad_form(field_of("+l"), 0, {}, "seen 0 children, wanted 1");
  expect_bad_form(field_of("+w:2147483647", {field_of("+w:2147483647", {field_of("n")})}),
                  2147483647, {"", ""}, "length of column");
  Value deep = field_of("n");
  for (int i = 0; i < 100; ++i) {
    deep = field_of("+l", {deep});
  }
  expect_bad_form(deep, 0, {}, "deeper than 64");
  expect_bad_form(
      Value::map(
          {{"name", Value::text("x")}, {"type", Value::text("i")}, {"flags", Value::integer(8)}}),
      0, {"", ""}, "unknown flags");
  expect_bad_form(Value::map({{"name", Value::text("x")},
                              {"type", Value::text("i")},
                              {"flags", Value::integer(2)},
                              {"more", Value::integer(2)}}),
                  0, {"", ""}, "keys beyond");
  expect_bad_form(Value::map({{"name", Value::text(std::string("x\0y", 3))},
                              {"type", Value::text("i")},
                              {"flags", Value::integer(2)}}),
                  0, {"", ""}, "zero byte");
}

TEST(TableTest, FromFormRefusesWrongContent) {
  const std::string two_offsets = packed<std::int32_t>({0, 1, 2});
  expect_bad_form(field_of("u"), 2, {"", packed<std::int32_t>({0, 2, 1}), "ab"}, "backwards");
  expect_bad_form(field_of("u"), 2, {"", packed<std::int32_t>({1, 1, 2}), "ab"}, "start at 0");
  expect_bad_form(field_of("u"), 2, {"", two_offsets, "abc"}, "seen 3 bytes, wanted 2");
  expect_bad_form(field_of("u"), 2, {"", two_offsets, "\xff\xfe"}, "UTF-8");
  expect_bad_form(field_of("u"), 2, {"", two_offsets, "\xc3\xa9"}, "UTF-8");  // cut inside a letter
  expect_bad_form(field_of("vu"), 1, {"", packed<std::int64_t>({0, 1}), "\xff"}, "UTF-8");
}

TEST(TableTest, FromFormRefusesFormsThatAreNotCanonical) {
  const std::string what = "not canonical";
  const std::string ints = packed<std::int32_t>({1, 2});
  expect_bad_form(field_of("i"), 2, {bits("11"), ints}, what);  // bitmap without nulls
  expect_bad_form(field_of("i"), 2, {bits("10"), ints}, what);  // value in a null slot
  expect_bad_form(field_of("i"), 2, {bits("101"), packed<std::int32_t>({1, 0})}, what);  // padding
  expect_bad_form(field_of("b"), 2, {"", bits("111")}, what);                            // padding
  expect_bad_form(field_of("u"), 2, {bits("10"), packed<std::int32_t>({0, 1, 2}), "ab"}, what);
  Value dictionary = Value::map({{"name", Value::text("x")},
                                 {"type", Value::text("c")},
                                 {"flags", Value::integer(2)},
                                 {"dictionary", field_of("u")}});
  const std::string offsets = packed<std::int32_t>({0, 1, 2});
  expect_bad_form(dictionary, 2, {"", std::string("\1\0", 2), "", offsets, "ab"}, what);  // order
  expect_bad_form(dictionary, 2, {"", std::string("\0\0", 2), "", offsets, "ab"}, what);  // unused
  expect_bad_form(dictionary, 2, {"", std::string("\0\1", 2), "", offsets, "aa"}, what);  // twice
  expect_bad_form(dictionary, 2, {"", std::string("\0\2", 2), "", offsets, "ab"}, "");    // beyond
  expect_bad_form(dictionary, 2, {"", std::string("\0\0", 2), "", "", ""}, "without offsets");
}

}  // namespace
}  // namespace penstock::core
