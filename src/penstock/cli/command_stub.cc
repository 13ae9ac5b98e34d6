// penstock stub: Python types of a tube's inputs, so that a wrong name is an error of mypy.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "penstock/cli/commands.h"
#include "penstock/cli/files.h"
#include "penstock/cli/python.h"
#include "penstock/cli/tubes.h"
#include "penstock/flow/type_text.h"

namespace penstock::cli {
namespace {

constexpr auto kBareTypes = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"list", "list[Any]"},
    {"List", "list[Any]"},
    {"tuple", "tuple[Any, ...]"},
    {"Tuple", "tuple[Any, ...]"},
    {"set", "set[Any]"},
    {"dict", "dict[str, Any]"},
    {"Dict", "dict[str, Any]"},
    {"map", "dict[str, Any]"},
    {"text", "str"},
    {"string", "str"},
    {"path", "str"},
    {"file", "str"},
});
constexpr auto kBuiltins = std::to_array<std::string_view>(
    {"int", "float", "str", "bool", "bytes", "complex", "list", "dict", "tuple", "set", "None"});

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
}

/// The annotation for an input whose type is `text`: Any unless it is made of builtin types.
std::string annotation(std::string_view text) {
  if (const std::size_t unit = text.find(" ["); unit != text.npos && text.ends_with(']')) {
    text = text.substr(0, unit);
  }
  if (text.starts_with("builtins.")) {
    text.remove_prefix(9);
  }
  const auto* const bare =
      std::ranges::find(kBareTypes, text, &std::pair<std::string_view, std::string_view>::first);
  if (bare != kBareTypes.end()) {
    return std::string(bare->second);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t begin = i;
    while (i < text.size() && is_word(text[i])) {
      ++i;
    }
    const std::string_view word = text.substr(begin, i - begin);
    const bool generic = word == "list" || word == "dict" || word == "tuple" || word == "set";
    const bool known = word.empty() || std::ranges::find(kBuiltins, word) != kBuiltins.end();
    const bool mark = i >= text.size() || std::string_view("[]|, ").contains(text[i]);
    if (!known || !mark || (generic && (i >= text.size() || text[i] != '['))) {
      return "Any";
    }
  }
  return text.empty() ? "Any" : std::string(text);
}

/// "five_nodes.yaml" -> "FiveNodes"
std::string class_name(const std::string& file) {
  std::string out;
  bool upper = true;
  for (const char c : std::filesystem::path(file).stem().string()) {
    const bool letter = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (letter) {
      out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    }
    upper = !letter;
  }
  return out.empty() || std::isdigit(static_cast<unsigned char>(out.front())) != 0 ? "Tube" + out
                                                                                   : out;
}

std::string stub_text(const flow::Spec& spec) {
  const std::string name = class_name(spec.file);
  std::string parameters, inputs;
  for (const flow::InputSpec& input : spec.inputs) {
    const std::string type = annotation(input.type);
    const bool optional = !input.required || !input.default_value.is_absent();
    if (input.scope == flow::Scope::kProcess) {
      parameters += fmt::format(", {}: {}{}", input.id, type, optional ? " = ..." : "");
    }
    inputs += fmt::format("    {}: {}\n", input.id,
                          optional ? fmt::format("NotRequired[{}]", type) : type);
  }
  const std::string keywords = parameters.empty() ? "" : ", *" + parameters;
  return fmt::format(
      R"("""Types of the tube {0}, made by 'penstock stub': make it anew when its inputs change.

    runner: {1}Runner = penstock.SynchronousRunner(penstock.Tube.load("{0}"))
    inputs: {1}Inputs = {{...}}
    penstock.run("{0}", inputs={{**inputs}})
"""

from collections.abc import Callable, Iterator
from typing import Any, NotRequired, Protocol, TypedDict


class {1}Inputs(TypedDict):
    """Inputs of both scopes, for penstock.run()."""

{2}

class {1}Runner(Protocol):
    """A runner of the tube: process() takes its inputs and no others."""

    def process(self{3}) -> Any: ...
    def run(self, n: int | None = None{4}) -> list[Any]: ...
    def iter(self, n: int | None = None{4}) -> Iterator[Any]: ...
    def init(self) -> None: ...
    def deinit(self) -> None: ...
    def add_callback(self, callback: Callable[[dict[str, Any]], Any]) -> None: ...
)",
      std::filesystem::path(spec.file).filename().string(), name,
      inputs.empty() ? "    pass\n" : inputs, keywords,
      parameters.contains(", n:") ? ", **inputs: Any" : keywords);
}

}  // namespace

int stub(const StubCommand& command, Session& session) {
  if (needs_python(command.file, session.host)) {
    return hand_over(command.file, session);
  }
  const flow::ParsedSpec parsed = load_tube(command.file, session.host);
  for (const flow::Diagnostic& problem : parsed.diagnostics) {
    session.terminal.error(problem);
  }
  if (!parsed.diagnostics.empty()) {
    return kFailed;
  }
  std::string text = stub_text(parsed.spec);
  if (command.output.empty()) {
    text.pop_back();
    session.terminal.out(text);
    return kOk;
  }
  if (const auto written = write_file(command.output, text); !written.has_value()) {
    session.terminal.error(written.error());
    return kFailed;
  }
  return kOk;
}

}  // namespace penstock::cli
