// The operators of the pack, called as a runner calls them.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include <duckdb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/table_codec.h"
#include "penstock/ops/table/operators.h"
#include "penstock/ops/table/sql_engine.h"
#include "penstock/ops/table/sql_value.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using core::Kind;
using core::Value;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const core::Registry& registry() {
  static const core::Registry* made = [] {
    auto* fresh = new core::Registry();
    EXPECT_EQ(penstock_register_pack(fresh), nullptr);
    return fresh;
  }();
  return *made;
}

using Inputs = std::vector<std::pair<std::string, Value>>;

base::Result<Value> call(const std::string& type, std::vector<core::MapEntry> params,
                         const Inputs& inputs = {}, const core::Context* context = nullptr) {
  PENSTOCK_ASSIGN_OR_RETURN(auto node, registry().make_type(type, Value::map(std::move(params))));
  std::vector<core::Binding> bindings;
  std::vector<const Value*> values;
  const Value absent;
  if (node->signature().fixed_ports) {
    for (const core::Slot& slot : node->signature().slots) {
      const auto at = std::find_if(inputs.begin(), inputs.end(),
                                   [&](const auto& input) { return input.first == slot.name; });
      values.push_back(at == inputs.end() ? &absent : &at->second);
    }
  }
  for (const auto& [name, value] : inputs) {
    bindings.push_back({.position = -1, .name = name});
    if (!node->signature().fixed_ports) {
      values.push_back(&value);
    }
  }
  PENSTOCK_ASSIGN_OR_RETURN(auto op, node->bind(bindings));
  Value output;
  core::Call request{
      .inputs = values, .outputs = {&output, 1}, .state = nullptr, .context = context};
  PENSTOCK_RETURN_IF_ERROR([&]() -> base::Status {
    auto step = op->call(request);
    return step.has_value() ? base::Status() : base::fail(step.error());
  }());
  return output;
}

base::Result<Value> sql(const std::string& query, const Inputs& inputs = {},
                        std::vector<core::MapEntry> more = {}) {
  more.emplace_back("query", Value::text(query));
  return call("table.sql", std::move(more), inputs);
}

/// Rows of a query as text, one line each: "1|a|null".
std::string rows(const base::Result<Value>& result) {
  if (!result.has_value()) {
    return result.error().to_string();
  }
  const Value list = to_rows(*result->as_table()).value();
  std::string out;
  for (const Value& row : list.as_list()) {
    std::string line;
    for (const auto& [name, cell] : row.as_map()) {
      line += line.empty() ? "" : "|";
      switch (cell.kind()) {
        case Kind::kInt:
          line += std::to_string(cell.as_int());
          break;
        case Kind::kFloat:
          line += std::to_string(cell.as_float());
          break;
        case Kind::kText:
          line += cell.as_text();
          break;
        case Kind::kBool:
          line += cell.as_bool() ? "true" : "false";
          break;
        default:
          line += core::to_string(cell.kind());
      }
    }
    out += line + "\n";
  }
  return out;
}

class TableOperatorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("penstock-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write_text(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  /// 300,000 rows in three row groups' worth, sorted by i.
  std::string write_numbers(const std::string& name) const {
    const auto table =
        sql("SELECT i, i % 7 AS r, 'name ' || (i % 3) AS name, i / 4.0 AS q "
            "FROM range(300000) t(i) ORDER BY i");
    const auto written =
        call("table.write", {{"path", Value::text(path(name))}}, {{"table", *table}});
    EXPECT_TRUE(written.has_value()) << written.error().to_string();
    return written->as_text();
  }

  std::filesystem::path folder_;
};

using Read = std::vector<core::MapEntry>;

// ---- table.sql
// -----------------------------------------------------------------------------------

TEST_F(TableOperatorsTest, SqlSeesTablesByNameAndValuesAsParameters) {
  const auto numbers = sql("SELECT * FROM (VALUES (1, 'a'), (2, NULL), (3, 'c')) t(i, s)");
  EXPECT_EQ(rows(sql("SELECT i + $more AS x, s FROM Numbers WHERE i >= $least ORDER BY i",
                     {{"numbers", *numbers}, {"least", Value::integer(2)}},
                     {{"parameters", Value::map({{"more", Value::integer(10)}})}})),
            "12|null\n13|c\n");
}

