// core::open_frame: what it accepts is the one frame of its parts, and its root is read within the
// memory that a message may take. Inputs that begin with '+' have their head put right first: the
// byte behind says how many buffers there are, the next ones how long each is.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "target.h"

#include "penstock/core/identity.h"
#include "penstock/core/message.h"
#include "penstock/core/tensor.h"

namespace penstock::fuzz {
namespace {

// As for the transport form (fuzz_transport.cc); the list of buffers takes less than their lines.
constexpr MemoryLimit kLimit{.fixed = 32'768, .per_byte = 128};

std::string framed(std::string_view root, std::span<const std::span<const std::byte>> buffers) {
  const std::size_t size = core::framed_bytes(root.size(), buffers);
  std::unique_ptr<std::byte, void (*)(void*)> memory(
      static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64)), std::free);
  core::write_frame(memory.get(), root, buffers);
  return {reinterpret_cast<const char*>(memory.get()), size};
}

std::string put_right(std::string_view input) {
  std::vector<std::span<const std::byte>> buffers;
  std::size_t count = input.empty() ? 0 : static_cast<std::uint8_t>(input.front()) % 4;
  input.remove_prefix(std::min<std::size_t>(input.size(), 1));
  for (; count > 0 && input.size() > 1; --count) {
    const std::size_t size =
        std::min<std::size_t>(static_cast<std::uint8_t>(input.front()), input.size() - 1);
    buffers.push_back(std::as_bytes(std::span(input.data() + 1, size)));
    input.remove_prefix(1 + size);
  }
  return framed(input, buffers);
}

base::Result<core::Value> read_within_limit(std::string_view message) {
  const MemoryWatch watch(message.size(), kLimit);
  const base::Result<core::FrameParts> parts = core::open_frame(message);
  if (!parts.has_value()) {
    return base::fail(parts.error());
  }
  std::vector<std::shared_ptr<const core::Buffer>> buffers;
  for (const std::span<const std::byte> buffer : parts->buffers) {
    buffers.push_back(
        core::Buffer::wrap(buffer.data(), static_cast<std::int64_t>(buffer.size()), [] {}));
  }
  return core::decode_transport(parts->root, buffers);
}

}  // namespace

Answer run_message(std::string_view input) {
  const std::string message =
      input.starts_with('+') ? put_right(input.substr(1)) : std::string(input);
  const base::Result<core::FrameParts> parts = core::open_frame(message);
  if (parts.has_value()) {
    if (!core::is_framed(message)) {
      broken("a frame that does not look like one");
    }
    if (framed(parts->root, parts->buffers) != message) {
      broken("another frame of the same parts");
    }
    if (core::decode(message).has_value()) {
      broken("a frame that is a canonical encoding, too");
    }
  }
  const base::Result<core::Value> value = read_within_limit(message);
  if (!value.has_value()) {
    if (value.error().message().empty()) {
      broken("a refusal without a reason");
    }
    return Answer::kRefused;
  }
  return Answer::kAccepted;
}

}  // namespace penstock::fuzz

PENSTOCK_FUZZ_TARGET(run_message)
