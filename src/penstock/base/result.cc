#include "penstock/base/result.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace penstock::base {

namespace {

constexpr std::array<std::string_view, 12> kNames{
    "invalid_argument",    "not_found",          "already_exists", "out_of_range",
    "failed_precondition", "resource_exhausted", "cancelled",      "deadline_exceeded",
    "unavailable",         "data_loss",          "unimplemented",  "internal"};

}  // namespace

std::string_view to_string(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code) - 1;
  return index < kNames.size() ? kNames[index] : kNames.back();
}

std::optional<ErrorCode> error_code_of(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) {
    return std::nullopt;
  }
  return static_cast<ErrorCode>(at - kNames.begin() + 1);
}

std::span<const std::string_view> error_code_names() {
  return kNames;
}

Error::Error(ErrorCode code, std::string message)
    : data_(std::make_shared<const Data>(Data{code, std::move(message), {}, {}, {}, {}, {}})) {
}

Error Error::with_context(std::string_view outer) const {
  Data data = *data_;
  data.origin = data.origin.empty() ? std::string(outer) : std::string(outer) + ": " + data.origin;
  return Error(std::make_shared<const Data>(std::move(data)));
}

Error Error::with_id(std::string_view id) const {
  Data data = *data_;
  data.id = id;
  return Error(std::make_shared<const Data>(std::move(data)));
}

Error Error::with_help(std::string_view help) const {
  Data data = *data_;
  data.help = help;
  return Error(std::make_shared<const Data>(std::move(data)));
}

Error Error::with_trace(std::string_view trace) const {
  Data data = *data_;
  data.trace = trace;
  return Error(std::make_shared<const Data>(std::move(data)));
}

Error Error::with_cause(std::shared_ptr<const ErrorCause> cause) const {
  Data data = *data_;
  data.cause = std::move(cause);
  return Error(std::make_shared<const Data>(std::move(data)));
}

std::string Error::to_string() const {
  return origin().empty() ? message() : message() + " (at " + origin() + ")";
}

void check_failed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "penstock: internal check failed at %s:%d: %s\n", file, line, what);
  std::fflush(stderr);
  std::abort();
}

}  // namespace penstock::base
