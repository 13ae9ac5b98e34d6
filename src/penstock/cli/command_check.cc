// penstock check: everything wrong with tube files, as text, JSON, SARIF or GitHub annotations.
//
// Python types are read from their source, not imported, so the answer is instant; --types imports.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "penstock/base/version.h"
#include "penstock/cli/commands.h"
#include "penstock/cli/python.h"
#include "penstock/cli/tubes.h"
#include "penstock/flow/explain.h"
#include "penstock/report/json_text.h"

namespace penstock::cli {
namespace {

using flow::Diagnostic;
using flow::Diagnostics;
using report::JsonText;

struct Checked {
  std::string file;
  Diagnostics problems;
  std::size_t num_nodes = 0, num_inputs = 0;
  std::int64_t num_unknown = 0;  ///< nodes whose types could not be read without importing them
};

Checked check_file(const std::string& file, const CheckCommand& command, const CliHost& host) {
  const bool types = command.types && host.has_python;
  flow::ParsedSpec parsed = load_tube(file, host, types);
  Diagnostics plots = check_plots(parsed);
  Checked out{.file = file, .problems = std::move(parsed.diagnostics)};
  out.num_nodes = parsed.spec.nodes.size();
  out.num_inputs = parsed.spec.inputs.size();
  if (parsed.whole) {
    out.problems =
        merge_diagnostics(parsed.spec, std::move(out.problems),
                          check_wiring(parsed.spec, types ? &host : nullptr, &out.num_unknown));
  }
  add_diagnostics(std::move(plots), out.problems);
  return out;
}

void append_problem(const Diagnostic& problem, JsonText& json) {
  json.begin_object();
  json.key("id").text(problem.id);
  json.key("message").text(problem.message);
  json.text_field("file", problem.location.file);
  if (problem.location.line > 0) {
    json.integer_field("line", problem.location.line);
    json.integer_field("column", problem.location.column);
  }
  json.text_field("excerpt", problem.excerpt);
  json.text_field("help", problem.help);
  json.end_object();
}

std::string as_json(const std::vector<Checked>& files) {
  JsonText json;
  json.begin_object().key("files").begin_array();
  for (const Checked& file : files) {
    json.begin_object().key("file").text(file.file);
    json.key("ok").boolean(file.problems.empty());
    json.integer_field("nodes", static_cast<std::int64_t>(file.num_nodes));
    json.key("problems").begin_array();
    for (const Diagnostic& problem : file.problems) {
      append_problem(problem, json);
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return json.take();
}

void append_sarif_result(const Diagnostic& problem, JsonText& json) {
  json.begin_object().key("ruleId").text(problem.id).key("level").text("error");
  const std::string text = problem.help.empty()
                               ? problem.message
                               : fmt::format("{}. Help: {}", problem.message, problem.help);
  json.key("message").begin_object().key("text").text(text).end_object();
  json.key("locations").begin_array().begin_object().key("physicalLocation").begin_object();
  json.key("artifactLocation").begin_object().key("uri").text(problem.location.file).end_object();
  if (problem.location.line > 0) {
    json.key("region").begin_object();
    json.integer_field("startLine", problem.location.line);
    json.integer_field("startColumn", std::max(problem.location.column, 1));
    json.end_object();
  }
  json.end_object().end_object().end_array().end_object();
}

/// SARIF 2.1.0 (OASIS), the part that code scanning reads.
std::string as_sarif(const std::vector<Checked>& files) {
  JsonText json;
  json.begin_object();
  json.key("$schema").text("https://json.schemastore.org/sarif-2.1.0.json");
  json.key("version").text("2.1.0").key("runs").begin_array().begin_object();
  json.key("tool").begin_object().key("driver").begin_object().key("name").text("penstock");
  json.key("version").text(base::version()).key("rules").begin_array();
  for (const flow::ErrorTopic& topic : flow::error_topics()) {
    const bool used = std::ranges::any_of(files, [&topic](const Checked& file) {
      return std::ranges::find(file.problems, topic.id, &Diagnostic::id) != file.problems.end();
    });
    if (used) {
      json.begin_object().key("id").text(topic.id).key("shortDescription").begin_object();
      json.key("text").text(topic.title).end_object().end_object();
    }
  }
  json.end_array().end_object().end_object().key("columnKind").text("unicodeCodePoints");
  json.key("results").begin_array();
  for (const Checked& file : files) {
    for (const Diagnostic& problem : file.problems) {
      append_sarif_result(problem, json);
    }
  }
  json.end_array().end_object().end_array().end_object();
  return json.take();
}

/// A workflow command's data: %, CR and LF escaped; `,` and `:` too inside a property.
std::string github_escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : text) {
    const bool escaped = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
    out += escaped ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return out;
}

std::string as_github(const Diagnostic& problem) {
  const std::string text = problem.help.empty()
                               ? problem.message
                               : fmt::format("{} ({})", problem.message, problem.help);
  return fmt::format("::error file={},line={},col={},title={}::{}",
                     github_escaped(problem.location.file, true),
                     std::max(problem.location.line, 1), std::max(problem.location.column, 1),
                     problem.id, github_escaped(text, false));
}

void print_text(const std::vector<Checked>& files, const CheckCommand& command, Session& session) {
  std::size_t num_problems = 0;
  for (const Checked& file : files) {
    num_problems += file.problems.size();
    for (const Diagnostic& problem : file.problems) {
      session.terminal.out(flow::render(problem, session.terminal.color_out()));
    }
    if (file.problems.empty()) {
      session.terminal.out(
          fmt::format("{}: ok, {} nodes, {} inputs", file.file, file.num_nodes, file.num_inputs));
      if (file.num_unknown > 0 && !command.types) {
        session.terminal.note(
            fmt::format("the slots of {} Python node{} are known only by importing "
                        "them; --types does",
                        file.num_unknown, file.num_unknown == 1 ? "" : "s"));
      }
    }
  }
  if (num_problems > 1) {
    session.terminal.note(fmt::format("{} problems", num_problems));
  }
}

}  // namespace

int check(const CheckCommand& command, Session& session) {
  for (const std::string& file : command.files) {
    if (needs_python(file, session.host)) {
      return hand_over(file, session);
    }
  }
  if (command.types && !session.host.has_python) {
    for (const std::string& file : command.files) {
      if (const flow::ParsedSpec parsed = load_tube(file, session.host);
          has_python_parts(parsed.spec)) {
        return hand_over(parsed.spec, session);
      }
    }
  }
  std::vector<Checked> files;
  bool unreadable = false;
  bool ok = true;
  for (const std::string& file : command.files) {
    files.push_back(check_file(file, command, session.host));
    const Diagnostics& problems = files.back().problems;
    ok = ok && problems.empty();
    unreadable = unreadable || (!problems.empty() && problems.front().id == "PS0004");
  }
  if (command.format == "json") {
    session.terminal.out(as_json(files));
  } else if (command.format == "sarif") {
    session.terminal.out(as_sarif(files));
  } else if (command.format == "github") {
    for (const Checked& file : files) {
      for (const Diagnostic& problem : file.problems) {
        session.terminal.out(as_github(problem));
      }
    }
  } else {
    print_text(files, command, session);
  }
  return ok ? kOk : unreadable ? kFailed : kCheckFailed;
}

}  // namespace penstock::cli
