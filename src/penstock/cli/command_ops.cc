// penstock ops: the native operators, from their specs.
#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/cli/commands.h"
#include "penstock/cli/hello.h"
#include "penstock/flow/packs.h"
#include "penstock/report/json.h"

namespace penstock::cli {
namespace {

using core::OperatorSpec;
using report::JsonText;

/// Every operator, by name. A pack that is not installed is noted and left out.
std::vector<const OperatorSpec*> all_operators(Session& session) {
  std::vector<const OperatorSpec*> out;
  for (const core::Registry::Entry& entry : hello_registry().entries()) {
    out.push_back(&entry.spec);
  }
  for (const std::string_view name : flow::pack_names()) {
    const auto pack = flow::load_pack(name);
    if (!pack.has_value()) {
      session.terminal.note(fmt::format("note: {}", pack.error().message()));
      continue;
    }
    for (const core::Registry::Entry& entry : (*pack)->entries()) {
      out.push_back(&entry.spec);
    }
  }
  std::ranges::sort(out, {}, [](const OperatorSpec* spec) { return std::string_view(spec->name); });
  return out;
}

void append_ports(std::string_view key, const std::vector<core::PortSpec>& ports, JsonText& json) {
  json.key(key).begin_array();
  for (const core::PortSpec& port : ports) {
    json.begin_object().key("name").text(port.name).key("type").text(port.type);
    json.key("summary").text(port.summary).key("optional").boolean(port.optional).end_object();
  }
  json.end_array();
}

void append_operator(const OperatorSpec& spec, JsonText& json) {
  json.begin_object().key("name").text(spec.name).integer_field("version", spec.version);
  json.key("summary").text(spec.summary).key("description").text(spec.description);
  append_ports("inputs", spec.inputs, json);
  json.text_field("variadic", spec.variadic);
  append_ports("outputs", spec.outputs, json);
  json.key("parameters").begin_array();
  for (const core::ParameterSpec& parameter : spec.parameters) {
    json.begin_object().key("name").text(parameter.name).key("type").text(parameter.type);
    json.key("summary").text(parameter.summary);
    json.key("required").boolean(!parameter.default_value.has_value());
    if (parameter.default_value) {
      json.key("default").raw(report::to_json(*parameter.default_value));
    }
    if (!parameter.choices.empty()) {
      json.key("choices").begin_array();
      for (const std::string& choice : parameter.choices) {
        json.text(choice);
      }
      json.end_array();
    }
    json.end_object();
  }
  json.end_array().key("errors").begin_array();
  for (const core::ErrorSpec& error : spec.errors) {
    json.begin_object().key("code").text(base::to_string(error.code));
    json.key("condition").text(error.condition).end_object();
  }
  json.end_array();
  json.key("deterministic").boolean(spec.deterministic).key("stateful").boolean(spec.stateful);
  json.key("source").boolean(spec.source).key("cost").text(spec.cost);
  json.text_field("reference", spec.reference);
  json.key("backend").text("native").text_field("twin", spec.twin);
  json.key("example").text(spec.example).end_object();
}

std::string indented(std::string_view text, std::string_view by) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += fmt::format("{}{}\n", end == 0 ? "" : by, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// Rows of name, type and summary, aligned.
std::string rows(const std::vector<std::array<std::string, 3>>& cells) {
  std::size_t name = 0;
  std::size_t type = 0;
  for (const auto& row : cells) {
    name = std::max(name, row[0].size());
    type = std::max(type, row[1].size());
  }
  std::string out;
  for (const auto& row : cells) {
    out += fmt::format("  {:<{}}  {:<{}}  {}\n", row[0], name, row[1], type, row[2]);
  }
  return out;
}

std::vector<std::array<std::string, 3>> port_cells(const std::vector<core::PortSpec>& ports) {
  std::vector<std::array<std::string, 3>> cells;
  for (const core::PortSpec& port : ports) {
    cells.push_back({port.name, port.type, port.summary + (port.optional ? " (optional)" : "")});
  }
  return cells;
}

std::string described(const OperatorSpec& spec) {
  std::string out = fmt::format("{}  (version {})\n{}\n", spec.name, spec.version, spec.summary);
  if (!spec.description.empty()) {
    out += fmt::format("\n{}", indented(spec.description, ""));
  }
  auto inputs = port_cells(spec.inputs);
  if (!spec.variadic.empty()) {
    inputs.push_back({"...", "", spec.variadic});
  }
  if (!inputs.empty()) {
    out += fmt::format("\nInputs\n{}", rows(inputs));
  }
  out += fmt::format("\nOutputs\n{}", rows(port_cells(spec.outputs)));
  std::vector<std::array<std::string, 3>> parameters;
  for (const core::ParameterSpec& parameter : spec.parameters) {
    std::string note = parameter.default_value
                           ? fmt::format(" (default {})", report::to_json(*parameter.default_value))
                           : " (required)";
    if (!parameter.choices.empty()) {
      note += fmt::format("; one of {}", fmt::join(parameter.choices, ", "));
    }
    parameters.push_back({parameter.name, parameter.type, parameter.summary + note});
  }
  if (!parameters.empty()) {
    out += fmt::format("\nParameters\n{}", rows(parameters));
  }
  std::vector<std::array<std::string, 3>> errors;
  for (const core::ErrorSpec& error : spec.errors) {
    errors.push_back({std::string(base::to_string(error.code)), "", error.condition});
  }
  if (!errors.empty()) {
    out += fmt::format("\nErrors\n{}", rows(errors));
  }
  out += fmt::format("\nCost  {}\nBackend  native; plain-Python twin: {}\n", spec.cost, spec.twin);
  if (!spec.reference.empty()) {
    out += fmt::format("Reference  {}\n", spec.reference);
  }
  out += fmt::format("\nExample\n\n{}", indented(spec.example, "    "));
  out.erase(out.find_last_not_of('\n') + 1);
  return out;
}

int list(const OpsCommand& command, Session& session) {
  const auto operators = all_operators(session);
  if (command.json) {
    JsonText json;
    json.begin_array();
    for (const OperatorSpec* spec : operators) {
      append_operator(*spec, json);
    }
    session.terminal.out(json.end_array().take());
    return kOk;
  }
  std::size_t width = 0;
  for (const OperatorSpec* spec : operators) {
    width = std::max(width, spec->name.size());
  }
  for (const OperatorSpec* spec : operators) {
    session.terminal.out(fmt::format("{:<{}}  {}", spec->name, width, spec->summary));
  }
  return kOk;
}

}  // namespace

int ops(const OpsCommand& command, Session& session) {
  if (command.name.empty()) {
    return list(command, session);
  }
  // The built-in operators are looked at first: a pack may take a tenth of a second to load.
  const core::Registry::Entry* const entry = hello_registry().find(command.name);
  const auto others =
      entry == nullptr ? all_operators(session) : std::vector<const OperatorSpec*>();
  const auto found = std::ranges::find(others, command.name, &OperatorSpec::name);
  if (entry == nullptr && found == others.end()) {
    std::vector<std::string> names;
    std::ranges::transform(others, std::back_inserter(names), &OperatorSpec::name);
    const std::string guess = core::nearest_name(command.name, names);
    session.terminal.error(
        flow::Diagnostic{.id = "PS0906",
                         .message = fmt::format("unknown operator '{}'", command.name),
                         .location = {},
                         .excerpt = {},
                         .help = guess.empty() ? "'penstock ops list' shows all"
                                               : fmt::format("did you mean '{}'?", guess)});
    return kFailed;
  }
  const OperatorSpec& spec = entry != nullptr ? entry->spec : **found;
  JsonText json;
  append_operator(spec, json);
  session.terminal.out(command.json ? json.take() : described(spec));
  return kOk;
}

}  // namespace penstock::cli
