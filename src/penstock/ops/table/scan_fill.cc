// How slots of an Arrow array become entries of a DuckDB vector.
#include <cstring>
#include <limits>

#include "penstock/core/table_canonical.h"
#include "penstock/core/table_layout.h"
#include "penstock/ops/table/scan_column.h"

namespace penstock::ops::table {
namespace {

using core::get_bit;
using core::load;

constexpr std::uint32_t kNullEntry = 0xffffffff;

/// Clears the validity of entries whose slots are null.
void fill_validity(duckdb_vector vector, std::int64_t out, const ArrowArray& array,
                   std::int64_t begin, std::int64_t count) {
  if (array.n_buffers == 0 || array.null_count == 0 || array.buffers[0] == nullptr) {
    return;
  }
  duckdb_vector_ensure_validity_writable(vector);
  std::uint64_t* valid = duckdb_vector_get_validity(vector);
  for (std::int64_t i = 0; i < count; ++i) {
    if (!get_bit(array.buffers[0], begin + i)) {
      duckdb_validity_set_row_invalid(valid, static_cast<idx_t>(out + i));
    }
  }
}

void set_null(duckdb_vector vector, std::int64_t out) {
  duckdb_vector_ensure_validity_writable(vector);
  duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), static_cast<idx_t>(out));
}

/// Short text lives in the entry, long text stays where it is.
void put_string(duckdb_string_t* entry, const char* bytes, std::size_t size) {
  std::memset(entry, 0, sizeof(*entry));
  entry->value.inlined.length = static_cast<std::uint32_t>(size);
  if (size <= sizeof(entry->value.inlined.inlined)) {
    if (size > 0) {
      std::memcpy(entry->value.inlined.inlined, bytes, size);
    }
  } else {
    std::memcpy(entry->value.pointer.prefix, bytes, sizeof(entry->value.pointer.prefix));
    entry->value.pointer.ptr = const_cast<char*>(bytes);
  }
}

template <class Offset>
void fill_text(duckdb_string_t* entries, const ArrowArray& array, std::int64_t begin,
               std::int64_t count) {
  const auto* bytes = static_cast<const char*>(array.buffers[2]);
  Offset start = load<Offset>(array.buffers[1], begin);
  for (std::int64_t i = 0; i < count; ++i) {
    const Offset end = load<Offset>(array.buffers[1], begin + i + 1);
    put_string(entries + i, bytes + start, static_cast<std::size_t>(end - start));
    start = end;
  }
}

/// IEEE binary16 to binary32.
float widen_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  std::uint32_t exponent = (half >> 10) & 0x1fU;
  std::uint32_t mantissa = half & 0x3ffU;
  std::uint32_t bits = sign;
  if (exponent == 0x1f) {
    bits |= 0x7f800000U | (mantissa << 13);
  } else if (exponent != 0) {
    bits |= ((exponent + 112) << 23) | (mantissa << 13);
  } else if (mantissa != 0) {  // subnormal: shift up to a leading one
    exponent = 113;
    while ((mantissa & 0x400U) == 0) {
      mantissa <<= 1;
      --exponent;
    }
    bits |= (exponent << 23) | ((mantissa & 0x3ffU) << 13);
  }
  float out;
  std::memcpy(&out, &bits, sizeof(out));
  return out;
}

/// Quotient rounded towards minus infinity: instants before 1970 stay in their own unit.
std::int64_t floor_divide(std::int64_t value, std::int64_t divisor) {
  const std::int64_t quotient = value / divisor;
  return quotient - ((value % divisor != 0 && (value < 0) != (divisor < 0)) ? 1 : 0);
}

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

}  // namespace

void ScanColumn::fill(duckdb_vector vector, std::int64_t out, const ArrowArray& array,
                      std::int64_t begin, std::int64_t count) const {
  if (fill_ == Fill::kNull) {
    for (std::int64_t i = 0; i < count; ++i) {
      set_null(vector, out + i);
    }
    return;
  }
  fill_validity(vector, out, array, begin, count);
  fill_values(vector, out, array, begin, count);
}

