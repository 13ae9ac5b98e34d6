// See pipeline_file.h. What is read from the source is in python/penstock/_pipeline_file.py.
#include "penstock/bindings/pipeline_file.h"

#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "penstock/bindings/py_error.h"
#include "penstock/bindings/py_value.h"
#include "penstock/cli/python.h"
#include "penstock/flow/policy.h"

namespace penstock::bindings {
namespace {

namespace nb = nanobind;

constexpr const char* kModule = "penstock._pipeline_file";

std::string text(nb::handle object) {
  return nb::cast<std::string>(object);
}

flow::Mark mark_of(nb::handle line, nb::handle column) {
  return {.line = nb::cast<std::int32_t>(line), .column = nb::cast<std::int32_t>(column)};
}

/// (slot or None, node, signal, line, column)
flow::Dependency dependency_of(nb::handle item) {
  flow::Dependency out;
  if (item[0].is_none()) {
    out.position = 0;
  } else {
    out.slot = text(item[0]);
  }
  out.node = text(item[1]);
  out.signal = text(item[2]);
  out.mark = out.slot_mark = mark_of(item[3], item[4]);
  return out;
}

/// (id, type, line, column, depends, params, description, policies); the last are take_policy()'s
flow::NodeSpec node_of(nb::handle item) {
  flow::NodeSpec out;
  out.id = text(item[0]);
  out.type = text(item[1]);
  out.mark = out.type_mark = mark_of(item[2], item[3]);
  for (const nb::handle one : item[4]) {
    out.depends.push_back(dependency_of(one));
  }
  if (!out.depends.empty()) {
    out.depends_form =
        out.depends.front().slot.empty() ? flow::DependsForm::kScalar : flow::DependsForm::kKeyword;
  }
  for (const nb::handle one : item[5]) {
    out.params.push_back({.name = text(one[0]),
                          .value = core::Value::text(text(one[1])),
                          .mark = mark_of(one[2], one[3])});
  }
  out.description = text(item[6]);
  return out;
}

/// (key, value, line, column) of a node's policy; as in a tube file, what is wrong with it is said.
void take_policy(nb::handle item, flow::ParsedSpec& parsed, flow::NodeSpec& node) {
  const std::string key = text(item[0]);
  core::Value value = value_or_throw(to_value(nb::object(item[1]).ptr()));
  const flow::Mark mark = mark_of(item[2], item[3]);
  const auto report = [&](std::string_view id, std::string message, const std::string& help) {
    parsed.diagnostics.push_back(flow::diagnose(
        parsed.spec, mark, id, fmt::format("node '{}': {}", node.id, message), help));
  };
  const bool is_wrong =
      (key == "cache" && !value.is(core::Kind::kBool)) ||
      (key == "timeout_ms" && !(value.is(core::Kind::kInt) && value.as_int() > 0));
  if (is_wrong) {
    report("PS0022",
           key == "cache" ? "cache wants true or false" : "timeout_ms wants an int above 0", "");
    return;
  }
  const flow::PolicyProblems problems = flow::check_policy(key, value);
  for (const flow::PolicyProblem& problem : problems) {
    report(problem.id, problem.message, problem.help);
  }
  if (problems.empty()) {
    (key == "cache"        ? node.policy.cache
     : key == "timeout_ms" ? node.policy.timeout_ms
     : key == "retry"      ? node.policy.retry
     : key == "resources"  ? node.policy.resources
                           : node.policy.where) = std::move(value);
  }
}

/// (id, type, scope, has_default, default, line, column)
flow::InputSpec input_of(nb::handle item) {
  flow::InputSpec out;
  out.id = text(item[0]);
  out.type = text(item[1]);
  out.scope = text(item[2]) == "tube" ? flow::Scope::kTube : flow::Scope::kProcess;
  if (nb::cast<bool>(item[3])) {
    out.default_value = value_or_throw(to_value(nb::object(item[4]).ptr()));
  }
  out.mark = mark_of(item[5], item[6]);
  return out;
}

}  // namespace

flow::ParsedSpec read_pipeline_file(const std::string& path, bool execute) {
  const nb::object found = nb::module_::import_(kModule).attr("read")(path, execute);
  flow::ParsedSpec out;
  out.spec.file = path;
  out.spec.source = std::make_shared<const std::string>(text(found["source"]));
  out.spec.description = text(found["description"]);
  for (const nb::handle item : nb::object(found["nodes"])) {
    flow::NodeSpec node = node_of(item);
    for (const nb::handle policy : item[7]) {
      take_policy(policy, out, node);
    }
    out.spec.nodes.push_back(std::move(node));
  }
  for (const nb::handle item : nb::object(found["inputs"])) {
    out.spec.inputs.push_back(input_of(item));
  }
  for (const nb::handle item : nb::object(found["problems"])) {
    out.diagnostics.push_back(flow::diagnose(out.spec, mark_of(item[2], item[3]), text(item[0]),
                                             text(item[1]), text(item[4])));
  }
  // Wiring that follows from a broken function would be reported twice.
  out.whole = out.diagnostics.empty();
  return out;
}

void close_pipeline_file() {
  nb::module_::import_(kModule).attr("close")();
}

std::string pipeline_file_path(const std::string& file) {
  if (!cli::is_pipeline_file(file)) {
    return {};
  }
  return text(nb::module_::import_(kModule).attr("path_of")(file));
}

bool open_pipeline_module(const std::string& path) {
  try {
    nb::module_::import_(kModule).attr("open_module")(path);
    return true;
  } catch (nb::python_error& error) {
    error.restore();
    return false;
  }
}

}  // namespace penstock::bindings
