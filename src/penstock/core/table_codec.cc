#include "penstock/core/table_codec.h"

#include <cstring>
#include <utility>

#include "penstock/core/table_canonical.h"
#include "penstock/core/table_layout.h"

namespace penstock::core {
namespace {

Value field_form(const ArrowSchema& field) {
  std::vector<MapEntry> entries;
  entries.emplace_back("name", Value::text(field.name));
  entries.emplace_back("type", Value::text(field.format));
  entries.emplace_back("flags", Value::integer(field.flags));
  if (field.n_children > 0) {
    std::vector<Value> children;
    children.reserve(static_cast<std::size_t>(field.n_children));
    for (std::int64_t i = 0; i < field.n_children; ++i) {
      children.push_back(field_form(*field.children[i]));
    }
    entries.emplace_back("children", Value::list(std::move(children)));
  }
  if (field.dictionary != nullptr) {
    entries.emplace_back("dictionary", field_form(*field.dictionary));
  }
  return Value::map(std::move(entries));
}

/// `owner` is kept by the buffers that refer to the table's memory.
base::Result<TableForm> make_form(const Table& table, std::shared_ptr<const void> owner) {
  TableForm form;
  Canonicalizer columns(std::move(owner));
  for (std::int64_t c = 0; c < table.num_columns(); ++c) {
    const ArrowSchema& field = *table.schema().children[c];
    std::vector<Piece> pieces;
    pieces.reserve(table.batches().size());
    for (const ArrowArray& batch : table.batches()) {
      const ArrowArray* column = batch.children[c];
      if (batch.length > 0) {
        pieces.push_back({column, column->offset + batch.offset, batch.length});
      }
    }
    if (auto added = columns.add_column(field, pieces, {}); !added.has_value()) {
      return base::fail(added.error().with_context("column '" + std::string(field.name) + "'"));
    }
  }
  form.schema = schema_form(table.schema());
  form.num_rows = table.num_rows();
  form.buffers = columns.take_buffers();
  return form;
}

}  // namespace

Value schema_form(const ArrowSchema& schema) {
  std::vector<Value> fields;
  for (std::int64_t c = 0; c < schema.n_children; ++c) {
    fields.push_back(field_form(*schema.children[c]));
  }
  return Value::list(std::move(fields));
}

base::Result<TableForm> to_form(const std::shared_ptr<const Table>& table) {
  return make_form(*table, table);
}

base::Result<bool> equal(const Table& a, const Table& b) {
  if (a.num_rows() != b.num_rows() || a.num_columns() != b.num_columns()) {
    return false;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const TableForm left, make_form(a, nullptr));
  PENSTOCK_ASSIGN_OR_RETURN(const TableForm right, make_form(b, nullptr));
  if (!(left.schema == right.schema) || left.buffers.size() != right.buffers.size()) {
    return false;
  }
  for (std::size_t i = 0; i < left.buffers.size(); ++i) {
    const Buffer &x = *left.buffers[i], &y = *right.buffers[i];
    if (x.size_bytes() != y.size_bytes() ||
        (x.size_bytes() > 0 &&
         std::memcmp(x.data(), y.data(), static_cast<std::size_t>(x.size_bytes())) != 0)) {
      return false;
    }
  }
  return true;
}

}  // namespace penstock::core
