// core::decode: what it accepts encodes to the same bytes, and nothing else is accepted.
#include <string>

#include "target.h"

#include "penstock/core/identity.h"

namespace penstock::fuzz {
namespace {

// One item takes a byte of input at least and at most: 16 bytes as a Value, three times that while
// a list grows, and the 48 bytes of an empty text's or container's own object.
constexpr MemoryLimit kLimit{.fixed = 32'768, .per_byte = 112};

base::Result<core::Value> decode_within_limit(std::string_view input) {
  const MemoryWatch watch(input.size(), kLimit);
  return core::decode(input);
}

}  // namespace

Answer run_decode(std::string_view input) {
  const base::Result<core::Value> value = decode_within_limit(input);
  if (!value.has_value()) {
    if (value.error().message().empty()) {
      broken("a refusal without a reason");
    }
    return Answer::kRefused;
  }
  const base::Result<std::string> again = core::encode(*value);
  if (!again.has_value()) {
    broken("decoded, but not to be encoded: " + again.error().message());
  }
  if (*again != input) {
    broken("decoded bytes that are not the canonical ones");
  }
  return Answer::kAccepted;
}

}  // namespace penstock::fuzz

PENSTOCK_FUZZ_TARGET(run_decode)
