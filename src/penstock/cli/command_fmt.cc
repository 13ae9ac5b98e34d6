// penstock fmt: a tube in its one canonical form, comments kept; or functions as a tube in YAML.
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "penstock/cli/commands.h"
#include "penstock/cli/files.h"
#include "penstock/cli/hello.h"
#include "penstock/cli/python.h"
#include "penstock/cli/tubes.h"
#include "penstock/flow/yaml_comments.h"

namespace penstock::cli {
namespace {

/// The text, and that it is the same tube: a wrong file must never be written.
base::Result<std::string> canonical(const flow::Spec& spec, bool keep) {
  PENSTOCK_ASSIGN_OR_RETURN(std::string text, flow::to_yaml(spec));
  if (keep && spec.source != nullptr) {
    text = flow::keep_comments(*spec.source, text);
  }
  const auto again = flow::parse_spec(text, spec.file);
  const bool same = again.has_value() && flow::to_value(*again) == flow::to_value(spec) &&
                    (!keep || flow::count_comments(text) == flow::count_comments(*spec.source));
  if (!same) {
    return base::fail(base::ErrorCode::kInternal,
                      fmt::format("the formatted text of '{}' is another tube; nothing was "
                                  "written. Please report this with the file",
                                  spec.file));
  }
  return text;
}

/// A module's name must lead to the file, or the tube cannot find its functions.
base::Status check_module(const flow::Spec& spec) {
  const std::string stem = std::filesystem::path(spec.file).stem().string();
  const std::string& type = spec.nodes.front().type;
  if (type.substr(0, type.find('.')) == stem) {
    return {};
  }
  return base::fail(
      base::Error(base::ErrorCode::kInvalidArgument,
                  fmt::format("a tube cannot name functions of '{}': '{}' is no module name",
                              spec.file, stem))
          .with_id("PS0901")
          .with_help(fmt::format("rename it to {}.py", type.substr(0, type.find('.')))));
}

}  // namespace

int format(const FormatCommand& command, Session& session) {
  const bool functions = is_pipeline_file(command.file);
  if (functions && command.to.empty()) {
    return usage_error(session, fmt::format("'{}' is a Python file", command.file),
                       "add --to yaml to write it as a tube");
  }
  if (needs_python(command.file, session.host)) {
    return hand_over(command.file, session);
  }
  // As it is written: what it extends is not merged into it.
  const flow::ParsedSpec parsed = functions || command.file == kHelloName
                                      ? load_tube(command.file, session.host)
                                      : flow::load_spec_partly(command.file);
  for (const flow::Diagnostic& problem : parsed.diagnostics) {
    session.terminal.error(problem);
  }
  if (!parsed.diagnostics.empty()) {
    return kFailed;
  }
  if (functions) {
    if (const auto found = check_module(parsed.spec); !found.has_value()) {
      session.terminal.error(found.error());
      return kUsage;
    }
  }
  auto text = canonical(parsed.spec, !functions);
  if (!text.has_value()) {
    session.terminal.error(text.error());
    return kFailed;
  }
  const bool as_is = !functions && parsed.spec.source != nullptr && *parsed.spec.source == *text;
  if (command.check) {
    if (!as_is) {
      session.terminal.note(fmt::format("{} is not formatted", command.file));
    }
    return as_is ? kOk : kCheckFailed;
  }
  const bool in_place = !functions && command.file != kHelloName;
  const std::string in_its_place = in_place ? command.file : "-";  // "hello" has no file
  const std::string& to = command.output.empty() ? in_its_place : command.output;
  if (to == "-") {
    text->pop_back();  // the terminal ends the line
    session.terminal.out(*text);
    return kOk;
  }
  if (as_is && to == command.file) {
    return kOk;
  }
  if (const auto written = write_file(to, *text); !written.has_value()) {
    session.terminal.error(written.error());
    return kFailed;
  }
  return kOk;
}

}  // namespace penstock::cli
