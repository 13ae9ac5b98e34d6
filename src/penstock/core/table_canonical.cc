#include "penstock/core/table_canonical.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace penstock::core {
namespace {

using base::ErrorCode;
using base::fail;

std::int64_t total_length(const std::vector<Piece>& pieces) {
  std::int64_t total = 0;
  for (const Piece& piece : pieces) {
    total += piece.length;
  }
  return total;
}

/// Copies `count` bits to a zeroed destination; neither side need be byte aligned.
void copy_bits(const void* from, std::int64_t from_bit, std::byte* to, std::int64_t to_bit,
               std::int64_t count) {
  const auto* source = static_cast<const unsigned char*>(from);
  auto* target = reinterpret_cast<unsigned char*>(to);
  std::int64_t done = 0;
  if ((from_bit & 7) == 0 && (to_bit & 7) == 0) {
    done = count & ~std::int64_t{7};
    std::memcpy(target + to_bit / 8, source + from_bit / 8, static_cast<std::size_t>(done / 8));
  }
  for (; done < count; ++done) {
    if (get_bit(source, from_bit + done)) {
      target[(to_bit + done) >> 3] |= static_cast<unsigned char>(1U << ((to_bit + done) & 7));
    }
  }
}

std::int64_t count_bits(const std::byte* bits, std::int64_t size_bytes) {
  std::int64_t count = 0, i = 0;
  for (; i + 8 <= size_bytes; i += 8) {
    count += std::popcount(load<std::uint64_t>(bits + i, 0));
  }
  for (; i < size_bytes; ++i) {
    count += std::popcount(static_cast<unsigned char>(bits[i]));
  }
  return count;
}

bool has_validity(const Piece& piece) {
  return piece.array->n_buffers > 0 && piece.array->buffers[0] != nullptr &&
         piece.array->null_count != 0 && piece.length > 0;
}

bool is_zero(const void* data, std::int64_t size_bytes) {
  const auto* bytes = static_cast<const char*>(data);
  return std::all_of(bytes, bytes + size_bytes, [](char byte) { return byte == 0; });
}

/// Calls `visit(slot, piece, index)` for every slot of a column, in order.
template <class Visit>
void for_each_slot(const std::vector<Piece>& pieces, Visit visit) {
  std::int64_t slot = 0;
  for (const Piece& piece : pieces) {
    for (std::int64_t i = 0; i < piece.length; ++i, ++slot) {
      visit(slot, piece, piece.begin + i);
    }
  }
}

void set_bits(std::byte* bits, std::int64_t begin, std::int64_t count) {
  const std::int64_t end = begin + count;
  const auto set = [bits](std::int64_t i) {
    bits[i >> 3] |= static_cast<std::byte>(1U << (i & 7));
  };
  for (; begin < end && (begin & 7) != 0; ++begin) {
    set(begin);
  }
  const std::int64_t whole = (end - begin) / 8;
  if (whole > 0) {
    std::memset(bits + begin / 8, 0xff, static_cast<std::size_t>(whole));
  }
  for (begin += whole * 8; begin < end; ++begin) {
    set(begin);
  }
}

/// Elements of fixed-size lists that take no room of their own, masked by nulls of the lists.
constexpr std::int64_t kMaxBareSlots = std::int64_t{1} << 24;

/// True when each slot of a column needs at least a bit of some buffer.
bool takes_room(const ArrowSchema& field) {
  const auto type = parse_format(field.format);
  if (!type.has_value() || type->layout == Layout::kNull ||
      (type->layout == Layout::kFixed && type->width == 0)) {
    return false;
  }
  if (type->layout == Layout::kStruct || type->layout == Layout::kFixedList) {
    return (type->layout == Layout::kStruct || type->list_size > 0) &&
           std::any_of(field.children, field.children + field.n_children,
                       [](const ArrowSchema* child) { return takes_room(*child); });
  }
  return true;
}

/// Values of whole pieces, and their offsets moved to where the bytes now lie. `offsets[0]` is 0.
template <class Offset>
void copy_runs(const std::vector<Piece>& pieces, Offset* offsets, std::byte* data) {
  std::int64_t slot = 0, used = 0;
  for (const Piece& piece : pieces) {
    if (piece.length == 0) {
      continue;
    }
    const void* source = piece.array->buffers[1];
    const std::int64_t first = load<Offset>(source, piece.begin);
    for (std::int64_t i = 1; i <= piece.length; ++i) {
      offsets[++slot] =
          static_cast<Offset>(std::int64_t{load<Offset>(source, piece.begin + i)} - first + used);
    }
    const std::int64_t length = std::int64_t{offsets[slot]} - used;
    if (length > 0) {
      std::memcpy(data + used, static_cast<const std::byte*>(piece.array->buffers[2]) + first,
                  static_cast<std::size_t>(length));
    }
    used += length;
  }
}

/// As copy_runs(), value by value: those below a null are left out.
template <class Offset>
void copy_values(const std::vector<Piece>& pieces, const Validity& validity, Offset* offsets,
                 std::byte* data) {
  std::int64_t used = 0;
  for_each_slot(pieces, [&](std::int64_t slot, const Piece& piece, std::int64_t i) {
    const std::int64_t begin = load<Offset>(piece.array->buffers[1], i);
    const std::int64_t length = std::int64_t{load<Offset>(piece.array->buffers[1], i + 1)} - begin;
    if (length > 0 && validity.is_valid(slot)) {
      std::memcpy(data + used, static_cast<const std::byte*>(piece.array->buffers[2]) + begin,
                  static_cast<std::size_t>(length));
      used += length;
    }
    offsets[slot + 1] = static_cast<Offset>(used);
  });
}

base::Status bad_offsets() {
  return fail(ErrorCode::kDataLoss, "offsets of an Arrow array run backwards or below zero");
}

base::Status too_long(std::int64_t size) {
  return fail(ErrorCode::kResourceExhausted,
              fmt::format("one column of a table with 32-bit offsets holds {} elements, wanted at "
                          "most 2147483647; use the large form of its type",
                          size));
}

}  // namespace

