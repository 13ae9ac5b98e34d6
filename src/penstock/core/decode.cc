#include "penstock/core/decode.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace penstock::core {
namespace {

// A count is only a claim until its items are read: room beyond this grows as they come.
constexpr std::uint64_t kMaxReserve = 1024;

Value integer_of(bool negative, std::uint64_t argument) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (argument <= kMax) {
    const auto value = static_cast<std::int64_t>(argument);
    return Value::integer(negative ? -1 - value : value);
  }
  // The magnitude of a negative item is argument + 1, which may need a ninth byte.
  const std::uint64_t low = negative ? argument + 1 : argument;
  std::string magnitude(negative && low == 0 ? "\x01" : "");
  for (int shift = 56; shift >= 0; shift -= 8) {
    magnitude += static_cast<char>(low >> shift);
  }
  return Value::big_integer(negative, std::move(magnitude));
}

}  // namespace

bool Decoder::read(Value& out, int depth) {
  CborHead head;
  if (!in_.head(head)) {
    return false;
  }
  switch (head.major) {
    case CborMajor::kUnsigned:
    case CborMajor::kNegative:
      out = integer_of(head.major == CborMajor::kNegative, head.argument);
      return true;
    case CborMajor::kBytes:
      if (!transport_ && head.argument > kInlineBufferBytes) {
        return in_.fail("byte string longer than 65536 bytes, wanted links");
      }
      out = Value::bytes(std::string(in_.take(head.argument)));
      return true;
    case CborMajor::kText: {
      const std::string_view text = in_.take(head.argument);
      if (!is_valid_utf8(text)) {
        return in_.fail("text is not valid UTF-8");
      }
      out = Value::text(std::string(text));
      return true;
    }
    case CborMajor::kArray: {
      std::vector<Value> items;
      if (!read_items(head.argument, depth, items)) {
        return false;
      }
      out = Value::list(std::move(items));
      return true;
    }
    case CborMajor::kMap:
      return read_map(head.argument, depth, out);
    case CborMajor::kTag:
      return in_.fail("tag outside a reserved form: tag=" + std::to_string(head.argument));
    case CborMajor::kSimple:
      break;
  }
  switch (head.info) {
    case 20:
    case 21:
      out = Value::boolean(head.info == 21);
      return true;
    case 22:
      out = Value::null();
      return true;
    case 27: {
      const double value = std::bit_cast<double>(head.argument);
      if (!std::isfinite(value)) {
        return in_.fail("NaN or infinity as a plain float, wanted the reserved form");
      }
      out = Value::real(value);
      return true;
    }
    default:
      return in_.fail("simple value other than false, true and null");
  }
}

// What to reserve for `count` items of `item_bytes` at least. Bytes that an open container needs
// for itself cannot be claimed by one inside it, or every level of a nest could claim the whole
// input.
std::uint64_t Decoder::room_for(std::uint64_t count, std::uint64_t item_bytes) const {
  const std::uint64_t left = in_.remaining() > owed_ ? in_.remaining() - owed_ : 0;
  return std::min({count, kMaxReserve, left / item_bytes});
}

bool Decoder::read_items(std::uint64_t count, int depth, std::vector<Value>& items) {
  if (depth >= kMaxDepth) {
    return in_.fail("nested too deeply: limit=" + std::to_string(kMaxDepth));
  }
  items.reserve(room_for(count, 1));
  owed_ += count;
  for (std::uint64_t i = 0; i < count; ++i) {
    --owed_;
    if (!read(items.emplace_back(), depth + 1)) {
      return false;
    }
  }
  return true;
}

bool Decoder::read_key(std::uint64_t index, std::string_view previous, std::string_view& key) {
  CborHead head;
  if (!in_.head_of(CborMajor::kText, head, "wanted a text string")) {
    return false;
  }
  key = in_.take(head.argument);
  if (!transport_ && index > 0 && !key_less(previous, key)) {
    return in_.fail(key == previous ? "duplicate key in a map" : "map keys are not in order");
  }
  return is_valid_utf8(key) || in_.fail("text is not valid UTF-8");
}

bool Decoder::read_map(std::uint64_t count, int depth, Value& out) {
  if (depth >= kMaxDepth) {
    return in_.fail("nested too deeply: limit=" + std::to_string(kMaxDepth));
  }
  std::vector<MapEntry> entries;
  entries.reserve(room_for(count, 2));
  owed_ += 2 * count;
  std::string_view previous;
  for (std::uint64_t i = 0; i < count; ++i) {
    owed_ -= 2;
    std::string_view key;
    if (!read_key(i, previous, key)) {
      return false;
    }
    if (key == kReservedKey) [[unlikely]] {
      return count == 1 ? read_form(depth, out)
                        : in_.fail("map with the reserved key is not escaped");
    }
    entries.emplace_back(key, Value());
    if (!read(entries.back().second, depth + 1)) {
      return false;
    }
    previous = key;
  }
  if (transport_ && !check_unique(entries)) {
    return false;
  }
  out = Value::map(std::move(entries));
  return true;
}

bool Decoder::check_unique(const std::vector<MapEntry>& entries) {
  bool unique = true;
  if (entries.size() <= 8) {
    for (std::size_t i = 1; i < entries.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        unique = unique && entries[i].first != entries[k].first;
      }
    }
  } else {
    std::vector<std::string_view> keys;
    keys.reserve(entries.size());
    for (const MapEntry& entry : entries) {
      keys.push_back(entry.first);
    }
    std::sort(keys.begin(), keys.end());
    unique = std::adjacent_find(keys.begin(), keys.end()) == keys.end();
  }
  return unique || in_.fail("duplicate key in a map");
}

}  // namespace penstock::core
