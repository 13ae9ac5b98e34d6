#include "penstock/exec/process_wire.h"

#include <memory>
#include <utility>

#include <fmt/core.h>

#include "penstock/core/identity.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;
using core::Kind;
using core::Value;

// Shorter buffers are cheaper to copy through the ring than to lend and give back.
constexpr std::int64_t kLendBytes = 32'768;
constexpr std::size_t kMaxHeaderBytes = 1U << 30;

/// Scalars and short texts go as they are; everything else in the transport codec.
enum class Tag : std::uint8_t { kAbsent, kNull, kFalse, kTrue, kInt, kFloat, kText, kMessage };

/// A cause that came from another process.
class SentCause final : public base::ErrorCause {
 public:
  SentCause(std::string_view bytes, std::string_view kinds) : bytes_(bytes), kinds_(kinds) {}
  std::string portable() const override { return bytes_; }
  std::string kinds() const override { return kinds_; }

 private:
  std::string bytes_, kinds_;
};

}  // namespace

void WireWriter::put_error(const base::Error& error) {
  put(error.code());
  put_text(error.message());
  put_text(error.origin());
  put_text(error.id());
  put_text(error.help());
  put_text(error.trace());
  put_text(error.cause() != nullptr ? error.cause()->portable() : std::string());
  put_text(error.cause() != nullptr ? error.cause()->kinds() : std::string());
}

base::Status WireWriter::put_value(const Value& value, BufferExchange& exchange) {
  switch (value.kind()) {
    case Kind::kAbsent:
      put(Tag::kAbsent);
      return {};
    case Kind::kNull:
      put(Tag::kNull);
      return {};
    case Kind::kBool:
      put(value.as_bool() ? Tag::kTrue : Tag::kFalse);
      return {};
    case Kind::kInt:
      put(Tag::kInt);
      put(value.as_int());
      return {};
    case Kind::kFloat:
      put(Tag::kFloat);
      put(value.as_float());
      return {};
    case Kind::kText:
      if (value.as_text().size() > kMaxHeaderBytes) {
        break;  // the codec's own limits decide
      }
      put(Tag::kText);
      put_text(value.as_text());
      return {};
    default:
      break;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const core::Message message, core::encode_transport(value, kLendBytes));
  if (message.header.size() > kMaxHeaderBytes) {
    return base::fail(ErrorCode::kResourceExhausted,
                      fmt::format("value is too large to send to another process: {} bytes beside "
                                  "its buffers, limit={}",
                                  message.header.size(), kMaxHeaderBytes));
  }
  put(Tag::kMessage);
  put_text(message.header);
  put(static_cast<std::uint32_t>(message.buffers.size()));
  for (std::size_t i = 0; i < message.buffers.size(); ++i) {
    PENSTOCK_ASSIGN_OR_RETURN(const BufferRef ref,
                              exchange.lend(message.owners[i], message.buffers[i]));
    put(ref);
  }
  return {};
}

base::Error WireReader::get_error() {
  const auto code = get<ErrorCode>();
  const std::string_view message = get_text();
  const std::string_view origin = get_text();
  const std::string_view id = get_text();
  const std::string_view help = get_text();
  const std::string_view trace = get_text();
  const std::string_view cause = get_text();
  const std::string_view kinds = get_text();
  base::Error error(code, std::string(message));
  if (!origin.empty()) {
    error = error.with_context(origin);
  }
  if (!id.empty()) {
    error = error.with_id(id);
  }
  if (!help.empty()) {
    error = error.with_help(help);
  }
  if (!trace.empty()) {
    error = error.with_trace(trace);
  }
  if (!cause.empty() || !kinds.empty()) {
    error = error.with_cause(std::make_shared<const SentCause>(cause, kinds));
  }
  return error;
}

base::Result<Value> WireReader::get_value(BufferExchange& exchange) {
  const Tag tag = get<Tag>();
  switch (tag) {
    case Tag::kAbsent:
      PENSTOCK_RETURN_IF_ERROR(status());
      return Value();
    case Tag::kNull:
      return Value::null();
    case Tag::kFalse:
    case Tag::kTrue:
      return Value::boolean(tag == Tag::kTrue);
    case Tag::kInt:
      return Value::integer(get<std::int64_t>());
    case Tag::kFloat:
      return Value::real(get<double>());
    case Tag::kText:
      return Value::text(std::string(get_text()));
    case Tag::kMessage:
      break;
    default:
      return base::fail(ErrorCode::kDataLoss,
                        fmt::format("a frame holds no value: tag={}", static_cast<int>(tag)));
  }
  const std::string_view header = get_text();
  const auto count = get<std::uint32_t>();
  if (count > num_left() / sizeof(BufferRef)) {
    return base::fail(ErrorCode::kDataLoss, fmt::format("a frame is cut short: buffers={}", count));
  }
  std::vector<std::shared_ptr<const core::Buffer>> buffers;
  buffers.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    PENSTOCK_ASSIGN_OR_RETURN(std::shared_ptr<const core::Buffer> buffer,
                              exchange.borrow(get<BufferRef>()));
    buffers.push_back(std::move(buffer));
  }
  PENSTOCK_RETURN_IF_ERROR(status());
  return core::decode_transport(header, buffers);
}

base::Status WireReader::status() const {
  if (!ok_) {
    return base::fail(ErrorCode::kDataLoss, "a frame between two processes is cut short");
  }
  return {};
}

std::string_view WireReader::take(std::size_t size) {
  if (size > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

}  // namespace penstock::exec