std::string_view slot_bytes(const TypeLayout& type, const ArrowArray& array, std::int64_t slot) {
  const auto piece = [&array](auto begin, auto end) {
    return std::string_view(static_cast<const char*>(array.buffers[2]) + begin,
                            static_cast<std::size_t>(end - begin));
  };
  const void* data = array.buffers[1];
  switch (type.layout) {
    case Layout::kVariable32:
      return piece(load<std::int32_t>(data, slot), load<std::int32_t>(data, slot + 1));
    case Layout::kVariable64:
      return piece(load<std::int64_t>(data, slot), load<std::int64_t>(data, slot + 1));
    case Layout::kView: {
      // 16 bytes: length, then the bytes themselves (<= 12), or prefix, buffer index and offset.
      const char* view = static_cast<const char*>(data) + slot * 16;
      const auto length = load<std::int32_t>(view, 0);
      if (length <= 12) {
        return {view + 4, static_cast<std::size_t>(std::max(length, 0))};
      }
      const auto* bytes = static_cast<const char*>(array.buffers[2 + load<std::int32_t>(view, 2)]);
      return {bytes + load<std::int32_t>(view, 3), static_cast<std::size_t>(length)};
    }
    default:
      return {static_cast<const char*>(data) + slot * type.width,
              static_cast<std::size_t>(type.width)};
  }
}

std::shared_ptr<Buffer> Canonicalizer::zeroed(std::int64_t size_bytes) {
  auto buffer = Buffer::allocate(size_bytes);
  if (size_bytes > 0) {
    std::memset(buffer->mutable_data(), 0, static_cast<std::size_t>(size_bytes));
  }
  return buffer;
}

std::shared_ptr<const Buffer> Canonicalizer::refer(const void* data,
                                                   std::int64_t size_bytes) const {
  if (size_bytes == 0 || data == nullptr) {
    return Buffer::allocate(0);
  }
  return Buffer::wrap(data, size_bytes, [owner = owner_]() mutable { owner.reset(); });
}

void Canonicalizer::add_validity(const Validity& validity) {
  buffers_.push_back(validity.bits != nullptr ? validity.bits : Buffer::allocate(0));
}

