// Errors as values: Result<T>, Status, the twelve codes and the two macros.
//
// Our code does not throw outside the bindings. A function that can fail returns Result<T> (or
// Status) and says in its comment which codes it uses. `Error` is one shared, immutable payload:
// copying it to many downstream nodes costs one reference count.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace penstock::base {

/// Why a call failed. A new code needs a caller that branches on it.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument = 1,     ///< The caller's value is wrong whatever the state of the system.
  kNotFound = 2,            ///< A named thing (file, node, operator) does not exist.
  kAlreadyExists = 3,       ///< A thing that must be new is there already.
  kOutOfRange = 4,          ///< A valid kind of value beyond the allowed range.
  kFailedPrecondition = 5,  ///< The system is in the wrong state; fix the state, then retry.
  kResourceExhausted = 6,   ///< Memory, disk, depth or a quota ran out.
  kCancelled = 7,           ///< Stopped on request.
  kDeadlineExceeded = 8,    ///< Stopped by a timeout.
  kUnavailable = 9,         ///< A peer or worker is gone; retrying may help.
  kDataLoss = 10,           ///< Stored or received bytes are corrupt or cut short.
  kUnimplemented = 11,      ///< The request is understood and not supported here.
  kInternal = 12,           ///< Our own bug, or foreign code that failed without a better code.
};

/// Stable snake_case name of a code ("invalid_argument"); the same in Python, JSON and docs.
std::string_view to_string(ErrorCode code);
/// The code of a name, if it is one.
std::optional<ErrorCode> error_code_of(std::string_view name);
/// All names, in the order of the codes.
std::span<const std::string_view> error_code_names();

/// What an error was in the language it was raised in, kept for whoever raises it there again.
/// Immutable, thread-safe.
class ErrorCause {
 public:
  virtual ~ErrorCause() = default;
  /// Bytes another process of the same run can make an equal one from; empty when there are none.
  virtual std::string portable() const = 0;
  /// Full names of its type and of those it is derived from, one a line, its own first; so that a
  /// policy may speak of them. Empty when there are none.
  virtual std::string kinds() const { return {}; }
};

/// What went wrong: immutable, 16 bytes, cheap to copy, safe to share between threads.
class [[nodiscard]] Error {
 public:
  /// `message`: what was wrong, the value seen, the value wanted; runtime values last.
  Error(ErrorCode code, std::string message);

  ErrorCode code() const { return data_->code; }
  const std::string& message() const { return data_->message; }

  /// Where it happened, outermost first ("node 'blur', epoch 3"); empty when unknown.
  const std::string& origin() const { return data_->origin; }

  /// Stable public id for `penstock explain` ("PS0123"); empty when the code alone is meant.
  const std::string& id() const { return data_->id; }

  /// What to do about it, with the nearest valid name; empty when there is no good advice.
  const std::string& help() const { return data_->help; }

  /// Foreign stack trace (Python traceback text, user's frame first); empty when there is none.
  const std::string& trace() const { return data_->trace; }

  /// Null when there is none.
  const std::shared_ptr<const ErrorCause>& cause() const { return data_->cause; }

  Error with_context(std::string_view outer) const;  ///< Prepends `outer` to the origin.
  Error with_id(std::string_view id) const;
  Error with_help(std::string_view help) const;
  Error with_trace(std::string_view trace) const;
  Error with_cause(std::shared_ptr<const ErrorCause> cause) const;

  /// "message (at origin)"; one line unless the message itself has more.
  std::string to_string() const;

 private:
  struct Data {
    ErrorCode code;
    std::string message, origin, id, help, trace;
    std::shared_ptr<const ErrorCause> cause;
  };
  explicit Error(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

  std::shared_ptr<const Data> data_;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

/// Shorthand for `return fail(ErrorCode::kNotFound, "...")` in a function that returns a Result.
inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error(code, std::move(message)));
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

/// Stops the process with file, line and `what`. For our own bugs only, never for outside data.
[[noreturn]] void check_failed(const char* file, int line, const char* what);

}  // namespace penstock::base

#define PENSTOCK_CONCAT_INNER(a, b) a##b
#define PENSTOCK_CONCAT(a, b) PENSTOCK_CONCAT_INNER(a, b)

/// Returns the error of `expr` (a Status or Result) from the enclosing function, if it has one.
#define PENSTOCK_RETURN_IF_ERROR(expr)                                          \
  do {                                                                          \
    if (auto penstock_status = (expr); !penstock_status.has_value()) {          \
      return std::unexpected<::penstock::base::Error>(penstock_status.error()); \
    }                                                                           \
  } while (false)

/// `PENSTOCK_ASSIGN_OR_RETURN(auto x, f())`: x = value of f(), or return its error. One per line.
#define PENSTOCK_ASSIGN_OR_RETURN(lhs, expr) \
  PENSTOCK_ASSIGN_OR_RETURN_IMPL(PENSTOCK_CONCAT(penstock_result_, __LINE__), lhs, expr)
#define PENSTOCK_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr)              \
  auto tmp = (expr);                                                \
  if (!tmp.has_value()) {                                           \
    return std::unexpected<::penstock::base::Error>((tmp).error()); \
  }                                                                 \
  lhs = std::move(*tmp)

/// Always on: guards memory and data against our own bugs. Outside input must never reach it.
#define PENSTOCK_CHECK(condition)                                     \
  do {                                                                \
    if (!(condition)) [[unlikely]] {                                  \
      ::penstock::base::check_failed(__FILE__, __LINE__, #condition); \
    }                                                                 \
  } while (false)

#ifdef NDEBUG
#define PENSTOCK_DCHECK(condition) \
  do {                             \
  } while (false)
#else
#define PENSTOCK_DCHECK(condition) PENSTOCK_CHECK(condition)
#endif
