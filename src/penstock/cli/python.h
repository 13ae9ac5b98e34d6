// Hands the command over to the Python in which penstock is installed.
#pragma once

#include <string>
#include <string_view>

#include "penstock/cli/commands.h"
#include "penstock/flow/spec.h"

namespace penstock::cli {

/// True when `path` names a file of plain Python functions, not a tube in YAML.
bool is_pipeline_file(std::string_view path);

/// True when `node` is neither structural (map, gather, return, tube) nor a native operator.
bool is_python_node(const flow::NodeSpec& node);
/// Whether a tube, or one nested in it, has a node or an asset that only Python can make.
bool has_python_parts(const flow::Spec& spec);

/// The Python to use, or empty: $PENSTOCK_PYTHON, the one beside this executable, that of
/// $VIRTUAL_ENV, the first python3 in PATH; each only if penstock is installed in it.
std::string find_python();

/// Replaces this process by `python -m penstock <the same arguments>`. Returns only on failure,
/// with the exit code, the error printed.
int hand_over(const flow::Spec& spec, Session& session);
/// The same for a command that needs Python to read the file `path`.
int hand_over(const std::string& path, Session& session);
/// The same for a command that says more inside Python.
int hand_over(Session& session);

}  // namespace penstock::cli
