// table.sql: one SELECT over named tables.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

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

enum class ResultShape : std::uint8_t { kTable, kRows, kList, kValue };

/// Is `value` a table, or a list of tables (of which there is at least one)?
bool is_tables(const Value& value) {
  if (value.is(Kind::kTable)) {
    return true;
  }
  return (value.is(Kind::kList) || value.is(Kind::kTuple)) && !value.as_list().empty() &&
         std::ranges::all_of(value.as_list(), [](const Value& v) { return v.is(Kind::kTable); });
}

base::Result<std::shared_ptr<const ScanTable>> make_input(const std::string& name,
                                                          const Value& value) {
  std::vector<std::shared_ptr<const core::Table>> parts;
  if (value.is(Kind::kTable)) {
    parts.push_back(value.as_table());
  } else {
    for (const Value& part : value.as_list()) {
      parts.push_back(part.as_table());
    }
  }
  return ScanTable::create(name, std::move(parts));
}

class SqlOperator : public core::Operator {
 public:
  SqlOperator(std::string query, SqlMode mode, ResultShape shape,
              std::vector<std::pair<std::string, Value>> parameters, std::vector<std::string> names)
      : query_(std::move(query)),
        mode_(mode),
        shape_(shape),
        parameters_(std::move(parameters)),
        names_(std::move(names)) {}

  base::Result<core::Step> call(core::Call& call) const override {
    SqlCall sql{.query = query_, .parameters = parameters_, .mode = mode_, .context = call.context};
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      const Value& value = *call.inputs[i];
      if (value.is_absent()) {
        continue;
      }
      if (is_tables(value)) {
        PENSTOCK_ASSIGN_OR_RETURN(auto table, make_input(names_[i], value));
        sql.tables.push_back(std::move(table));
      } else {
        // An input goes before a fixed parameter of the same name, as everywhere in a tube.
        std::erase_if(sql.parameters, [&](const auto& p) { return p.first == names_[i]; });
        sql.parameters.emplace_back(names_[i], value);
      }
    }
    PENSTOCK_ASSIGN_OR_RETURN(auto table, run_sql_table(sql));
    PENSTOCK_ASSIGN_OR_RETURN(call.outputs[0], shaped(std::move(table)));
    return core::Step::kDone;
  }

 private:
  base::Result<Value> shaped(std::shared_ptr<const core::Table> table) const {
    switch (shape_) {
      case ResultShape::kRows:
        return to_rows(*table);
      case ResultShape::kList:
        return to_list(*table);
      case ResultShape::kValue:
        return to_cell(*table);
      default:
        return Value::table(std::move(table));
    }
  }

  std::string query_;
  SqlMode mode_;
  ResultShape shape_;
  std::vector<std::pair<std::string, Value>> parameters_;
  std::vector<std::string> names_;  ///< of the inputs, in binding order
};

/// What can be seen to be wrong before anything runs.
base::Status check_words(const SqlWords& words, const std::vector<std::string>& inputs,
                         const std::vector<std::pair<std::string, Value>>& parameters) {
  if (!words.impure.empty()) {
    return fail(base::Error(ErrorCode::kInvalidArgument,
                            fmt::format("table.sql refuses '{}': the result would not follow from "
                                        "the inputs",
                                        words.impure))
                    .with_help("pass the value as an input or in 'parameters'"));
  }
  std::vector<std::string> known = inputs;
  for (const auto& [name, value] : parameters) {
    known.push_back(name);
  }
  for (const std::string& parameter : words.parameters) {
    if (std::ranges::none_of(known, [&](const auto& k) { return to_lower(k) == parameter; })) {
      const std::string nearest = core::nearest_name(parameter, known);
      return fail(
          base::Error(
              ErrorCode::kInvalidArgument,
              fmt::format("the query uses ${}, which is neither an input nor in "
                          "'parameters'; seen: {}",
                          parameter,
                          known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))))
              .with_help(nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest)));
    }
  }
  for (const std::string& input : inputs) {
    const std::string lower = to_lower(input);
    if (!words.names.contains(lower) && !words.parameters.contains(lower)) {
      std::vector<std::string> used(words.names.begin(), words.names.end());
      used.insert(used.end(), words.parameters.begin(), words.parameters.end());
      const std::string nearest = core::nearest_name(lower, used);
      return fail(
          base::Error(ErrorCode::kInvalidArgument,
                      fmt::format("input '{}' is not used by the query: wanted its name as "
                                  "a table, or ${}",
                                  input, input))
              .with_help(nearest.empty() ? "" : fmt::format("the query has '{}'", nearest)));
    }
  }
  return {};
}

