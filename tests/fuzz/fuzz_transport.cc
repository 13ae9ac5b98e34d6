// core::decode_transport with up to three buffers: what it accepts goes out and comes back equal.
#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "target.h"

#include "penstock/core/identity.h"
#include "penstock/core/tensor.h"

namespace penstock::fuzz {
namespace {

using Buffers = std::vector<std::shared_ptr<const core::Buffer>>;

// As for canonical bytes (fuzz_decode.cc); the sorted keys of a map come on top.
constexpr MemoryLimit kLimit{.fixed = 32'768, .per_byte = 128};

// One byte says how many buffers there are, one the length of each; the rest is the header.
Buffers cut_buffers(std::string_view& input) {
  Buffers buffers;
  std::size_t count = input.empty() ? 0 : static_cast<std::uint8_t>(input.front()) % 4;
  input.remove_prefix(std::min<std::size_t>(input.size(), 1));
  for (; count > 0 && !input.empty(); --count) {
    const std::size_t size =
        std::min<std::size_t>(static_cast<std::uint8_t>(input.front()), input.size() - 1);
    buffers.push_back(core::Buffer::wrap(input.data() + 1, static_cast<std::int64_t>(size), [] {}));
    input.remove_prefix(1 + size);
  }
  return buffers;
}

base::Result<core::Value> decode_within_limit(std::string_view header, const Buffers& buffers,
                                              std::size_t input_bytes) {
  const MemoryWatch watch(input_bytes, kLimit);
  return core::decode_transport(header, buffers);
}

}  // namespace

Answer run_transport(std::string_view input) {
  const std::size_t input_bytes = input.size();
  const Buffers buffers = cut_buffers(input);
  const base::Result<core::Value> value = decode_within_limit(input, buffers, input_bytes);
  if (!value.has_value()) {
    if (value.error().message().empty()) {
      broken("a refusal without a reason");
    }
    return Answer::kRefused;
  }
  const base::Result<core::Message> message = core::encode_transport(*value, 16);
  if (!message.has_value()) {
    broken("decoded, but not to be encoded: " + message.error().message());
  }
  const base::Result<core::Value> again = core::decode_transport(message->header, message->owners);
  if (!again.has_value()) {
    broken("encoded, but not to be decoded: " + again.error().message());
  }
  // Tables have no equality of their own, digests have; a table that arrived may refuse to have one
  // only where the value does.
  const base::Result<core::Digest> before = core::digest(*value, 1);
  const base::Result<core::Digest> after = core::digest(*again, 1);
  if (before.has_value() != after.has_value() || (before.has_value() && *before != *after)) {
    broken("encoded and decoded, but another value");
  }
  return Answer::kAccepted;
}

}  // namespace penstock::fuzz

PENSTOCK_FUZZ_TARGET(run_transport)