TEST_F(TableOperatorsTest, SqlReadsAListOfTablesAsOne) {
  const Value a = *sql("SELECT 1 AS i"), b = *sql("SELECT 2 AS i");
  EXPECT_EQ(rows(sql("SELECT i FROM parts", {{"parts", Value::list({a, b, a})}})), "1\n2\n1\n");
  const Value other = *sql("SELECT 2 AS j");
  EXPECT_THAT(rows(sql("SELECT * FROM parts", {{"parts", Value::list({a, other})}})),
              HasSubstr("table 1 of the list differs from the first: column 0: seen 'j', "
                        "wanted 'i'"));
}

TEST_F(TableOperatorsTest, SqlResultShapes) {
  const auto shaped = [](const char* shape, const std::string& query) {
    return *sql(query, {}, {{"result", Value::text(shape)}});
  };
  EXPECT_EQ(shaped("value", "SELECT 42").as_int(), 42);
  EXPECT_EQ(shaped("list", "SELECT i FROM range(3) t(i)").as_list().size(), 3U);
  EXPECT_EQ(shaped("rows", "SELECT 1 AS a, 'x' AS b").as_list()[0].find("b")->as_text(), "x");
  EXPECT_EQ(shaped("value", "SELECT TIMESTAMP '1969-12-31 23:59:59.5'").as_text(),
            "1969-12-31T23:59:59.500000");
  EXPECT_EQ(shaped("value", "SELECT DATE '2001-02-03'").as_text(), "2001-02-03");
  EXPECT_EQ(shaped("value", "SELECT sum(i) FROM range(5) t(i)").as_int(), 10);
  EXPECT_EQ(shaped("value", "SELECT 1.25").as_float(), 1.25);
  EXPECT_THAT(sql("SELECT 1, 2", {}, {{"result", Value::text("value")}}).error().message(),
              HasSubstr("seen 1 rows and 2 columns"));
}

TEST_F(TableOperatorsTest, SqlBindsValuesAndNeverPastesThem) {
  const std::string hostile = "x'; DROP TABLE t; --";
  EXPECT_EQ(sql("SELECT $s", {{"s", Value::text(hostile)}}, {{"result", Value::text("value")}})
                ->as_text(),
            hostile);
  EXPECT_EQ(rows(sql("SELECT i FROM range(5) t(i) WHERE i IN (SELECT unnest($many))",
                     {{"many", Value::list({Value::integer(1), Value::integer(3)})}})),
            "1\n3\n");
  EXPECT_EQ(rows(sql("SELECT $n IS NULL AS a, $b AS b, $f AS f",
                     {{"n", Value::null()}, {"b", Value::boolean(true)}, {"f", Value::real(0.5)}})),
            "true|true|0.500000\n");
}

