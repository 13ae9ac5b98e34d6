// `--input name=value` and `--resource name=amount` of the command line.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/flow/policy.h"
#include "penstock/flow/spec.h"

namespace penstock::cli {

struct RunInputs {
  core::Value tube = core::Value::map({});  ///< by scope
  core::Value process = core::Value::map({});
  core::Value all = core::Value::map({});
};

/// Each word is name=value. A value is read as YAML ("3" is an int, "[1, 2]" a list), unless the
/// input's type says text or path; what is no YAML is text. PS0905 for a malformed word or a name
/// given twice, PS0108 for an unknown name.
base::Result<RunInputs> parse_inputs(std::span<const std::string> words, const flow::Spec& spec);

/// What there is for nodes that ask for some: each word is name=amount, as in the map `resources`
/// of a node; the machine's for the rest. PS0905, PS0122, PS0125.
base::Result<flow::Resources> parse_resources(std::span<const std::string> words,
                                              std::int32_t num_workers);

}  // namespace penstock::cli
