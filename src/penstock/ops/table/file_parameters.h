// What the operators on files have in common: where the file is, and how its text is laid out.
#pragma once

#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/ops/table/files.h"

namespace penstock::ops::table {

/// The input `path`, which goes before the parameter of that name.
core::PortSpec path_port();

/// path and format, then `own`, then delimiter and header; `header` says what the last one means.
std::vector<core::ParameterSpec> file_parameters(std::vector<core::ParameterSpec> own,
                                                 std::string header);

/// The values of file_parameters().
struct FileParameters {
  std::string operator_name;
  std::string path;    ///< empty when the input names it
  std::string format;  ///< "auto" goes by the extension
  CsvOptions csv;
};

/// PS0203 when neither `params` nor an input gives a path; kInvalidArgument for a delimiter that is
/// not one byte.
base::Result<FileParameters> take_file_parameters(const std::string& operator_name,
                                                  const core::Value& params, bool has_path_input);

/// A file as one call means it.
struct FilePlace {
  std::string path;
  FileFormat format = FileFormat::kParquet;
  CsvOptions csv;
};

/// `input`: the value of the input `path`; absent when there is none. kInvalidArgument when it is
/// no text, or when no format is known by it.
base::Result<FilePlace> place_file(const FileParameters& parameters, const core::Value& input);

}  // namespace penstock::ops::table
