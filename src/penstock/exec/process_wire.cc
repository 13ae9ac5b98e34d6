#include "penstock/exec/process_wire.h"

#include <memory>
#include <utility>

#include <fmt/core.h>

#include "penstock/core/encode.h"
#include "penstock/core/host.h"
#include "penstock/core/identity.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;
using core::Kind;
using core::Value;

// Shorter buffers are cheaper to copy through the ring than to lend and give back.
constexpr std::int64_t kLendBytes = 32'768;
constexpr std::size_t kMaxHeaderBytes = 1U << 30;

/// Scalars, texts and short byte strings go as they are; everything else in the transport codec.
enum class Tag : std::uint8_t {
  kAbsent,
  kNull,
  kFalse,
  kTrue,
  kInt,
  kFloat,
  kText,
  kBytes,
  kMessage
};

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
    case Kind::kBytes:
      if (put_plain(value.kind(), value.is(Kind::kText) ? value.as_text() : value.as_bytes())) {
        return {};
      }
      break;
    case Kind::kHost:
      if (put_host(*value.as_host())) {
        return {};
      }
      break;
    default:
      break;
  }
  return put_message(value, exchange);
}

bool WireWriter::put_plain(Kind kind, std::string_view content) {
  const bool is_text = kind == Kind::kText;
  // Beyond the first limit the codec's own decide; beyond the second the bytes are lent.
  if (content.size() > (is_text ? kMaxHeaderBytes : std::size_t{kLendBytes})) {
    return false;
  }
  put(is_text ? Tag::kText : Tag::kBytes);
  put_text(content);
  return true;
}

bool WireWriter::put_host(const core::HostObject& object) {
  const core::HostBridge* const bridge = core::host_bridge();
  const auto view = bridge != nullptr ? bridge->view(object) : std::nullopt;
  return view && put_plain(view->kind, view->content);
}

base::Status WireWriter::put_message(const Value& value, BufferExchange& exchange) {
  put(Tag::kMessage);
  const std::size_t size_offset = out_.size();
  put(std::uint32_t{0});
  core::Encoder encoder(out_, core::Encoder::Mode::kTransport, kLendBytes);
  if (!encoder.write(value)) {
    return base::fail(encoder.error());
  }
  const std::size_t size_bytes = out_.size() - size_offset - sizeof(std::uint32_t);
  if (size_bytes > kMaxHeaderBytes) {
    return base::fail(ErrorCode::kResourceExhausted,
                      fmt::format("value is too large to send to another process: {} bytes beside "
                                  "its buffers, limit={}",
                                  size_bytes, kMaxHeaderBytes));
  }
  const auto header_bytes = static_cast<std::uint32_t>(size_bytes);
  std::memcpy(out_.at_offset(size_offset), &header_bytes, sizeof header_bytes);
  put(static_cast<std::uint32_t>(encoder.buffers().size()));
  for (std::size_t i = 0; i < encoder.buffers().size(); ++i) {
    PENSTOCK_ASSIGN_OR_RETURN(const BufferRef ref,
                              exchange.lend(encoder.owners()[i], encoder.buffers()[i]));
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
    case Tag::kBytes:
      return Value::bytes(std::string(get_text()));
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
