// See kept_result.h.
#include "penstock/flow/kept_result.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/out_of_memory.h"

namespace penstock::flow {
namespace {

using base::ErrorCode;
using core::Kind;
using core::Value;

// Magic and version; then the digest of the head, its length, and the head.
constexpr std::string_view kMagic("PSKEPT\0\1", 8);
constexpr std::int64_t kPreamble = 8 + 32 + 8;
constexpr std::int64_t kAlignment = 64;

std::int64_t aligned(std::int64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

base::Error file_error(std::string_view what, const std::string& path) {
  const int number = errno;
  const bool is_full = number == ENOSPC || number == EDQUOT;
  return {number == ENOENT ? ErrorCode::kNotFound
          : is_full        ? ErrorCode::kResourceExhausted
                           : ErrorCode::kUnavailable,
          fmt::format("cannot {} '{}': {}", what, path, std::strerror(number))};
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

Value digest_value(const core::Digest& digest) {
  return Value::bytes(
      std::string(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()));
}

bool read_digest(const Value* value, core::Digest& out) {
  if (value == nullptr || !value->is(Kind::kBytes) ||
      value->as_bytes().size() != out.bytes.size()) {
    return false;
  }
  std::memcpy(out.bytes.data(), value->as_bytes().data(), out.bytes.size());
  return true;
}

std::string text_at(const Value& map, std::string_view key) {
  const Value* const value = map.find(key);
  return value != nullptr && value->is(Kind::kText) ? value->as_text() : std::string();
}

std::int64_t int_at(const Value& map, std::string_view key) {
  const Value* const value = map.find(key);
  return value != nullptr && value->is(Kind::kInt) ? value->as_int() : -1;
}

std::span<const Value> list_at(const Value& map, std::string_view key) {
  const Value* const value = map.find(key);
  return value != nullptr && value->is(Kind::kList) ? std::span(value->as_list())
                                                    : std::span<const Value>();
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

base::Error damaged(std::string_view what) {
  return {ErrorCode::kDataLoss, fmt::format("kept result: {}", what)};
}

base::Status write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return base::fail(file_error("write", path));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

base::Result<KeptResultBytes> KeptResultBytes::encode(const KeptFacts& facts,
                                                      std::span<const Value> outputs) try {
  KeptResultBytes out;
  std::vector<Value> shown;
  std::int64_t offset = 0;
  for (const Value& output : outputs) {
    out.digests_.emplace_back();
    core::Message& message = out.messages_.emplace_back();
    if (output.is_absent()) {
      shown.push_back(Value::map({}));
      continue;
    }
    PENSTOCK_ASSIGN_OR_RETURN(out.digests_.back(), core::digest(output));
    PENSTOCK_ASSIGN_OR_RETURN(message, core::encode_transport(output));
    std::vector<Value> buffers;
    for (const std::span<const std::byte> buffer : message.buffers) {
      offset = aligned(offset);
      const auto size = static_cast<std::int64_t>(buffer.size());
      buffers.push_back(Value::list(
          {Value::integer(offset), Value::integer(size), digest_value(core::hash_bytes(buffer))}));
      offset += size;
    }
    shown.push_back(Value::map({{"digest", digest_value(out.digests_.back())},
                                {"header", Value::bytes(message.header)},
                                {"buffers", Value::list(std::move(buffers))}}));
  }
  std::vector<Value> parts;
  parts.reserve(facts.parts.size());
  for (const core::Part& part : facts.parts) {
    parts.push_back(Value::list({Value::text(part.name), Value::text(part.value)}));
  }
  const Value head = Value::map({{"node", Value::text(facts.node)},
                                 {"type", Value::text(facts.type)},
                                 {"made_us", Value::integer(facts.made_us)},
                                 {"took_ns", Value::integer(facts.took_ns)},
                                 {"parts", Value::list(std::move(parts))},
                                 {"outputs", Value::list(std::move(shown))}});
  // A head beyond 64 KiB is split into the blocks of its long texts: they stay in the message.
  PENSTOCK_ASSIGN_OR_RETURN(const core::Message encoded,
                            core::encode_transport(head, std::int64_t{1} << 62));
  const core::Digest sum = core::hash_bytes(encoded.header);
  out.head_.assign(kMagic);
  out.head_.append(reinterpret_cast<const char*>(sum.bytes.data()), sum.bytes.size());
  const auto size = static_cast<std::uint64_t>(encoded.header.size());
  out.head_.append(reinterpret_cast<const char*>(&size), sizeof size);
  out.head_.append(encoded.header);
  out.head_.resize(static_cast<std::size_t>(aligned(std::ssize(out.head_))));
  out.size_bytes_ = std::ssize(out.head_) + offset;
  return out;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Status KeptResultBytes::write(const std::string& path) const try {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (file.number() < 0) {
    return base::fail(file_error("create", path));
  }
  static constexpr char kZeros[kAlignment] = {};
  PENSTOCK_RETURN_IF_ERROR(write_all(file.number(), head_, path));
  std::int64_t offset = 0;
  for (const core::Message& message : messages_) {
    for (const std::span<const std::byte> buffer : message.buffers) {
      const auto gap = static_cast<std::size_t>(aligned(offset) - offset);
      PENSTOCK_RETURN_IF_ERROR(write_all(file.number(), {kZeros, gap}, path));
      PENSTOCK_RETURN_IF_ERROR(write_all(file.number(), as_text(buffer), path));
      offset = aligned(offset) + static_cast<std::int64_t>(buffer.size());
    }
  }
  return {};
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::shared_ptr<const KeptResult>> KeptResult::open(const std::string& path) try {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts{};
  if (file.number() < 0 || ::fstat(file.number(), &facts) != 0) {
    return base::fail(file_error("open", path));
  }
  const std::int64_t size = facts.st_size;
  if (size == 0) {  // which cannot be mapped
    return base::fail(damaged("cut short"));
  }
  const auto length = static_cast<std::size_t>(size);
  void* const at = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (at == MAP_FAILED) {
    return base::fail(file_error("map", path));
  }
  return from_bytes(core::Buffer::wrap(at, size, [at, length] { ::munmap(at, length); }));
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::shared_ptr<const KeptResult>> KeptResult::from_bytes(
    std::shared_ptr<const core::Buffer> file) try {
  const std::string_view bytes =
      as_text({file->data(), static_cast<std::size_t>(file->size_bytes())});
  if (std::ssize(bytes) < kPreamble) {
    return base::fail(damaged("cut short"));
  }
  if (!bytes.starts_with(kMagic)) {
    return base::fail(damaged("no kept result, or one of another version"));
  }
  std::uint64_t head_size = 0;
  std::memcpy(&head_size, bytes.data() + 40, sizeof head_size);
  if (head_size > bytes.size() - static_cast<std::size_t>(kPreamble)) {
    return base::fail(damaged("cut short"));
  }
  const std::string_view head = bytes.substr(static_cast<std::size_t>(kPreamble), head_size);
  const core::Digest sum = core::hash_bytes(head);
  if (std::memcmp(sum.bytes.data(), bytes.data() + 8, sum.bytes.size()) != 0) {
    return base::fail(damaged("its head does not fit its digest"));
  }
  std::shared_ptr<KeptResult> out(new KeptResult());
  out->file_ = std::move(file);
  out->first_buffer_ = aligned(kPreamble + static_cast<std::int64_t>(head_size));
  PENSTOCK_ASSIGN_OR_RETURN(const Value value, core::decode_transport(head, {}));
  PENSTOCK_RETURN_IF_ERROR(out->read_head(value));
  return out;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Status KeptResult::read_head(const Value& head) {
  if (!head.is(Kind::kMap) || head.find("parts") == nullptr || head.find("outputs") == nullptr) {
    return base::fail(damaged("its head has another form"));
  }
  facts_.node = text_at(head, "node");
  facts_.type = text_at(head, "type");
  facts_.made_us = int_at(head, "made_us");
  facts_.took_ns = int_at(head, "took_ns");
  for (const Value& part : list_at(head, "parts")) {
    const bool is_pair = part.is(Kind::kList) && part.as_list().size() == 2 &&
                         part.as_list()[0].is(Kind::kText) && part.as_list()[1].is(Kind::kText);
    if (!is_pair) {
      return base::fail(damaged("its head has another form"));
    }
    facts_.parts.push_back({part.as_list()[0].as_text(), part.as_list()[1].as_text()});
  }
  const std::int64_t room = file_->size_bytes() - first_buffer_;
  for (const Value& shown : list_at(head, "outputs")) {
    Output& output = outputs_.emplace_back();
    if (!shown.is(Kind::kMap)) {
      return base::fail(damaged("its head has another form"));
    }
    if (shown.as_map().empty()) {
      continue;  // absent
    }
    const Value* const header = shown.find("header");
    if (!read_digest(shown.find("digest"), output.digest) || header == nullptr ||
        !header->is(Kind::kBytes)) {
      return base::fail(damaged("its head has another form"));
    }
    output.header = header->as_bytes();
    for (const Value& item : list_at(shown, "buffers")) {
      Part& part = output.buffers.emplace_back();
      const bool is_part = item.is(Kind::kList) && item.as_list().size() == 3 &&
                           item.as_list()[0].is(Kind::kInt) && item.as_list()[1].is(Kind::kInt) &&
                           read_digest(&item.as_list()[2], part.digest);
      if (!is_part) {
        return base::fail(damaged("its head has another form"));
      }
      part.offset = item.as_list()[0].as_int();
      part.size = item.as_list()[1].as_int();
      if (part.offset < 0 || part.size < 0 || part.offset > room ||
          part.size > room - part.offset) {
        return base::fail(damaged("cut short"));
      }
    }
  }
  return {};
}

base::Result<Value> KeptResult::load(std::size_t output) const try {
  const Output& from = outputs_[output];
  if (from.header.empty()) {
    return Value();
  }
  std::vector<std::shared_ptr<const core::Buffer>> buffers;
  for (const Part& part : from.buffers) {
    const std::byte* const at = file_->data() + first_buffer_ + part.offset;
    if (core::hash_bytes({at, static_cast<std::size_t>(part.size)}) != part.digest) {
      return base::fail(damaged("a buffer does not fit its digest"));
    }
    buffers.push_back(core::Buffer::wrap(at, part.size, [file = file_] {}));
  }
  return core::decode_transport(from.header, buffers);
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

std::int64_t KeptResult::size_bytes() const {
  return file_->size_bytes();
}

}  // namespace penstock::flow