TEST_F(TableOperatorsTest, SqlHasNoFilesNoClockNoOtherStatements) {
  for (const char* query :
       {"SELECT * FROM '/etc/passwd'", "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM glob('/etc/*')"}) {
    const auto result = sql(query);
    ASSERT_FALSE(result.has_value()) << query;
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(result.error().message(), AllOf(HasSubstr("SQL: "), Not(HasSubstr("\n"))));
  }
  EXPECT_THAT(sql("SELECT now()").error().message(), HasSubstr("refuses 'now'"));
  EXPECT_THAT(sql("CREATE TABLE t(i INT)").error().message(), HasSubstr("wanted a SELECT"));
  EXPECT_THAT(sql("COPY (SELECT 1) TO '/tmp/x.csv'").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(sql("SET threads = 4").error().message(), HasSubstr("wanted a SELECT"));
  EXPECT_THAT(sql("SELECT 1; SELECT 2").error().message(), HasSubstr("seen 2 statements"));
  EXPECT_THAT(sql("").error().message(), HasSubstr("seen 0 statements"));
  EXPECT_THAT(sql("SELECT * FROM penstock_scan(7, false)").error().message(),
              HasSubstr("tables of a running call only"));
}

TEST_F(TableOperatorsTest, SqlErrorsAreOneLineWithThePlaceAndTheNearestName) {
  const Value numbers = *sql("SELECT 1 AS delay");
  const auto syntax = sql("SELECT *\nFORM t");
  EXPECT_THAT(syntax.error().message(), AllOf(HasSubstr("syntax error at or near"),
                                              HasSubstr("line 2, column"), Not(HasSubstr("\n"))));
  const auto column = sql("SELECT delya FROM numbers", {{"numbers", numbers}});
  EXPECT_THAT(column.error().message(), HasSubstr("\"delya\" not found"));
  EXPECT_EQ(column.error().help(), "did you mean 'delay'?");
  const auto table = sql("SELECT * FROM nosuch, numbers", {{"numbers", numbers}});
  EXPECT_THAT(table.error().message(), HasSubstr("nosuch does not exist"));
  EXPECT_THAT(sql("SELECT $lte", {{"late", Value::integer(1)}}).error().help(),
              HasSubstr("did you mean 'late'"));
  EXPECT_THAT(sql("SELECT 1", {{"late", Value::integer(1)}}).error().message(),
              HasSubstr("input 'late' is not used"));
  EXPECT_THAT(sql("SELECT 'x'::INT").error().message(), HasSubstr("Conversion Error"));
}

TEST_F(TableOperatorsTest, SqlGivesOneResultHoweverTheInputIsChunked) {
  // Sums of floats depend on their order; one thread and fixed vectors keep it.
  const Value whole =
      *sql("SELECT (i * 7919 % 1000) AS k, 1.0 / (1 + i) AS x FROM range(100000) t(i)");
  std::vector<Value> parts;
  for (const auto& [low, high] : {std::pair{0, 1}, {1, 3000}, {3000, 70001}, {70001, 100000}}) {
    parts.push_back(
        *sql("SELECT (i * 7919 % 1000) AS k, 1.0 / (1 + i) AS x FROM range($a, $b) t(i)",
             {{"a", Value::integer(low)}, {"b", Value::integer(high)}}));
  }
  const char* query = "SELECT k, sum(x) AS s, avg(x) AS a, first(x) AS f FROM t GROUP BY k";
  const Value once = *sql(query, {{"t", whole}});
  const Value again = *sql(query, {{"t", Value::list(parts)}});
  EXPECT_TRUE(core::equal(*once.as_table(), *again.as_table()).value());
}

TEST_F(TableOperatorsTest, ParallelGivesTheSameOrderedIntegerResult) {
  const Value whole = *sql("SELECT i % 1000 AS k, i AS x FROM range(1000000) t(i)");
  const std::string query =
      "SELECT k, sum(x)::BIGINT AS s, count(*) AS n, quantile_cont(x, 0.9) AS q, avg(x) AS a "
      "FROM t GROUP BY k ORDER BY k";
  const Value serial = *sql(query, {{"t", whole}});
  for (int i = 0; i < 3; ++i) {
    const Value parallel = *sql(query, {{"t", whole}}, {{"parallel", Value::boolean(true)}});
    EXPECT_TRUE(core::equal(*serial.as_table(), *parallel.as_table()).value());
  }
}

/// Every DuckDB type that Arrow carries, out and in again, with nulls and over a vector's end.
TEST_F(TableOperatorsTest, EveryTypeGoesOutAndComesBack) {
  const char* values[] = {"(i % 2 = 0)",
                          "(i % 100)::TINYINT",
                          "i::SMALLINT",
                          "i::INTEGER",
                          "i::BIGINT",
                          "(i % 200)::UTINYINT",
                          "i::USMALLINT",
                          "i::UINTEGER",
                          "i::UBIGINT",
                          "i::FLOAT",
                          "i::DOUBLE",
                          "(i % 900)::DECIMAL(4,1)",
                          "i::DECIMAL(9,2)",
                          "i::DECIMAL(18,3)",
                          "(-i)::DECIMAL(38,4)",
                          "repeat('ab', (i % 20)::INT)",
                          "encode(repeat('ab', (i % 20)::INT))",
                          "DATE '1960-01-01' + i::INT",
                          "TIME '00:00:01' + to_seconds(i)",
                          "TIMESTAMP '1960-01-01' + to_seconds(i)",
                          "(TIMESTAMP '1960-01-01' + to_seconds(i))::TIMESTAMP_S",
                          "(TIMESTAMP '1960-01-01' + to_seconds(i))::TIMESTAMP_MS",
                          "(TIMESTAMP '1960-01-01' + to_seconds(i))::TIMESTAMP_NS",
                          "(TIMESTAMP '1960-01-01' + to_seconds(i))::TIMESTAMPTZ",
                          "to_months(i::INT) + to_days(i::INT) + to_microseconds(i)",
                          "['x', NULL, i::VARCHAR]",
                          "[[i], [], NULL]",
                          "{'a': i, 'b': i::VARCHAR}",
                          "MAP {i::VARCHAR: i}",
                          "[i, CASE WHEN i % 5 <> 0 THEN i END]::INTEGER[2]",
                          "(['red', 'green', 'blue'][1 + i % 3])::ENUM('red', 'green', 'blue')"};
  for (const char* value : values) {
    SCOPED_TRACE(value);
    // DuckDB has no CASE over arrays.
    const std::string text = value;
    const std::string x =
        text.ends_with("[2]") ? text : "(CASE WHEN i % 5 <> 0 THEN " + text + " END)";
    const auto out = sql("SELECT i, " + x + " AS x FROM range(5000) t(i) ORDER BY i");
    ASSERT_TRUE(out.has_value()) << out.error().to_string();
    const auto same =
        sql("SELECT count(*) FROM t WHERE x::VARCHAR IS NOT DISTINCT FROM " + x + "::VARCHAR",
            {{"t", *out}}, {{"result", Value::text("value")}});
    ASSERT_TRUE(same.has_value()) << same.error().to_string();
    EXPECT_EQ(same->as_int(), 5000);
    const auto back = sql("SELECT * FROM t", {{"t", *out}});
    ASSERT_TRUE(back.has_value()) << back.error().to_string();
    EXPECT_TRUE(core::equal(*out->as_table(), *back->as_table()).value());
  }
}

TEST_F(TableOperatorsTest, CountingRowsReadsNoColumn) {
  const Value numbers = *sql("SELECT i FROM range(5000) t(i)");
  EXPECT_EQ(rows(sql("SELECT count(*) AS n FROM numbers", {{"numbers", numbers}})), "5000\n");
}

TEST_F(TableOperatorsTest, LongTextIsReferredToAndSurvivesItsTable) {
  Value out;
  {
    const Value texts =
        *sql("SELECT 'a text that is longer than twelve ' || i AS s FROM range(3) t(i)");
    out = *sql("SELECT s FROM texts WHERE s LIKE '%2'", {{"texts", texts}});
  }
  EXPECT_EQ(rows(out), "a text that is longer than twelve 2\n");
}

TEST_F(TableOperatorsTest, CancelStopsAQuery) {
  core::CancelToken token;
  token.cancel();
  core::Context context;
  context.cancel = &token;
  const auto result = call("table.sql",
                           {{"query", Value::text("SELECT count(*) FROM range(10000000000) t(i), "
                                                  "range(1000) u(j) WHERE i % 7 = j")}},
                           {}, &context);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(rows(sql("SELECT 1 AS one")), "1\n");  // the connection is usable again
}

// ---- table.read and table.write
// ------------------------------------------------------------------

TEST_F(TableOperatorsTest, EveryFormatComesBackEqual) {
  const Value table = *sql("SELECT i, 'n' || i AS s, i / 2 AS f FROM range(10) t(i)");
  for (const char* name : {"a.parquet", "a.csv", "a.tsv", "a.arrow", "a.feather"}) {
    SCOPED_TRACE(name);
    const auto written =
        call("table.write", {{"path", Value::text(path(name))}}, {{"table", table}});
    ASSERT_TRUE(written.has_value()) << written.error().to_string();
    EXPECT_EQ(written->as_text(), path(name));
    const auto back = call("table.read", {}, {{"path", *written}});
    ASSERT_TRUE(back.has_value()) << back.error().to_string();
    EXPECT_EQ(rows(*back), rows(table));
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr(".tmp")));
  }
}

