// What can be known of a Python function from its source alone: slots, parameters, signals.
//
// `penstock check` answers within milliseconds, and starting Python costs a hundred; so it reads
// the `def` of plain module-level functions itself. Whatever is not plain (a decorator, a class, a
// name bound twice, an annotation with names from elsewhere) is left alone as unknown: a check may
// miss an error that only running Python shows, it never reports one that is none. `check --types`
// imports.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/core/operator.h"

namespace penstock::cli {

/// A function's wiring face, as the Python side would describe it.
struct PythonFunction {
  std::vector<core::Slot> slots;
  bool any_positional = false, any_keyword = false, is_generator = false;
  std::optional<std::vector<std::string>> signals;  ///< none: unknown
  std::string signal_type;  ///< of the only signal, as written; empty: unknown
};

/// Python source with comments and the insides of strings blanked; same length, same lines. Empty
/// when a string or bracket never ends.
std::string mask_python(std::string_view source);

/// The module-level function `name` of `source`; none when it is not plainly one.
std::optional<PythonFunction> read_python_function(std::string_view source, std::string_view name);

/// Names bound at module level by def, class or assignment.
std::vector<std::string> python_names(std::string_view masked);

/// Finds modules where `python -m penstock` would find them first. Owner thread only.
class PythonSources {
 public:
  /// Looks beside the tube `file`, in the working folder and in $PYTHONPATH, in this order.
  explicit PythonSources(const std::string& file);

  struct Found {
    std::optional<PythonFunction> function;
    bool missing = false;  ///< the module is there and cannot have such a name
    std::string nearest;   ///< then: a name it has
  };
  /// `type` is "package.module.name".
  Found find(const std::string& type);

 private:
  const std::string* load(const std::string& module);

  std::vector<std::filesystem::path> roots_;
  std::map<std::string, std::optional<std::string>> modules_;  ///< sources by name; none: not found
};

}  // namespace penstock::cli
