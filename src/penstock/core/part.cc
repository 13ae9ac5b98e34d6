// Part: what a result depends on, as text a person can compare.
#include <cmath>

#include <fmt/format.h>

#include "penstock/core/identity.h"
#include "penstock/core/operator.h"

namespace penstock::core {
namespace {

constexpr std::size_t kMaxShownBytes = 60;

/// Texts that stand for themselves; a quoted one cannot be taken for a number or a digest.
std::string shown(const Value& value) {
  switch (value.kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return value.as_bool() ? "true" : "false";
    case Kind::kInt:
      return fmt::format("{}", value.as_int());
    case Kind::kFloat:
      // "1.0", not "1": an integer is another value.
      return std::isfinite(value.as_float()) ? fmt::format("{:#}", value.as_float()) : "";
    case Kind::kText: {
      const std::string& text = value.as_text();
      const bool is_line =
          text.size() <= kMaxShownBytes && text.find_first_of("\n\r'") == text.npos;
      return is_line ? fmt::format("'{}'", text) : "";
    }
    default:
      return "";
  }
}

}  // namespace

base::Result<Part> part_of(std::string name, const Value& value) {
  if (value.is_absent()) {
    return Part{std::move(name), "absent"};
  }
  if (std::string text = shown(value); !text.empty()) {
    return Part{std::move(name), std::move(text)};
  }
  PENSTOCK_ASSIGN_OR_RETURN(const Digest sum, digest(value));
  return Part{std::move(name), sum.to_hex()};
}

}  // namespace penstock::core
