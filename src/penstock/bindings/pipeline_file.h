// Files of plain Python functions as tubes (docs/guide/plain-functions.md).
#pragma once

#include <string>

#include "penstock/flow/spec_yaml.h"

namespace penstock::bindings {

/// The Spec of a file of functions, with places in the Python source. `execute` runs the file too,
/// so that its functions are found by Python types named after it; close_pipeline_file() ends
/// that. Interpreter lock held.
flow::ParsedSpec read_pipeline_file(const std::string& path, bool execute);

/// Names of the functions mean modules again.
void close_pipeline_file();

/// What a worker needs to find the functions of `file`: its absolute path; empty for other files.
std::string pipeline_file_path(const std::string& file);

/// Runs the file at the absolute `path` in a worker. False with a Python error set.
bool open_pipeline_module(const std::string& path);

}  // namespace penstock::bindings
