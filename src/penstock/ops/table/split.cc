// table.split: a table cut into one table per value of an expression.
#include <algorithm>
#include <utility>

#include <arrow/array/array_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <fmt/format.h>

#include "penstock/ops/table/arrow_bridge.h"
#include "penstock/ops/table/operators.h"
#include "penstock/ops/table/sql_engine.h"
#include "penstock/ops/table/sql_text.h"
#include "penstock/ops/table/sql_value.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;
using core::Kind;
using core::Value;

/// Where the rows of one key lie.
struct Group {
  std::int64_t first, last, count;

  bool is_contiguous() const { return last - first + 1 == count; }
};

class SplitOperator : public core::Operator {
 public:
  SplitOperator(std::string by, std::vector<std::string> names)
      : by_(std::move(by)), names_(std::move(names)) {}

  base::Result<core::Step> call(core::Call& call) const override {
    std::shared_ptr<const core::Table> table;
    SqlCall sql{.query = {},
                .subject = "expression 'by'",
                .lines_before = 1,
                .tables = {},
                .parameters = {},
                .context = call.context};
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      const Value& value = *call.inputs[i];
      if (names_[i] != "table") {
        if (!value.is_absent()) {
          sql.parameters.emplace_back(names_[i], value);
        }
      } else if (value.is(Kind::kTable)) {
        table = value.as_table();
      } else {
        return fail(
            ErrorCode::kInvalidArgument,
            fmt::format("input 'table' is a {}, wanted a table", core::to_string(value.kind())));
      }
    }
    PENSTOCK_ASSIGN_OR_RETURN(auto scan, ScanTable::create("table", {table}));
    sql.tables.push_back(std::move(scan));
    PENSTOCK_ASSIGN_OR_RETURN(const auto found, find_groups(sql));
    PENSTOCK_ASSIGN_OR_RETURN(const auto whole, to_arrow(table));
    std::vector<Value> parts;
    if (std::ranges::all_of(found.second, &Group::is_contiguous)) {
      for (const Group& group : found.second) {
        PENSTOCK_ASSIGN_OR_RETURN(auto part, from_arrow(*whole->Slice(group.first, group.count)));
        parts.push_back(Value::table(std::move(part)));
      }
    } else {
      PENSTOCK_ASSIGN_OR_RETURN(parts, take_groups(sql, found.second, whole));
    }
    call.outputs[0] = Value::list(std::move(parts));
    call.outputs[1] = found.first;
    return core::Step::kDone;
  }

 private:
  /// The keys in order, and the group of each.
  base::Result<std::pair<Value, std::vector<Group>>> find_groups(SqlCall sql) const {
    sql.query = fmt::format(
        "SELECT key, min(\"{0}\") AS first, max(\"{0}\") AS last, count(*) AS count "
        "FROM (SELECT (\n{1}\n) AS key, \"{0}\" FROM penstock_scan(0, true)) "
        "GROUP BY key ORDER BY key NULLS LAST",
        kRowNumberColumn, by_);
    sql.mode = SqlMode::kParallel;  // extrema and counts, sorted by a key without ties
    PENSTOCK_ASSIGN_OR_RETURN(const auto groups, run_sql_table(sql));
    PENSTOCK_ASSIGN_OR_RETURN(const Value rows, to_rows(*groups));
    std::vector<Value> keys;
    std::vector<Group> out;
    for (const Value& row : rows.as_list()) {
      keys.push_back(row.as_map()[0].second);
      out.push_back({.first = row.find("first")->as_int(),
                     .last = row.find("last")->as_int(),
                     .count = row.find("count")->as_int()});
    }
    return std::pair(Value::list(std::move(keys)), std::move(out));
  }

  /// Rows of keys that are scattered, gathered in table order.
  base::Result<std::vector<Value>> take_groups(SqlCall sql, const std::vector<Group>& groups,
                                               const std::shared_ptr<arrow::Table>& whole) const {
    sql.query = fmt::format(
        "SELECT \"{0}\" AS row FROM (SELECT (\n{1}\n) AS key, \"{0}\" FROM penstock_scan(0, true)) "
        "ORDER BY key NULLS LAST, row",
        kRowNumberColumn, by_);
    sql.mode = SqlMode::kParallel;
    PENSTOCK_ASSIGN_OR_RETURN(const auto order, run_sql_table(sql));
    PENSTOCK_ASSIGN_OR_RETURN(const auto order_table, to_arrow(order));
    PENSTOCK_ARROW_ASSIGN(const auto flat, order_table->CombineChunks(), "table.split");
    std::vector<Value> parts;
    std::int64_t at = 0;
    for (const Group& group : groups) {
      const auto indices = flat->column(0)->chunk(0)->Slice(at, group.count);
      PENSTOCK_ARROW_ASSIGN(const auto taken,
                            arrow::compute::Take(arrow::Datum(whole), arrow::Datum(indices),
                                                 arrow::compute::TakeOptions::NoBoundsCheck()),
                            "table.split");
      PENSTOCK_ASSIGN_OR_RETURN(auto part, from_arrow(*taken.table()));
      parts.push_back(Value::table(std::move(part)));
      at += group.count;
    }
    return parts;
  }

  std::string by_;
  std::vector<std::string> names_;  ///< of the inputs, in binding order
};

