// Canonical dictionaries: values in order of first use, each once, none unused, none null.
#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/table_canonical.h"

namespace penstock::core {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::int64_t kUnseen = -1, kNullValue = -2;

/// Index `slot` of integer values of `width` bytes; unsigned 64-bit indices beyond int64 come out
/// negative, which the caller rejects.
std::int64_t load_index(const void* data, std::int64_t slot, std::int64_t width, bool is_signed) {
  switch (width) {
    case 1:
      return is_signed ? load<std::int8_t>(data, slot) : load<std::uint8_t>(data, slot);
    case 2:
      return is_signed ? load<std::int16_t>(data, slot) : load<std::uint16_t>(data, slot);
    case 4:
      return is_signed ? load<std::int32_t>(data, slot) : load<std::uint32_t>(data, slot);
    default:
      return load<std::int64_t>(data, slot);
  }
}

/// Codes for values of one column, whatever dictionaries its pieces have.
class Codes {
 public:
  explicit Codes(TypeLayout values) : values_(values) {}

  /// The canonical code of entry `index` of `dictionary`, or kNullValue.
  std::int64_t find(const ArrowArray& dictionary, std::int64_t index) {
    if (&dictionary != current_) {
      current_ = &dictionary;
      remap_.assign(static_cast<std::size_t>(dictionary.length), kUnseen);
    }
    std::int64_t& code = remap_[static_cast<std::size_t>(index)];
    if (code == kUnseen) {
      code = add(dictionary, dictionary.offset + index);
    }
    return code;
  }

  const std::vector<std::string_view>& texts() const { return texts_; }

 private:
  std::int64_t add(const ArrowArray& dictionary, std::int64_t slot) {
    if (dictionary.null_count != 0 && dictionary.buffers[0] != nullptr &&
        !get_bit(dictionary.buffers[0], slot)) {
      return kNullValue;
    }
    const std::string_view bytes = slot_bytes(values_, dictionary, slot);
    const auto [it, added] = codes_.emplace(bytes, static_cast<std::int64_t>(texts_.size()));
    if (added) {
      texts_.push_back(bytes);
    }
    return it->second;
  }

  TypeLayout values_;
  const ArrowArray* current_ = nullptr;
  std::vector<std::int64_t> remap_;
  std::unordered_map<std::string_view, std::int64_t> codes_;
  std::vector<std::string_view> texts_;
};

template <class Offset>
std::shared_ptr<Buffer> pack_offsets(const std::vector<std::string_view>& texts) {
  auto offsets = Buffer::allocate(static_cast<std::int64_t>((texts.size() + 1) * sizeof(Offset)));
  auto* out = reinterpret_cast<Offset*>(offsets->mutable_data());
  out[0] = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    out[i + 1] = static_cast<Offset>(out[i] + static_cast<Offset>(texts[i].size()));
  }
  return offsets;
}

/// The validity of `slots` slots as a bitmap of its own.
std::shared_ptr<Buffer> copy_validity(const Validity& validity, std::int64_t slots) {
  auto bits = Buffer::allocate(bitmap_bytes(slots));
  std::memset(bits->mutable_data(), 0, static_cast<std::size_t>(bits->size_bytes()));
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    if (validity.is_valid(slot)) {
      bits->mutable_data()[slot >> 3] |= static_cast<std::byte>(1U << (slot & 7));
    }
  }
  return bits;
}

/// The buffers of a dictionary: no validity, offsets unless fixed-width, bytes.
base::Result<std::vector<std::shared_ptr<const Buffer>>> pack_values(
    const ArrowSchema& field, const TypeLayout& values,
    const std::vector<std::string_view>& texts) {
  std::int64_t size = 0;
  for (const std::string_view text : texts) {
    size += static_cast<std::int64_t>(text.size());
  }
  if (values.layout == Layout::kVariable32 && size > std::numeric_limits<std::int32_t>::max()) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("dictionary of column '{}' holds {} bytes, wanted at most 2147483647",
                            field.name, size));
  }
  auto data = Buffer::allocate(size);
  std::byte* out = data->mutable_data();
  for (const std::string_view text : texts) {
    if (!text.empty()) {
      std::memcpy(out, text.data(), text.size());
      out += text.size();
    }
  }
  std::vector<std::shared_ptr<const Buffer>> buffers{Buffer::allocate(0)};
  if (values.layout != Layout::kFixed) {
    buffers.push_back(values.layout == Layout::kVariable32 ? pack_offsets<std::int32_t>(texts)
                                                           : pack_offsets<std::int64_t>(texts));
  }
  buffers.push_back(std::move(data));
  return buffers;
}

}  // namespace

base::Status Canonicalizer::add_dictionary(const ArrowSchema& field, const TypeLayout& type,
                                           const std::vector<Piece>& pieces,
                                           const Validity& parent) {
  PENSTOCK_ASSIGN_OR_RETURN(const TypeLayout values, parse_format(field.dictionary->format));
  const bool is_signed = std::string_view("csil").contains(field.format[0]);
  Validity validity = merge_validity(pieces, parent);
  std::int64_t slots = 0;
  for (const Piece& piece : pieces) {
    slots += piece.length;
  }
  auto indices = zeroed(slots * type.width);
  std::shared_ptr<Buffer> narrowed;  // validity when dictionary entries are null themselves
  Codes codes(values);
  std::int64_t slot = 0;
  for (const Piece& piece : pieces) {
    for (std::int64_t i = 0; i < piece.length; ++i, ++slot) {
      if (!validity.is_valid(slot)) {
        continue;
      }
      const std::int64_t index =
          load_index(piece.array->buffers[1], piece.begin + i, type.width, is_signed);
      if (index < 0 || index >= piece.array->dictionary->length) {
        return fail(ErrorCode::kDataLoss,
                    fmt::format("index beyond the dictionary of column '{}': seen {}, wanted 0 to "
                                "{}",
                                field.name, index, piece.array->dictionary->length - 1));
      }
      const std::int64_t code = codes.find(*piece.array->dictionary, index);
      if (code != kNullValue) {
        // Little endian: the low bytes of the code are the code in a narrower width.
        std::memcpy(indices->mutable_data() + slot * type.width, &code,
                    static_cast<std::size_t>(type.width));
        continue;
      }
      if (narrowed == nullptr) {
        narrowed = copy_validity(validity, slots);
      }
      narrowed->mutable_data()[slot >> 3] &= ~static_cast<std::byte>(1U << (slot & 7));
    }
  }
  if (narrowed != nullptr) {
    validity.bits = std::move(narrowed);
  }
  add_validity(validity);
  buffers_.push_back(std::move(indices));

  PENSTOCK_ASSIGN_OR_RETURN(auto packed, pack_values(field, values, codes.texts()));
  buffers_.insert(buffers_.end(), packed.begin(), packed.end());
  return {};
}

}  // namespace penstock::core