void ScanColumn::fill_values(duckdb_vector vector, std::int64_t out, const ArrowArray& array,
                             std::int64_t begin, std::int64_t count) const {
  void* entries = duckdb_vector_get_data(vector);
  const void* data = array.n_buffers > 1 ? array.buffers[1] : nullptr;
  const auto entry64 = [entries, out](std::int64_t i) -> std::int64_t& {
    return static_cast<std::int64_t*>(entries)[out + i];
  };
  switch (fill_) {
    case Fill::kNull:
      return;
    case Fill::kBits:
      for (std::int64_t i = 0; i < count; ++i) {
        static_cast<bool*>(entries)[out + i] = get_bit(data, begin + i);
      }
      return;
    case Fill::kCopy:
      std::memcpy(static_cast<char*>(entries) + out * width_,
                  static_cast<const char*>(data) + begin * width_,
                  static_cast<std::size_t>(count * width_));
      return;
    case Fill::kHalf:
      for (std::int64_t i = 0; i < count; ++i) {
        static_cast<float*>(entries)[out + i] = widen_half(load<std::uint16_t>(data, begin + i));
      }
      return;
    case Fill::kText32:
      return fill_text<std::int32_t>(static_cast<duckdb_string_t*>(entries) + out, array, begin,
                                     count);
    case Fill::kText64:
      return fill_text<std::int64_t>(static_cast<duckdb_string_t*>(entries) + out, array, begin,
                                     count);
    case Fill::kView:
    case Fill::kFixedBytes: {
      const core::TypeLayout layout{
          .layout = fill_ == Fill::kView ? core::Layout::kView : core::Layout::kFixed,
          .width = width_};
      for (std::int64_t i = 0; i < count; ++i) {
        // The bytes below a null may be anything, also for a view.
        const bool valid = array.buffers[0] == nullptr || get_bit(array.buffers[0], begin + i);
        const std::string_view bytes =
            valid ? core::slot_bytes(layout, array, begin + i) : std::string_view();
        put_string(static_cast<duckdb_string_t*>(entries) + out + i, bytes.data(), bytes.size());
      }
      return;
    }
    case Fill::kDateMs:
      for (std::int64_t i = 0; i < count; ++i) {
        static_cast<std::int32_t*>(entries)[out + i] = static_cast<std::int32_t>(
            floor_divide(load<std::int64_t>(data, begin + i), 86'400'000));
      }
      return;
    case Fill::kScale32:
      for (std::int64_t i = 0; i < count; ++i) {
        entry64(i) = load<std::int32_t>(data, begin + i) * factor_;
      }
      return;
    case Fill::kScale64:
      for (std::int64_t i = 0; i < count; ++i) {
        const auto value = load<std::int64_t>(data, begin + i);
        // Wraps for instants that microseconds cannot hold, as unsigned arithmetic does.
        entry64(i) = divide_ ? floor_divide(value, factor_)
                             : static_cast<std::int64_t>(static_cast<std::uint64_t>(value) *
                                                         static_cast<std::uint64_t>(factor_));
      }
      return;
    case Fill::kDuration:
    case Fill::kMonths:
    case Fill::kDayTime:
    case Fill::kMonthDayNano:
      return fill_interval(vector, out, data, begin, count);
    case Fill::kDecimal:
      return fill_decimal(vector, out, data, begin, count);
    case Fill::kList32:
      return fill_list<std::int32_t>(vector, out, array, begin, count);
    case Fill::kList64:
      return fill_list<std::int64_t>(vector, out, array, begin, count);
    case Fill::kFixedList: {
      const ArrowArray& child = *array.children[0];
      return children_[0].fill(duckdb_array_vector_get_child(vector), out * list_size_, child,
                               child.offset + begin * list_size_, count * list_size_);
    }
    case Fill::kStruct:
      for (std::size_t c = 0; c < children_.size(); ++c) {
        const ArrowArray& child = *array.children[c];
        children_[c].fill(duckdb_struct_vector_get_child(vector, c), out, child,
                          child.offset + begin, count);
      }
      return;
    case Fill::kEnum:
    case Fill::kDecode:
      return fill_dictionary(vector, out, array, begin, count);
  }
}

