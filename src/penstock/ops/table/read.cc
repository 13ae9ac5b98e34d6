// table.read: a table from a file.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "penstock/ops/table/file_parameters.h"
#include "penstock/ops/table/files.h"
#include "penstock/ops/table/operators.h"
#include "penstock/ops/table/sql_text.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;
using core::Value;

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> out;
  for (const Value& item : list.as_list()) {
    out.push_back(item.as_text());
  }
  return out;
}

class ReadOperator : public core::Operator {
 public:
  ReadOperator(ReadRequest request, FileParameters file, std::vector<std::string> names)
      : request_(std::move(request)), file_(std::move(file)), names_(std::move(names)) {}

  base::Result<core::Step> call(core::Call& call) const override {
    ReadRequest request = request_;
    request.context = call.context;
    Value path;
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      const Value& value = *call.inputs[i];
      if (names_[i] == "path") {
        path = value;
      } else if (!value.is_absent()) {
        request.parameters.emplace_back(names_[i], value);
      }
    }
    PENSTOCK_ASSIGN_OR_RETURN(FilePlace place, place_file(file_, path));
    request.path = std::move(place.path);
    request.format = place.format;
    request.csv = place.csv;
    PENSTOCK_ASSIGN_OR_RETURN(auto table, read_file(request));
    call.outputs[0] = Value::table(std::move(table));
    return core::Step::kDone;
  }

 private:
  ReadRequest request_;  ///< without the file
  FileParameters file_;
  std::vector<std::string> names_;  ///< of the inputs, in binding order
};

base::Result<std::shared_ptr<const core::Operator>> make_read(
    const Value& params, std::span<const core::Binding> bindings) {
  ReadRequest request{.columns = texts(*params.find("columns")),
                      .dictionary = texts(*params.find("dictionary")),
                      .filter = params.find("filter")->as_text()};
  const SqlWords words = scan_words(request.filter);
  std::vector<std::string> names;
  for (const core::Binding& binding : bindings) {
    // The only declared port is `path`; every other input is a value of the filter.
    names.push_back(binding.name.empty() && binding.position == 0 ? "path" : binding.name);
  }
  PENSTOCK_RETURN_IF_ERROR(check_expression(words, names, "path", "filter"));
  const bool has_path_input = std::ranges::find(names, "path") != names.end();
  PENSTOCK_ASSIGN_OR_RETURN(FileParameters file,
                            take_file_parameters("table.read", params, has_path_input));
  return std::make_shared<ReadOperator>(std::move(request), std::move(file), std::move(names));
}

}  // namespace

base::Status check_expression(const SqlWords& words, const std::vector<std::string>& inputs,
                              const std::string& port, const std::string& what) {
  if (!words.impure.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("parameter '{}' uses '{}': the result would not follow from the inputs",
                            what, words.impure));
  }
  for (const std::string& input : inputs) {
    if (input != port && !words.parameters.contains(to_lower(input))) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("input '{}' is not used: wanted ${} in parameter '{}'", input, input, what));
    }
  }
  for (const std::string& parameter : words.parameters) {
    if (std::ranges::none_of(inputs, [&](const auto& i) { return to_lower(i) == parameter; })) {
      const std::string nearest = core::nearest_name(parameter, inputs);
      return fail(
          base::Error(ErrorCode::kInvalidArgument,
                      fmt::format("parameter '{}' uses ${}, which is no input of the node", what,
                                  parameter))
              .with_help(nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest)));
    }
  }
  return {};
}

base::Status register_read(core::Registry& registry) {
  core::OperatorSpec spec;
  spec.name = "table.read";
  spec.summary = "Read a table from a Parquet, CSV or Arrow IPC file.";
  spec.description =
      "Only the columns and rows asked for are read. 'filter' is an SQL expression over the file's "
      "columns, also those not asked for; values are bound in it as $name from inputs of that "
      "name. For Parquet, row groups whose statistics exclude a match are not touched. Text is "
      "checked to be UTF-8, and everything else in the file to be in range.\n\n"
      "CSV columns get their types from the first megabyte: null, int64, bool, date32, time32[s], "
      "timestamp[s], timestamp[ns], float64, text. An IPC file is mapped, not read.";
  spec.reads_files = {"path"};
  spec.inputs = {path_port()};
  spec.variadic = "values bound in the filter as $name";
  spec.outputs = {{.name = "value", .type = "table", .summary = "the rows, in file order"}};
  const Value no_texts = Value::list({});
  spec.parameters = file_parameters(
      {{.name = "columns",
        .type = "list of text",
        .summary = "what to read, in this order; empty = all",
        .default_value = no_texts},
       {.name = "filter",
        .type = "text",
        .summary = "SQL expression; rows for which it holds",
        .default_value = Value::text("")},
       {.name = "dictionary",
        .type = "list of text",
        .summary = "Parquet text columns to keep dictionary-encoded: less memory, faster grouping",
        .default_value = no_texts}},
      "CSV: the first line names the columns (else f0, f1, ...)");
  spec.errors = {{ErrorCode::kNotFound, "no such file"},
                 {ErrorCode::kInvalidArgument, "unknown column, format or filter"},
                 {ErrorCode::kDataLoss, "the file is cut short, damaged or of another format"},
                 {ErrorCode::kUnimplemented,
                  "the file has a type that tables lack (unions, run-end encoding)"},
                 {ErrorCode::kCancelled, "the run was stopped"}};
  spec.cost = "O(bytes of the columns and row groups read)";
  spec.reference = "Apache Arrow C++ 26; Apache Parquet format; RFC 4180";
  spec.twin = "none: the work is Arrow's and DuckDB's, and pyarrow would do it with the same code";
  spec.example =
      "noob_id: table-read-example\n"
      "nodes:\n"
      "  numbers:\n"
      "    type: table.sql\n"
      "    params: {query: 'SELECT i, i % 3 AS r FROM range(10) t(i) ORDER BY i'}\n"
      "  file:\n"
      "    type: table.write\n"
      "    depends:\n"
      "      - table: numbers.value\n"
      "    params: {path: \"${DIR}/numbers.parquet\"}\n"
      "  zeros:\n"
      "    type: table.read\n"
      "    depends:\n"
      "      - path: file.value\n"
      "    params: {columns: [i], filter: r = 0}\n"
      "  result:\n"
      "    type: return\n"
      "    depends: zeros.value\n";
  return registry.add(std::move(spec), make_read);
}

}  // namespace penstock::ops::table
