// penstock graph: the picture of a tube. Needs no types, so no Python.
#include <memory>

#include <fmt/format.h>

#include "penstock/cli/commands.h"
#include "penstock/cli/files.h"
#include "penstock/cli/python.h"
#include "penstock/cli/tubes.h"
#include "penstock/flow/graph_draw.h"

namespace penstock::cli {
namespace {

flow::GraphFormat format_of(std::string_view name) {
  if (name == "mermaid") {
    return flow::GraphFormat::kMermaid;
  }
  if (name == "dot") {
    return flow::GraphFormat::kDot;
  }
  return name == "svg" ? flow::GraphFormat::kSvg : flow::GraphFormat::kAscii;
}

}  // namespace

int graph(const GraphCommand& command, Session& session) {
  if (needs_python(command.file, session.host)) {
    return hand_over(command.file, session);
  }
  const flow::ParsedSpec parsed = load_tube(command.file, session.host);
  for (const flow::Diagnostic& problem : parsed.diagnostics) {
    session.terminal.error(problem);
  }
  if (!parsed.whole || parsed.spec.nodes.empty()) {
    if (parsed.diagnostics.empty()) {
      session.terminal.note("the tube has no nodes");
    }
    return parsed.diagnostics.empty() ? kOk : kFailed;
  }
  std::string picture = flow::draw_graph(parsed.spec, format_of(command.format));
  if (!command.output.empty()) {
    if (const auto written = write_file(command.output, picture); !written.has_value()) {
      session.terminal.error(written.error());
      return kFailed;
    }
    return parsed.diagnostics.empty() ? kOk : kFailed;
  }
  picture.erase(picture.find_last_not_of('\n') + 1);
  session.terminal.out(picture);
  return parsed.diagnostics.empty() ? kOk : kFailed;
}

}  // namespace penstock::cli
