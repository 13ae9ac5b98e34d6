// flow::parse_spec: what it accepts is written back as text that reads as the same Spec, and that
// text is canonical: written again it is the same.
#include <string>

#include "target.h"

#include "penstock/flow/spec_yaml.h"

namespace penstock::fuzz {
namespace {

// libyaml's own buffers and the messages are the fixed part; a node of the tree takes two bytes of
// input ("a,") and 96 bytes, three times that while the tree grows. Aliases are a factor of
// their own: up to 1,000,000 expanded values, by the documented limit, so they are not watched.
constexpr MemoryLimit kLimit{.fixed = 512 * 1024, .per_byte = 256};

std::expected<flow::Spec, flow::Diagnostics> parse_within_limit(std::string_view input) {
  if (input.contains('*')) {
    return flow::parse_spec(input);
  }
  const MemoryWatch watch(input.size(), kLimit);
  return flow::parse_spec(input);
}

}  // namespace

Answer run_yaml(std::string_view input) {
  const auto spec = parse_within_limit(input);
  if (!spec.has_value()) {
    if (spec.error().empty() || flow::to_error(spec.error()).message().empty()) {
      broken("a refusal without a reason");
    }
    return Answer::kRefused;
  }
  const base::Result<std::string> yaml = flow::to_yaml(*spec);
  if (!yaml.has_value()) {
    broken("read, but not to be written: " + yaml.error().message());
  }
  const auto again = flow::parse_spec(*yaml);
  if (!again.has_value()) {
    broken("written, but not to be read: " + flow::to_error(again.error()).message() + "\n" +
           *yaml);
  }
  if (flow::to_value(*again) != flow::to_value(*spec)) {
    broken("written and read, but another Spec:\n" + *yaml);
  }
  const base::Result<std::string> twice = flow::to_yaml(*again);
  if (!twice.has_value() || *twice != *yaml) {
    broken("written twice, not the same text:\n" + *yaml);
  }
  return Answer::kAccepted;
}

}  // namespace penstock::fuzz

PENSTOCK_FUZZ_TARGET(run_yaml)