Validity Canonicalizer::merge_validity(const std::vector<Piece>& pieces,
                                       const Validity& parent) const {
  if (parent.bits == nullptr && std::none_of(pieces.begin(), pieces.end(), has_validity)) {
    return {};
  }
  const std::int64_t slots = total_length(pieces);
  const std::int64_t size = bitmap_bytes(slots);
  Validity merged;
  if (pieces.size() == 1 && parent.bits == nullptr && pieces[0].begin % 8 == 0 &&
      (slots % 8 == 0 ||
       load<std::uint8_t>(pieces[0].array->buffers[0], pieces[0].begin / 8 + size - 1) >>
               (slots % 8) ==
           0)) {
    merged.bits = refer(
        static_cast<const std::byte*>(pieces[0].array->buffers[0]) + pieces[0].begin / 8, size);
  } else {
    auto bits = zeroed(size);
    std::int64_t slot = 0;
    const std::vector<unsigned char> ones(64, 0xff);
    for (const Piece& piece : pieces) {
      if (has_validity(piece)) {
        copy_bits(piece.array->buffers[0], piece.begin, bits->mutable_data(), slot, piece.length);
      } else {
        for (std::int64_t done = 0; done < piece.length; done += 512) {
          copy_bits(ones.data(), 0, bits->mutable_data(), slot + done,
                    std::min<std::int64_t>(512, piece.length - done));
        }
      }
      slot += piece.length;
    }
    for (std::int64_t i = 0; parent.bits != nullptr && i < size; ++i) {
      bits->mutable_data()[i] &= parent.bits->data()[i];
    }
    merged.bits = std::move(bits);
  }
  merged.null_count = slots - count_bits(merged.bits->data(), size);
  if (merged.null_count == 0) {
    merged.bits = nullptr;
  }
  return merged;
}

base::Status Canonicalizer::add_column(const ArrowSchema& field, const std::vector<Piece>& pieces,
                                       const Validity& parent) {
  PENSTOCK_ASSIGN_OR_RETURN(const TypeLayout type, parse_format(field.format));
  if (type.layout == Layout::kNull) {
    return {};
  }
  if (field.dictionary != nullptr) {
    return add_dictionary(field, type, pieces, parent);
  }
  const Validity validity = merge_validity(pieces, parent);
  add_validity(validity);
  return add_plain(field, type, pieces, validity);
}

base::Status Canonicalizer::add_plain(const ArrowSchema& field, const TypeLayout& type,
                                      const std::vector<Piece>& pieces, const Validity& validity) {
  switch (type.layout) {
    case Layout::kNull:
      return {};
    case Layout::kBits:
      return add_bits(pieces, validity);
    case Layout::kFixed:
      return add_fixed(type.width, pieces, validity);
    case Layout::kVariable32:
      return add_variable<std::int32_t>(pieces, validity);
    case Layout::kVariable64:
      return add_variable<std::int64_t>(pieces, validity);
    case Layout::kView:
      return add_views(pieces, validity);
    case Layout::kList32:
      return add_list<std::int32_t>(field, pieces, validity);
    case Layout::kList64:
      return add_list<std::int64_t>(field, pieces, validity);
    case Layout::kFixedList:
      return add_fixed_list(field, type.list_size, pieces, validity);
    case Layout::kStruct:
      return add_struct(field, pieces, validity);
  }
  return {};
}

base::Status Canonicalizer::add_bits(const std::vector<Piece>& pieces, const Validity& validity) {
  const std::int64_t size = bitmap_bytes(total_length(pieces));
  auto bits = zeroed(size);
  std::int64_t slot = 0;
  for (const Piece& piece : pieces) {
    copy_bits(piece.array->buffers[1], piece.begin, bits->mutable_data(), slot, piece.length);
    slot += piece.length;
  }
  for (std::int64_t i = 0; validity.bits != nullptr && i < size; ++i) {
    bits->mutable_data()[i] &= validity.bits->data()[i];
  }
  buffers_.push_back(std::move(bits));
  return {};
}