void ScanColumn::fill_interval(duckdb_vector vector, std::int64_t out, const void* data,
                               std::int64_t begin, std::int64_t count) const {
  auto* entries = static_cast<duckdb_interval*>(duckdb_vector_get_data(vector)) + out;
  for (std::int64_t i = 0; i < count; ++i) {
    duckdb_interval value{};
    const std::int64_t slot = begin + i;
    if (fill_ == Fill::kDuration) {
      const auto ticks = load<std::int64_t>(data, slot);
      value.micros = divide_ ? floor_divide(ticks, factor_)
                             : static_cast<std::int64_t>(static_cast<std::uint64_t>(ticks) *
                                                         static_cast<std::uint64_t>(factor_));
    } else if (fill_ == Fill::kMonths) {
      value.months = load<std::int32_t>(data, slot);
    } else if (fill_ == Fill::kDayTime) {
      value.days = load<std::int32_t>(data, slot * 2);
      value.micros = std::int64_t{load<std::int32_t>(data, slot * 2 + 1)} * 1'000;
    } else {
      value.months = load<std::int32_t>(data, slot * 4);
      value.days = load<std::int32_t>(data, slot * 4 + 1);
      value.micros = floor_divide(load<std::int64_t>(data, slot * 2 + 1), 1'000);
    }
    entries[i] = value;
  }
}

void ScanColumn::fill_decimal(duckdb_vector vector, std::int64_t out, const void* data,
                              std::int64_t begin, std::int64_t count) const {
  auto* entries = static_cast<char*>(duckdb_vector_get_data(vector));
  for (std::int64_t i = 0; i < count; ++i) {
    // Little endian two's complement: the low bytes are the value when it fits, and wider values
    // repeat the sign.
    const char* value = static_cast<const char*>(data) + (begin + i) * width_;
    char wide[16];
    const std::int64_t taken = width_ < 16 ? width_ : 16;
    std::memset(wide, (value[taken - 1] & 0x80) != 0 ? 0xff : 0, sizeof(wide));
    std::memcpy(wide, value, static_cast<std::size_t>(taken));
    std::memcpy(entries + (out + i) * out_width_, wide, static_cast<std::size_t>(out_width_));
  }
}

template <class Offset>
void ScanColumn::fill_list(duckdb_vector vector, std::int64_t out, const ArrowArray& array,
                           std::int64_t begin, std::int64_t count) const {
  const void* offsets = array.buffers[1];
  const ArrowArray& child = *array.children[0];
  const std::int64_t first = load<Offset>(offsets, begin);
  const std::int64_t total = std::int64_t{load<Offset>(offsets, begin + count)} - first;
  const auto used = static_cast<std::int64_t>(duckdb_list_vector_get_size(vector));
  duckdb_list_vector_reserve(vector, static_cast<idx_t>(used + total));
  auto* entries = static_cast<duckdb_list_entry*>(duckdb_vector_get_data(vector)) + out;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t start = load<Offset>(offsets, begin + i);
    const std::int64_t end = load<Offset>(offsets, begin + i + 1);
    entries[i] = {static_cast<std::uint64_t>(used + start - first),
                  static_cast<std::uint64_t>(end - start)};
  }
  children_[0].fill(duckdb_list_vector_get_child(vector), used, child, child.offset + first, total);
  duckdb_list_vector_set_size(vector, static_cast<idx_t>(used + total));
}

void ScanColumn::fill_dictionary(duckdb_vector vector, std::int64_t out, const ArrowArray& array,
                                 std::int64_t begin, std::int64_t count) const {
  const ArrowArray& dictionary = *array.dictionary;
  const Remap* remap = fill_ == Fill::kEnum ? &remaps_.at(&dictionary) : nullptr;
  auto* entries = static_cast<char*>(duckdb_vector_get_data(vector));
  for (std::int64_t i = 0; i < count; ++i) {
    if (array.null_count != 0 && array.buffers[0] != nullptr &&
        !get_bit(array.buffers[0], begin + i)) {
      continue;
    }
    const std::int64_t index = load_index(array.buffers[1], begin + i, width_, signed_index_);
    if (index < 0 || index >= dictionary.length) {
      set_null(vector, out + i);
      continue;
    }
    if (remap == nullptr) {
      children_[0].fill(vector, out + i, dictionary, dictionary.offset + index, 1);
      continue;
    }
    const std::uint32_t code = (*remap)[static_cast<std::size_t>(index)];
    if (code == kNullEntry) {
      set_null(vector, out + i);
    } else if (out_width_ == 1) {
      entries[out + i] = static_cast<char>(code);
    } else {
      reinterpret_cast<std::uint16_t*>(entries)[out + i] = static_cast<std::uint16_t>(code);
    }
  }
}

}  // namespace penstock::ops::table
