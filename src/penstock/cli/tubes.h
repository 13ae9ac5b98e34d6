// Finding, reading and compiling the tube a command names.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "penstock/cli/commands.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::cli {

/// True when reading the file needs a Python that `host` is not.
bool needs_python(const std::string& name, const CliHost& host);

/// The tube file `name`, or the built-in tube for "hello" where no such file exists. A file of
/// plain Python functions is executed when `execute` says so. Needs what needs_python() says.
flow::ParsedSpec load_tube(const std::string& name, const CliHost& host, bool execute = false);

/// Compiles for running: native operators first, then the host's.
std::expected<std::shared_ptr<const flow::Plan>, flow::Diagnostics> compile_tube(
    const flow::Spec& spec, const CliHost& host, const core::Value& tube_inputs);

/// Everything wrong with the wiring that can be known from native specs and Python sources, or,
/// with `host`, by importing Python types. Tube inputs without a value get a stand-in.
/// `num_unknown`: nodes whose type stayed unknown.
flow::Diagnostics check_wiring(const flow::Spec& spec, const CliHost* host,
                               std::int64_t* num_unknown = nullptr);

/// What is wrong with the tube's `report:` list; paths are held against the result only when the
/// rest of the file is right.
flow::Diagnostics check_plots(const flow::ParsedSpec& parsed);

/// Puts `more` among `all` by place.
void add_diagnostics(flow::Diagnostics more, flow::Diagnostics& all);

/// `a` and `b` in one list by place; of `b` those that lie in a node with a problem in `a` are
/// left out, since they most likely follow from it.
flow::Diagnostics merge_diagnostics(const flow::Spec& spec, flow::Diagnostics a,
                                    flow::Diagnostics b);

}  // namespace penstock::cli
