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
  const bool own = mark.source == 0;
  const SpecSource* const base =
      own ? nullptr : &spec.bases[static_cast<std::size_t>(mark.source) - 1];
  out.location = {.file = own ? spec.file : base->file, .line = mark.line, .column = mark.column};
  out.help = std::move(help);
  if (const auto& text = own ? spec.source : base->text; text != nullptr && mark.line > 0) {
    LineFinder finder(*text);
    out.excerpt = finder.line(mark.line);
  }
  return out;
}

}  // namespace penstock::flow