base::Result<std::shared_ptr<const core::Operator>> make_sql(
    const Value& params, std::span<const core::Binding> bindings) {
  const std::string& query = params.find("query")->as_text();
  const std::string& shape = params.find("result")->as_text();
  std::vector<std::string> names;
  for (const core::Binding& binding : bindings) {
    if (binding.name.empty()) {
      return fail(base::Error(ErrorCode::kInvalidArgument,
                              fmt::format("input {} of table.sql has no name", binding.position))
                      .with_help("write '- name: node.signal'; the query sees it by that name"));
    }
    names.push_back(binding.name);
  }
  std::vector<std::pair<std::string, Value>> parameters(params.find("parameters")->as_map());
  PENSTOCK_RETURN_IF_ERROR(check_words(scan_words(query), names, parameters));
  return std::make_shared<SqlOperator>(
      query, params.find("parallel")->as_bool() ? SqlMode::kParallel : SqlMode::kSerial,
      shape == "rows"    ? ResultShape::kRows
      : shape == "list"  ? ResultShape::kList
      : shape == "value" ? ResultShape::kValue
                         : ResultShape::kTable,
      std::move(parameters), std::move(names));
}

}  // namespace

base::Status register_sql(core::Registry& registry) {
  core::OperatorSpec spec;
  spec.name = "table.sql";
  spec.summary = "Run one SQL SELECT over tables.";
  spec.description =
      "Every input that holds a table, or a list of tables with equal columns (read one after the "
      "other), is a table of the query under its slot name. Every other input, and every entry of "
      "'parameters', is bound where the query says $name; nothing is pasted into the text. "
      "The dialect is DuckDB's. Only a SELECT is accepted; it sees its inputs and nothing else: no "
      "files, no network, no clock, no random numbers. Dictionary columns of text are ENUMs, in "
      "the order of their text.\n\n"
      "A query runs on one thread, so its result follows from its inputs, also where SQL leaves "
      "the order open (sums of floats, ties, rows without ORDER BY). 'parallel: true' uses all "
      "cores and says: this query gives one result in any order of rows. It must end in ORDER BY "
      "on columns without ties, and must not sum or average floats; counts, extrema, quantiles "
      "and sums of integers and decimals are safe.";
  spec.keeps_results = true;
  spec.variadic = "tables by name, and values bound as $name";
  spec.outputs = {
      {.name = "value", .type = "any", .summary = "the result, a table unless 'result' says else"}};
  spec.parameters = {
      {.name = "query", .type = "text", .summary = "one SELECT"},
      {.name = "parameters",
       .type = "map",
       .summary = "constant values, bound as $name",
       .default_value = Value::map({})},
      {.name = "result",
       .type = "text",
       .summary = "table; rows (a list of maps); list (of the only column); value (the only cell)",
       .default_value = Value::text("table"),
       .choices = {"table", "rows", "list", "value"}},
      {.name = "parallel",
       .type = "bool",
       .summary = "use all cores; the query must give one result in any order of rows",
       .default_value = Value::boolean(false)}};
  spec.errors = {{ErrorCode::kInvalidArgument,
                  "the SQL does not parse, names an unknown table or column, is "
                  "no SELECT, or touches a file"},
                 {ErrorCode::kInvalidArgument, "tables of one list have different columns"},
                 {ErrorCode::kUnimplemented, "a column's Arrow type has no SQL type"},
                 {ErrorCode::kResourceExhausted, "the query needs more memory than there is"},
                 {ErrorCode::kCancelled, "the run was stopped"}};
  spec.cost = "that of the query; inputs are scanned in place, the result is copied once";
  spec.reference = "DuckDB 1.5, https://duckdb.org/docs/sql/introduction; Arrow C Data Interface";
  spec.twin = "none: no SQL of plain Python has DuckDB's types and functions";
  spec.example =
      "noob_id: table-sql-example\n"
      "nodes:\n"
      "  squares:\n"
      "    type: table.sql\n"
      "    params:\n"
      "      query: SELECT i, i * i AS square FROM range($n) t(i) ORDER BY i\n"
      "      parameters: {n: 4}\n"
      "  total:\n"
      "    type: table.sql\n"
      "    depends:\n"
      "      - squares: squares.value\n"
      "    params: {query: SELECT sum(square)::BIGINT FROM squares, result: value}\n"
      "  result:\n"
      "    type: return\n"
      "    depends:\n"
      "      - squares: squares.value\n"
      "      - total: total.value\n";
  return registry.add(std::move(spec), make_sql);
}

}  // namespace penstock::ops::table
