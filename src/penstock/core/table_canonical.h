// Canonical columns: what a table's bytes are, however it is chunked, sliced or encoded.
// Internal to core. The rules: docs/formats/value-encoding.md, "Tables".
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/table_layout.h"
#include "penstock/core/tensor.h"

namespace penstock::core {

/// Slots [begin, begin + length) of an array; `begin` counts from the start of its buffers.
struct Piece {
  const ArrowArray* array;
  std::int64_t begin;
  std::int64_t length;
};

/// Which slots of a column hold a value; one bit each, padding bits zero.
struct Validity {
  std::shared_ptr<const Buffer> bits;  ///< null: every slot holds a value
  std::int64_t null_count = 0;

  bool is_valid(std::int64_t slot) const { return bits == nullptr || get_bit(bits->data(), slot); }
};

/// Appends canonical buffers of columns. Buffers that are canonical already are referred to, and
/// `owner` kept by them; everything else is copied. kDataLoss when offsets run backwards.
class Canonicalizer {
 public:
  explicit Canonicalizer(std::shared_ptr<const void> owner) : owner_(std::move(owner)) {}

  /// `parent`: slots below a null of the parent are null themselves.
  base::Status add_column(const ArrowSchema& field, const std::vector<Piece>& pieces,
                          const Validity& parent);

  std::vector<std::shared_ptr<const Buffer>> take_buffers() { return std::move(buffers_); }

 private:
  base::Status add_plain(const ArrowSchema& field, const TypeLayout& type,
                         const std::vector<Piece>& pieces, const Validity& validity);
  base::Status add_bits(const std::vector<Piece>& pieces, const Validity& validity);
  base::Status add_fixed(std::int64_t width, const std::vector<Piece>& pieces,
                         const Validity& validity);
  template <class Offset>
  base::Status add_variable(const std::vector<Piece>& pieces, const Validity& validity);
  base::Status add_views(const std::vector<Piece>& pieces, const Validity& validity);
  template <class Offset>
  base::Status add_list(const ArrowSchema& field, const std::vector<Piece>& pieces,
                        const Validity& validity);
  base::Status add_fixed_list(const ArrowSchema& field, std::int64_t list_size,
                              const std::vector<Piece>& pieces, const Validity& validity);
  base::Status add_struct(const ArrowSchema& field, const std::vector<Piece>& pieces,
                          const Validity& validity);
  base::Status add_dictionary(const ArrowSchema& field, const TypeLayout& type,
                              const std::vector<Piece>& pieces, const Validity& parent);

  /// Null slots are those that are null in the pieces or in `parent`.
  Validity merge_validity(const std::vector<Piece>& pieces, const Validity& parent) const;
  void add_validity(const Validity& validity);
  std::shared_ptr<const Buffer> refer(const void* data, std::int64_t size_bytes) const;
  static std::shared_ptr<Buffer> zeroed(std::int64_t size_bytes);

  std::shared_ptr<const void> owner_;
  std::vector<std::shared_ptr<const Buffer>> buffers_;
};

/// The bytes of slot `slot` of a variable-size or fixed-width array (not nested, not bits).
std::string_view slot_bytes(const TypeLayout& type, const ArrowArray& array, std::int64_t slot);

}  // namespace penstock::core