base::Status Canonicalizer::add_fixed(std::int64_t width, const std::vector<Piece>& pieces,
                                      const Validity& validity) {
  const std::int64_t slots = total_length(pieces);
  const auto slot_data = [width](const Piece& piece, std::int64_t index) {
    return static_cast<const std::byte*>(piece.array->buffers[1]) + index * width;
  };
  bool clean = pieces.size() == 1;
  for (std::int64_t i = 0; clean && validity.bits != nullptr && i < slots; ++i) {
    clean = validity.is_valid(i) || is_zero(slot_data(pieces[0], pieces[0].begin + i), width);
  }
  if (clean) {
    buffers_.push_back(refer(slot_data(pieces[0], pieces[0].begin), slots * width));
    return {};
  }
  auto data = Buffer::allocate(slots * width);
  std::byte* out = data->mutable_data();
  for (const Piece& piece : pieces) {
    if (piece.length > 0 && width > 0) {
      std::memcpy(out, slot_data(piece, piece.begin),
                  static_cast<std::size_t>(piece.length * width));
      out += piece.length * width;
    }
  }
  for (std::int64_t i = 0; validity.bits != nullptr && width > 0 && i < slots; ++i) {
    if (!validity.is_valid(i)) {
      std::memset(data->mutable_data() + i * width, 0, static_cast<std::size_t>(width));
    }
  }
  buffers_.push_back(std::move(data));
  return {};
}

template <class Offset>
base::Status Canonicalizer::add_variable(const std::vector<Piece>& pieces,
                                         const Validity& validity) {
  const std::int64_t slots = total_length(pieces);
  std::int64_t size = 0;
  bool ordered = true, clean = pieces.size() == 1;
  for_each_slot(pieces, [&](std::int64_t slot, const Piece& piece, std::int64_t i) {
    const Offset begin = load<Offset>(piece.array->buffers[1], i);
    const Offset end = load<Offset>(piece.array->buffers[1], i + 1);
    ordered = ordered && begin >= 0 && begin <= end;
    const bool valid = validity.is_valid(slot);
    clean = clean && (valid || begin == end);
    size += valid ? std::int64_t{end} - std::int64_t{begin} : 0;
  });
  if (!ordered) {
    return bad_offsets();
  }
  if (size > std::numeric_limits<Offset>::max()) {
    return too_long(size);
  }
  const std::int64_t offsets_size = (slots + 1) * std::int64_t{sizeof(Offset)};
  if (clean && slots > 0 && load<Offset>(pieces[0].array->buffers[1], pieces[0].begin) == 0) {
    buffers_.push_back(refer(
        static_cast<const Offset*>(pieces[0].array->buffers[1]) + pieces[0].begin, offsets_size));
    buffers_.push_back(refer(pieces[0].array->buffers[2], size));
    return {};
  }
  auto offsets = zeroed(offsets_size);
  auto data = Buffer::allocate(size);
  auto* out_offsets = reinterpret_cast<Offset*>(offsets->mutable_data());
  if (validity.bits == nullptr) {
    copy_runs(pieces, out_offsets, data->mutable_data());
  } else {
    copy_values(pieces, validity, out_offsets, data->mutable_data());
  }
  buffers_.push_back(std::move(offsets));
  buffers_.push_back(std::move(data));
  return {};
}

base::Status Canonicalizer::add_views(const std::vector<Piece>& pieces, const Validity& validity) {
  const TypeLayout view{.layout = Layout::kView};
  std::int64_t size = 0;
  bool ordered = true;
  for_each_slot(pieces, [&](std::int64_t slot, const Piece& piece, std::int64_t i) {
    if (validity.is_valid(slot)) {
      const auto length =
          load<std::int32_t>(static_cast<const char*>(piece.array->buffers[1]) + i * 16, 0);
      ordered = ordered && length >= 0;
      size += length;
    }
  });
  if (!ordered) {
    return bad_offsets();
  }
  auto offsets = zeroed((total_length(pieces) + 1) * std::int64_t{sizeof(std::int64_t)});
  auto data = Buffer::allocate(size);
  auto* out_offsets = reinterpret_cast<std::int64_t*>(offsets->mutable_data());
  std::int64_t used = 0;
  for_each_slot(pieces, [&](std::int64_t slot, const Piece& piece, std::int64_t i) {
    if (validity.is_valid(slot)) {
      const std::string_view bytes = slot_bytes(view, *piece.array, i);
      if (!bytes.empty()) {
        std::memcpy(data->mutable_data() + used, bytes.data(), bytes.size());
      }
      used += static_cast<std::int64_t>(bytes.size());
    }
    out_offsets[slot + 1] = used;
  });
  buffers_.push_back(std::move(offsets));
  buffers_.push_back(std::move(data));
  return {};
}