TEST_F(TableOperatorsTest, FilterAndColumnsOnEveryFormat) {
  const Value table = *sql("SELECT i, i % 7 AS r, 'n' || i AS s FROM range(1000) t(i)");
  for (const char* name : {"a.parquet", "a.csv", "a.arrow"}) {
    SCOPED_TRACE(name);
    const Value file =
        *call("table.write", {{"path", Value::text(path(name))}}, {{"table", table}});
    const Read params{{"columns", Value::list({Value::text("s"), Value::text("i")})},
                      {"filter", Value::text("r = $r AND i < 20")}};
    EXPECT_EQ(rows(call("table.read", params, {{"path", file}, {"r", Value::integer(3)}})),
              "n3|3\nn10|10\nn17|17\n");
    const Read none{{"filter", Value::text("i < 0")}};
    const auto empty = call("table.read", none, {{"path", file}});
    ASSERT_TRUE(empty.has_value()) << empty.error().to_string();
    EXPECT_EQ(empty->as_table()->num_rows(), 0);
    EXPECT_EQ(empty->as_table()->num_columns(), 3);
  }
}

TEST_F(TableOperatorsTest, ParquetFilterGivesWhatSqlGives) {
  const std::string file = write_numbers("n.parquet");
  const Value whole = *call("table.read", {{"path", Value::text(file)}});
  EXPECT_EQ(whole.as_table()->num_rows(), 300000);
  for (const char* filter : {"i BETWEEN 1000 AND 250000", "r = 2", "i >= 299999",
                             "name LIKE '%1' AND q > 7", "i < 10 OR i > 299990", "r > 99"}) {
    SCOPED_TRACE(filter);
    const auto read =
        call("table.read", {{"path", Value::text(file)}, {"filter", Value::text(filter)}});
    ASSERT_TRUE(read.has_value()) << read.error().to_string();
    const Value wanted = *sql(std::string("SELECT * FROM t WHERE ") + filter, {{"t", whole}});
    EXPECT_EQ(read->as_table()->num_rows(), wanted.as_table()->num_rows());
    EXPECT_EQ(rows(sql("SELECT count(*) AS n, sum(i)::BIGINT AS s, sum(r)::BIGINT AS r FROM t",
                       {{"t", *read}})),
              rows(sql("SELECT count(*) AS n, sum(i)::BIGINT AS s, sum(r)::BIGINT AS r FROM t",
                       {{"t", wanted}})));
  }
}

