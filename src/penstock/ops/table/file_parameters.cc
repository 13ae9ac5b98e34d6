// See file_parameters.h.
#include "penstock/ops/table/file_parameters.h"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "penstock/ops/table/sql_text.h"

namespace penstock::ops::table {

using base::ErrorCode;
using base::fail;
using core::Value;

namespace {

base::Error no_path(const std::string& operator_name) {
  return base::Error(ErrorCode::kInvalidArgument, fmt::format("{} has no path", operator_name))
      .with_id("PS0203")
      .with_help("add to params: path: FILE, or to depends: - path: node.signal");
}

}  // namespace

core::PortSpec path_port() {
  return {
      .name = "path", .type = "text", .summary = "the file; or parameter 'path'", .optional = true};
}

std::vector<core::ParameterSpec> file_parameters(std::vector<core::ParameterSpec> own,
                                                 std::string header) {
  std::vector<core::ParameterSpec> all{{.name = "path",
                                        .type = "text",
                                        .summary = "the file, unless an input names it",
                                        .default_value = Value::text("")},
                                       {.name = "format",
                                        .type = "text",
                                        .summary = "auto goes by the extension",
                                        .default_value = Value::text("auto"),
                                        .choices = {"auto", "parquet", "csv", "ipc"}}};
  all.insert(all.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
  all.push_back({.name = "delimiter",
                 .type = "text",
                 .summary = "CSV: one byte (a .tsv file has a tab)",
                 .default_value = Value::text(",")});
  all.push_back({.name = "header",
                 .type = "bool",
                 .summary = std::move(header),
                 .default_value = Value::boolean(true)});
  return all;
}

base::Result<FileParameters> take_file_parameters(const std::string& operator_name,
                                                  const Value& params, bool has_path_input) {
  const std::string& delimiter = params.find("delimiter")->as_text();
  if (delimiter.size() != 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("parameter 'delimiter' must be one byte, seen '{}'", delimiter));
  }
  const std::string& path = params.find("path")->as_text();
  if (path.empty() && !has_path_input) {
    return fail(no_path(operator_name));
  }
  return FileParameters{
      .operator_name = operator_name,
      .path = path,
      .format = params.find("format")->as_text(),
      .csv = {.delimiter = delimiter[0], .header = params.find("header")->as_bool()}};
}

base::Result<FilePlace> place_file(const FileParameters& parameters, const Value& input) {
  FilePlace place{.path = parameters.path, .csv = parameters.csv};
  if (input.is(core::Kind::kText)) {
    place.path = input.as_text();
  } else if (!input.is_absent()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("input 'path' is a {}, wanted a text", core::to_string(input.kind())));
  }
  if (place.path.empty()) {
    return fail(no_path(parameters.operator_name));
  }
  PENSTOCK_ASSIGN_OR_RETURN(place.format, file_format(parameters.format, place.path));
  if (parameters.format == "auto" && to_lower(place.path).ends_with(".tsv")) {
    place.csv.delimiter = '\t';
  }
  return place;
}

}  // namespace penstock::ops::table