template <class Offset>
base::Status Canonicalizer::add_list(const ArrowSchema& field, const std::vector<Piece>& pieces,
                                     const Validity& validity) {
  auto offsets = zeroed((total_length(pieces) + 1) * std::int64_t{sizeof(Offset)});
  auto* out_offsets = reinterpret_cast<Offset*>(offsets->mutable_data());
  std::vector<Piece> children;
  std::int64_t used = 0;
  bool ordered = true;
  for_each_slot(pieces, [&](std::int64_t slot, const Piece& piece, std::int64_t i) {
    const std::int64_t begin = load<Offset>(piece.array->buffers[1], i);
    const std::int64_t end = load<Offset>(piece.array->buffers[1], i + 1);
    const ArrowArray* child = piece.array->children[0];
    ordered = ordered && begin >= 0 && begin <= end && end <= child->length;
    if (ordered && end > begin && validity.is_valid(slot)) {
      // Neighbouring lists are one piece, so that whole columns stay whole.
      if (!children.empty() && children.back().array == child &&
          children.back().begin + children.back().length == child->offset + begin) {
        children.back().length += end - begin;
      } else {
        children.push_back({child, child->offset + begin, end - begin});
      }
      used += end - begin;
    }
    out_offsets[slot + 1] = static_cast<Offset>(used);
  });
  if (!ordered) {
    return bad_offsets();
  }
  if (used > std::numeric_limits<Offset>::max()) {
    return too_long(used);
  }
  buffers_.push_back(std::move(offsets));
  return add_column(*field.children[0], children, {});
}

base::Status Canonicalizer::add_fixed_list(const ArrowSchema& field, std::int64_t list_size,
                                           const std::vector<Piece>& pieces,
                                           const Validity& validity) {
  std::vector<Piece> children;
  for (const Piece& piece : pieces) {
    const ArrowArray* child = piece.array->children[0];
    children.push_back({child, child->offset + piece.begin * list_size, piece.length * list_size});
  }
  Validity below;
  if (validity.bits != nullptr) {
    const std::int64_t slots = total_length(pieces);
    std::int64_t total = 0;
    // A hundred bytes may claim any number of slots when the elements take no room.
    if (__builtin_mul_overflow(slots, list_size, &total) ||
        (total > kMaxBareSlots && !takes_room(*field.children[0]))) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("fixed-size lists of elements without content: seen {} lists of {}, "
                              "wanted at most {} elements in all",
                              slots, list_size, kMaxBareSlots));
    }
    auto bits = zeroed(bitmap_bytes(total));
    for (std::int64_t i = 0; i < slots; ++i) {
      if (validity.is_valid(i)) {
        set_bits(bits->mutable_data(), i * list_size, list_size);
      }
    }
    below.bits = std::move(bits);
  }
  return add_column(*field.children[0], children, below);
}

base::Status Canonicalizer::add_struct(const ArrowSchema& field, const std::vector<Piece>& pieces,
                                       const Validity& validity) {
  for (std::int64_t c = 0; c < field.n_children; ++c) {
    std::vector<Piece> children;
    children.reserve(pieces.size());
    for (const Piece& piece : pieces) {
      const ArrowArray* child = piece.array->children[c];
      children.push_back({child, child->offset + piece.begin, piece.length});
    }
    PENSTOCK_RETURN_IF_ERROR(add_column(*field.children[c], children, validity));
  }
  return {};
}

}  // namespace penstock::core
