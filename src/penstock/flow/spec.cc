// Diagnostics for a Spec: the excerpt comes from the text it was read from.
#include "penstock/flow/spec.h"

#include <utility>

#include "penstock/flow/yaml_problems.h"

namespace penstock::flow {

Diagnostic diagnose(const Spec& spec, Mark mark, std::string_view id, std::string message,
                    std::string help) {
  Diagnostic out;
  out.id = id;
  out.message = std::move(message);
  out.location = {.file = spec.file, .line = mark.line, .column = mark.column};
  out.help = std::move(help);
  if (spec.source != nullptr && mark.line > 0) {
    LineFinder finder(*spec.source);
    out.excerpt = finder.line(mark.line);
  }
  return out;
}

}  // namespace penstock::flow