TEST_F(TableOperatorsTest, DictionaryColumnsAreTextToSql) {
  const std::string file = write_numbers("n.parquet");
  const Value table = *call("table.read", {{"path", Value::text(file)},
                                           {"dictionary", Value::list({Value::text("name")})}});
  EXPECT_EQ(rows(sql("SELECT name::VARCHAR AS name, count(*) AS n FROM t WHERE name >= 'name 1' "
                     "GROUP BY ALL ORDER BY name DESC",
                     {{"t", table}})),
            "name 2|100000\nname 1|100000\n");
}

TEST_F(TableOperatorsTest, SplitGivesViewsOrCopiesOfTheRowsOfEachKey) {
  const Value table = *sql(
      "SELECT i, i // 4 AS run, i % 3 AS r, CASE WHEN i < 9 THEN i > 5 END AS b "
      "FROM range(10) t(i) ORDER BY i");
  const auto split = [&table](const char* by, Inputs more = {}) -> std::string {
    more.emplace_back("table", table);
    auto node = registry().make_type("table.split", Value::map({{"by", Value::text(by)}}));
    std::vector<core::Binding> bindings;
    std::vector<const Value*> values;
    for (const auto& [name, value] : more) {
      bindings.push_back({.position = -1, .name = name});
      values.push_back(&value);
    }
    auto op = (*node)->bind(bindings);
    if (!op.has_value()) {
      return op.error().message();
    }
    Value outputs[2];
    core::Call request{.inputs = values, .outputs = outputs, .state = nullptr, .context = nullptr};
    const auto step = (*op)->call(request);
    if (!step.has_value()) {
      return step.error().message();
    }
    std::string out;
    for (std::size_t i = 0; i < outputs[0].as_list().size(); ++i) {
      const Value& key = outputs[1].as_list()[i];
      out += key.is(Kind::kInt) ? std::to_string(key.as_int()) : core::to_string(key.kind());
      out += ":";
      const Value part =
          to_list(*sql("SELECT i FROM t", {{"t", outputs[0].as_list()[i]}})->as_table()).value();
      for (const Value& i_value : part.as_list()) {
        out += " " + std::to_string(i_value.as_int());
      }
      out += "\n";
    }
    return out;
  };
  EXPECT_EQ(split("run"), "0: 0 1 2 3\n1: 4 5 6 7\n2: 8 9\n");
  EXPECT_EQ(split("r"), "0: 0 3 6 9\n1: 1 4 7\n2: 2 5 8\n");
  EXPECT_EQ(split("b"), "bool: 0 1 2 3 4 5\nbool: 6 7 8\nnull: 9\n");
  EXPECT_EQ(split("i // $n", {{"n", Value::integer(5)}}), "0: 0 1 2 3 4\n1: 5 6 7 8 9\n");
  EXPECT_THAT(split("nosuch"), HasSubstr("nosuch"));
  EXPECT_THAT(split("i + $m"), HasSubstr("uses $m, which is no input"));
}

