#include "penstock/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace penstock::base {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kAlreadyExists:
      return "already_exists";
    case ErrorCode::kOutOfRange:
      return "out_of_range";
    case ErrorCode::kFailedPrecondition:
      return "failed_precondition";
    case ErrorCode::kResourceExhausted:
      return "resource_exhausted";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kDataLoss:
      return "data_loss";
    case ErrorCode::kUnimplemented:
      return "unimplemented";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
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
