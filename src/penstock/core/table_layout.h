// The Arrow formats a Table may have, and how each lays out its buffers. Internal to core.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/arrow_abi.h"

namespace penstock::core {

/// How the buffers of an array are arranged.
enum class Layout : std::uint8_t {
  kNull,        ///< no buffers
  kBits,        ///< validity, bits
  kFixed,       ///< validity, values of `width` bytes
  kVariable32,  ///< validity, int32 offsets, bytes
  kVariable64,  ///< validity, int64 offsets, bytes
  kView,        ///< validity, 16-byte views, data buffers, their sizes
  kList32,      ///< validity, int32 offsets; one child (list and map)
  kList64,      ///< validity, int64 offsets; one child
  kFixedList,   ///< validity; one child with `list_size` slots per slot
  kStruct,      ///< validity; any number of children
};

struct TypeLayout {
  Layout layout = Layout::kNull;
  std::int64_t width = 0;      ///< kFixed: bytes per value
  std::int64_t list_size = 0;  ///< kFixedList
  bool is_text = false;        ///< bytes must be UTF-8
  bool is_integer = false;     ///< may index a dictionary
  bool is_map = false;         ///< child is a struct of key and value
};

/// Nesting limit of a table's type.
inline constexpr int kMaxTypeDepth = 64;

/// kUnimplemented for a format that value-encoding.md does not list, kInvalidArgument for nonsense.
base::Result<TypeLayout> parse_format(std::string_view format);

/// Checks formats, child counts and dictionaries of `schema` and everything below it.
base::Status check_schema(const ArrowSchema& schema, int depth = 0);

/// Checks counts, lengths and null pointers of `array` against `schema`, not the bytes.
base::Status check_array(const ArrowSchema& schema, const ArrowArray& array, int depth = 0);

/// A deep copy without metadata; `out` is released independently.
void copy_schema(const ArrowSchema& schema, ArrowSchema* out);

/// Builds an ArrowSchema that owns its strings and children.
ArrowSchema make_schema(std::string format, std::string name, std::int64_t flags,
                        std::vector<ArrowSchema> children, const ArrowSchema* dictionary);

/// Element `index` of packed values that may be unaligned (mapped files, received messages).
template <class T>
T load(const void* data, std::int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(data) + index * std::int64_t{sizeof(T)}, sizeof(T));
  return value;
}

inline bool get_bit(const void* bits, std::int64_t index) {
  return ((static_cast<const unsigned char*>(bits)[index >> 3] >> (index & 7)) & 1) != 0;
}

inline std::int64_t bitmap_bytes(std::int64_t num_bits) {
  return (num_bits + 7) / 8;
}

}  // namespace penstock::core