void expect_error(const base::Result<Value>& result, ErrorCode code, const std::string& what) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), code) << result.error().to_string();
  EXPECT_THAT(result.error().message(), AllOf(HasSubstr(what), Not(HasSubstr("\n"))));
}

TEST_F(TableOperatorsTest, ReadErrorsAreClear) {
  const std::string file = write_numbers("n.parquet");
  const auto read = [](const std::string& file_path, Read more = {}) {
    more.emplace_back("path", Value::text(file_path));
    return call("table.read", std::move(more));
  };
  expect_error(read(path("none.parquet")), ErrorCode::kNotFound, "no such file: '");
  expect_error(read(folder_.string(), {{"format", Value::text("csv")}}),
               ErrorCode::kInvalidArgument, "not a regular file");
  expect_error(read(path("a.xyz")), ErrorCode::kInvalidArgument, "not known by its extension");
  expect_error(read(file, {{"columns", Value::list({Value::text("names")})}}),
               ErrorCode::kInvalidArgument, "has no column 'names'; it has: i, r, name, q");
  EXPECT_EQ(read(file, {{"columns", Value::list({Value::text("names")})}}).error().help(),
            "did you mean 'name'?");
  expect_error(read(file, {{"filter", Value::text("rr = 1")}}), ErrorCode::kInvalidArgument,
               "\"rr\" not found");
  expect_error(read(file, {{"filter", Value::text("i >")}}), ErrorCode::kInvalidArgument,
               "syntax error");
  expect_error(read(file, {{"filter", Value::text("i > $x")}}), ErrorCode::kInvalidArgument,
               "uses $x, which is no input");
  expect_error(read(write_text("text.parquet", "this is no Parquet file at all")),
               ErrorCode::kDataLoss, "is no readable Parquet file");
  expect_error(read(write_text("empty.parquet", "")), ErrorCode::kDataLoss, "");
  expect_error(read(write_text("text.arrow", "this is no Arrow file at all")), ErrorCode::kDataLoss,
               "cannot read");
  expect_error(read(write_text("ragged.csv", "a,b\n1,2\n3\n")), ErrorCode::kDataLoss,
               "cannot read");
  expect_error(call("table.read", {}), ErrorCode::kInvalidArgument, "table.read has no path");
  expect_error(call("table.read", {}, {{"path", Value::text("")}}), ErrorCode::kInvalidArgument,
               "table.read has no path");
  expect_error(call("table.read", {}, {{"path", Value::integer(1)}}), ErrorCode::kInvalidArgument,
               "input 'path' is a int");
  expect_error(read(file, {{"delimiter", Value::text(";;")}}), ErrorCode::kInvalidArgument,
               "must be one byte, seen ';;'");
}

