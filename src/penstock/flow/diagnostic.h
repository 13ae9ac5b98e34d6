// Diagnostics: everything wrong with a tube file, in one form, all at once.
//
//   error[PS0103]: unknown node 'contur' in depends of node 'map'
//     --> flights.yaml:12:17
//      |       - months: contur.value
//      |                 ^
//     help: did you mean 'count'?
//
// Immutable data; rendering lives in diagnostic.cc, the catalogue of ids in explain.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::flow {

/// A place in a source text. Line and column count from 1; 0 = unknown.
struct Location {
  std::string file;  ///< as the user gave it; "<text>" for inline YAML
  std::int32_t line = 0;
  std::int32_t column = 0;
};

struct Diagnostic {
  std::string id;       ///< "PS0103", stable
  std::string message;  ///< what, seen, wanted; one line
  Location location;
  std::string excerpt;        ///< the source line, without newline; empty when unknown
  std::string help;           ///< one line; empty when there is no good advice
  bool is_interrupt = false;  ///< the user asked to stop while the tube was loaded: no fault of it
};

bool was_interrupted(std::span<const Diagnostic> diagnostics);

/// At most six lines, no trailing newline. `color`: ANSI escapes.
std::string render(const Diagnostic& diagnostic, bool color);

using Diagnostics = std::vector<Diagnostic>;

/// The diagnostics of one load as an Error (kInvalidArgument, or kNotFound for a missing file),
/// for callers that want one value. The message is the rendered text of all, up to 20.
base::Error to_error(const Diagnostics& diagnostics);

/// base::out_of_memory() as what a load returns. Takes a little memory itself.
Diagnostics out_of_memory_diagnostics();

}  // namespace penstock::flow
