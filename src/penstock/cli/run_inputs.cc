// See run_inputs.h.
#include "penstock/cli/run_inputs.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/core/operator.h"
#include "penstock/flow/run_limits.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/type_text.h"

namespace penstock::cli {
namespace {

using base::ErrorCode;
using core::Value;

constexpr std::array<std::string_view, 2> kTextTypes{"path", "file"};

Value value_of(const std::string& text, const flow::InputSpec& input) {
  const bool is_text = flow::is_text_type(input.type) ||
                       std::ranges::find(kTextTypes, input.type) != kTextTypes.end();
  if (!is_text) {
    if (auto value = flow::parse_yaml(text); value.has_value()) {
      return std::move(*value);
    }
  }
  return Value::text(text);
}

base::Error unknown_input(const std::string& name, const flow::Spec& spec) {
  std::vector<std::string> known;
  for (const flow::InputSpec& input : spec.inputs) {
    known.push_back(input.id);
  }
  const std::string guess = core::nearest_name(name, known);
  std::string help =
      known.empty() ? "the tube has no inputs" : fmt::format("inputs: {}", fmt::join(known, ", "));
  return base::Error(ErrorCode::kNotFound, fmt::format("unknown input '{}'", name))
      .with_id("PS0108")
      .with_help(guess.empty() ? std::move(help) : fmt::format("did you mean '{}'?", guess));
}

}  // namespace

base::Result<RunInputs> parse_inputs(std::span<const std::string> words, const flow::Spec& spec) {
  std::vector<core::MapEntry> tube, process, all;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (equals == std::string::npos || name.empty()) {
      return base::fail(
          base::Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is not name=value", word))
              .with_id("PS0905")
              .with_help("for example --input month=3"));
    }
    if (!core::is_valid_utf8(word)) {
      return base::fail(base::Error(ErrorCode::kInvalidArgument,
                                    fmt::format("the value of input '{}' is not UTF-8", name))
                            .with_id("PS0905"));
    }
    const auto input = std::ranges::find(spec.inputs, name, &flow::InputSpec::id);
    if (input == spec.inputs.end()) {
      return base::fail(unknown_input(name, spec));
    }
    if (std::ranges::find(all, name, &core::MapEntry::first) != all.end()) {
      return base::fail(
          base::Error(ErrorCode::kInvalidArgument, fmt::format("input '{}' is given twice", name))
              .with_id("PS0905"));
    }
    Value value = value_of(word.substr(equals + 1), *input);
    all.emplace_back(name, value);
    (input->scope == flow::Scope::kProcess ? process : tube).emplace_back(name, std::move(value));
  }
  return RunInputs{.tube = Value::map(std::move(tube)),
                   .process = Value::map(std::move(process)),
                   .all = Value::map(std::move(all))};
}

base::Result<flow::Resources> parse_resources(std::span<const std::string> words,
                                              std::int32_t num_workers) {
  std::vector<core::MapEntry> entries;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return base::fail(
          base::Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is not name=amount", word))
              .with_id("PS0905")
              .with_help("for example --resource memory=8GiB"));
    }
    auto amount = flow::parse_yaml(word.substr(equals + 1));
    entries.emplace_back(word.substr(0, equals), amount.has_value()
                                                     ? std::move(*amount)
                                                     : Value::text(word.substr(equals + 1)));
  }
  return flow::run_resources(Value::map(std::move(entries)), num_workers);
}

}  // namespace penstock::cli