TEST_F(TableOperatorsTest, SqlTakesListsOfOneKindAndRefusesListsOfLists) {
  const auto items = [](const Value& list) { return sql("SELECT len($x) AS n", {{"x", list}}); };
  const Value one = Value::integer(1), null = Value::null();
  const Value bytes = Value::bytes(std::string("\0\xff", 2));
  for (const Value& list :
       {Value::list({}), Value::list({null}), Value::list({one, null}), Value::list({bytes, bytes}),
        Value::list({bytes, null}), Value::tuple({one, Value::real(0.5)}),
        Value::list({Value::text("a"), null}), Value::list({Value::boolean(true), null})}) {
    EXPECT_EQ(rows(items(list)), std::to_string(list.as_list().size()) + "\n");
  }
  EXPECT_EQ(rows(sql("SELECT hex($x[1]) AS h", {{"x", Value::list({bytes})}})), "00FF\n");
  for (const Value& list : {Value::list({Value::list({one})}), Value::list({one, Value::tuple({})}),
                            Value::list({Value::list({Value::list({})})})}) {
    expect_error(items(list), ErrorCode::kInvalidArgument, "$x is a list of lists");
  }
  expect_error(items(Value::list({bytes, one})), ErrorCode::kInvalidArgument, "mixed kinds");
  Value deep = one;
  for (int i = 0; i < 1'000'000; ++i) {
    deep = Value::list({deep});
  }
  expect_error(items(deep), ErrorCode::kInvalidArgument, "$x is a list of lists");
}

TEST_F(TableOperatorsTest, ParquetCutShortAnywhereIsOneErrorAndNoCrash) {
  const std::string file = write_numbers("n.parquet");
  std::ifstream in(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  for (int cut = 1; cut < 20; ++cut) {
    const std::string half = write_text(
        "half.parquet", bytes.substr(0, bytes.size() * static_cast<std::size_t>(cut) / 20));
    expect_error(call("table.read", {{"path", Value::text(half)}}), ErrorCode::kDataLoss, "half");
  }
  // A hole in the middle: the footer is whole, the pages are not.
  std::string holed = bytes;
  std::fill(holed.begin() + 100, holed.begin() + 4000, '\xff');
  expect_error(call("table.read", {{"path", Value::text(write_text("holed.parquet", holed))}}),
               ErrorCode::kDataLoss, "holed");
}

TEST_F(TableOperatorsTest, WriteErrorsLeaveNothingBehind) {
  const Value table = *sql("SELECT [1, 2] AS nested");
  const auto write = [&](const std::string& name, Read more = {}) {
    more.emplace_back("path", Value::text(path(name)));
    return call("table.write", std::move(more), {{"table", table}});
  };
  ASSERT_FALSE(write("nested.csv").has_value());
  expect_error(write("no/such/folder.parquet"), ErrorCode::kNotFound, "cannot write");
  expect_error(write("a.csv", {{"codec", Value::text("zstd")}}), ErrorCode::kInvalidArgument,
               "without a codec");
  expect_error(
      call("table.write", {{"path", Value::text(path("a.csv"))}}, {{"table", Value::integer(1)}}),
      ErrorCode::kInvalidArgument, "input 'table' is a int, wanted a table");
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(TableOperatorsTest, FailedWriteKeepsTheOldFile) {
  const std::string file = write_text("old.csv", "a\n1\n");
  ASSERT_FALSE(
      call("table.write", {{"path", Value::text(file)}}, {{"table", *sql("SELECT [1] AS nested")}})
          .has_value());
  EXPECT_EQ(rows(call("table.read", {{"path", Value::text(file)}})), "1\n");
}

TEST_F(TableOperatorsTest, SpecsAreComplete) {
  for (const core::Registry::Entry& entry : registry().entries()) {
    EXPECT_FALSE(entry.spec.summary.empty() || entry.spec.reference.empty() ||
                 entry.spec.errors.empty())
        << entry.spec.name;
  }
  EXPECT_EQ(registry().entries().size(), 4U);
}

}  // namespace
}  // namespace penstock::ops::table
