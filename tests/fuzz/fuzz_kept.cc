// flow::KeptResult: no bytes are taken whose digests are not right, and whatever is taken is read
// without a crash. Inputs that begin with '+' have the digest of their head put right first, or
// nothing behind it would ever be reached.
#include <cstring>
#include <string>

#include "target.h"

#include "penstock/core/identity.h"
#include "penstock/core/tensor.h"
#include "penstock/flow/kept_result.h"

namespace penstock::fuzz {
namespace {

constexpr std::size_t kPreamble = 8 + 32 + 8;

std::string_view head_of(std::string_view file) {
  std::uint64_t size = 0;
  std::memcpy(&size, file.data() + 40, sizeof size);
  return file.substr(kPreamble, size);
}

void put_right(std::string& file) {
  if (file.size() < kPreamble) {
    return;
  }
  const core::Digest sum = core::hash_bytes(head_of(file));
  std::memcpy(file.data() + 8, sum.bytes.data(), sum.bytes.size());
}

bool has_right_digest(std::string_view file) {
  const core::Digest sum = core::hash_bytes(head_of(file));
  return std::memcmp(file.data() + 8, sum.bytes.data(), sum.bytes.size()) == 0;
}

}  // namespace

Answer run_kept(std::string_view input) {
  const bool is_repaired = input.starts_with('+');
  std::string file(is_repaired ? input.substr(1) : input);
  if (is_repaired) {
    put_right(file);
  }
  const auto bytes = core::Buffer::wrap(file.data(), static_cast<std::int64_t>(file.size()), [] {});
  const auto kept = flow::KeptResult::from_bytes(bytes);
  if (!kept.has_value()) {
    if (kept.error().message().empty()) {
      broken("a refusal without a reason");
    }
    return Answer::kRefused;
  }
  if (!has_right_digest(file)) {
    broken("taken, though its head does not fit its digest");
  }
  for (std::size_t i = 0; i < (*kept)->num_outputs(); ++i) {
    const auto value = (*kept)->load(i);
    if (value.has_value() && !value->is_absent() && !core::encode_transport(*value).has_value()) {
      broken("loaded, but not to be encoded");
    }
  }
  return Answer::kAccepted;
}

}  // namespace penstock::fuzz

PENSTOCK_FUZZ_TARGET(run_kept)