base::Result<std::shared_ptr<const core::Operator>> make_split(
    const Value& params, std::span<const core::Binding> bindings) {
  const std::string& by = params.find("by")->as_text();
  const SqlWords words = scan_words(by);
  std::vector<std::string> names;
  for (const core::Binding& binding : bindings) {
    names.push_back(binding.name.empty() && binding.position == 0 ? "table" : binding.name);
  }
  PENSTOCK_RETURN_IF_ERROR(check_expression(words, names, "table", "by"));
  return std::make_shared<SplitOperator>(by, std::move(names));
}

}  // namespace

base::Status register_split(core::Registry& registry) {
  core::OperatorSpec spec;
  spec.name = "table.split";
  spec.summary = "Cut a table into one table per value of an SQL expression.";
  spec.description =
      "'by' is evaluated for every row; rows with the same key make one table, in their old order. "
      "The tables come sorted by key, a null key last. Feed 'value' to a map to work on each. When "
      "the rows of every key lie together, as in data sorted by time, the tables are views and "
      "nothing is copied.";
  spec.inputs = {{.name = "table", .type = "table", .summary = "what to cut"}};
  spec.variadic = "values bound in 'by' as $name";
  spec.outputs = {{.name = "value", .type = "list of tables", .summary = "one table per key"},
                  {.name = "keys", .type = "list", .summary = "the keys, in the same order"}};
  spec.parameters = {{.name = "by", .type = "text", .summary = "SQL expression over the columns"}};
  spec.errors = {{ErrorCode::kInvalidArgument, "'by' does not parse or names an unknown column"},
                 {ErrorCode::kUnimplemented, "a column's Arrow type has no SQL type"},
                 {ErrorCode::kCancelled, "the run was stopped"}};
  spec.cost = "O(rows) to evaluate 'by'; views when keys lie together, else one copy";
  spec.reference = "DuckDB 1.5; split-apply-combine: Wickham 2011, J. Stat. Softw. 40(1)";
  spec.twin = "none: no SQL of plain Python has DuckDB's types and functions";
  spec.example =
      "noob_id: table-split-example\n"
      "nodes:\n"
      "  numbers:\n"
      "    type: table.sql\n"
      "    params: {query: SELECT i FROM range(10) t(i) ORDER BY i}\n"
      "  thirds:\n"
      "    type: table.split\n"
      "    depends:\n"
      "      - table: numbers.value\n"
      "    params: {by: i % 3}\n"
      "  third:\n"
      "    type: map\n"
      "    depends: thirds.value\n"
      "  total:\n"
      "    type: table.sql\n"
      "    depends:\n"
      "      - third: third.value\n"
      "    params: {query: SELECT sum(i)::BIGINT FROM third, result: value}\n"
      "  totals:\n"
      "    type: gather\n"
      "    depends:\n"
      "      - value: total.value\n"
      "      - n: third.n\n"
      "  result:\n"
      "    type: return\n"
      "    depends:\n"
      "      - totals: totals.value\n"
      "      - keys: thirds.keys\n";
  return registry.add(std::move(spec), make_split);
}

}  // namespace penstock::ops::table
