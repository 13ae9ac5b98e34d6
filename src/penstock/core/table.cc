#include "penstock/core/table.h"

#include <cerrno>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/table_layout.h"

namespace penstock::core {
namespace {

using base::ErrorCode;
using base::fail;

/// Releases the producer's structures unless they were taken over.
struct Incoming {
  ArrowSchema* schema;
  std::vector<ArrowArray>& batches;

  ~Incoming() {
    if (schema->release != nullptr) {
      schema->release(schema);
    }
    for (ArrowArray& batch : batches) {
      if (batch.release != nullptr) {
        batch.release(&batch);
      }
    }
  }
};

base::Status check_batch(const ArrowSchema& schema, const ArrowArray& batch) {
  if (batch.release == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "Arrow record batch is released already");
  }
  PENSTOCK_RETURN_IF_ERROR(check_array(schema, batch));
  // A record batch has no null rows; a struct column exported as one might.
  const bool may_have_nulls = batch.null_count != 0 && batch.buffers[0] != nullptr;
  for (std::int64_t i = 0; may_have_nulls && i < batch.length; ++i) {
    if (!get_bit(batch.buffers[0], batch.offset + i)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("record batch has a null row, wanted none: row {}", i));
    }
  }
  return {};
}

// ---- export
// --------------------------------------------------------------------------------------

/// One exported array: shares the table's memory, owns its own structures. Each child holds the
/// table itself, because a consumer may move a child out and outlive the parent.
struct ExportedArray {
  std::shared_ptr<const Table> table;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
  ArrowArray dictionary{};
};

void release_array(ArrowArray* array) {
  auto* exported = static_cast<ExportedArray*>(array->private_data);
  for (ArrowArray* child : exported->pointers) {
    if (child->release != nullptr) {
      child->release(child);
    }
  }
  if (exported->dictionary.release != nullptr) {
    exported->dictionary.release(&exported->dictionary);
  }
  array->release = nullptr;
  delete exported;
}

void export_array(const std::shared_ptr<const Table>& table, const ArrowArray& array,
                  ArrowArray* out) {
  auto exported = std::make_unique<ExportedArray>();
  exported->table = table;
  exported->children.resize(static_cast<std::size_t>(array.n_children));
  for (std::int64_t i = 0; i < array.n_children; ++i) {
    ArrowArray& child = exported->children[static_cast<std::size_t>(i)];
    export_array(table, *array.children[i], &child);
    exported->pointers.push_back(&child);
  }
  *out = array;
  out->children = exported->pointers.empty() ? nullptr : exported->pointers.data();
  if (array.dictionary != nullptr) {
    export_array(table, *array.dictionary, &exported->dictionary);
    out->dictionary = &exported->dictionary;
  }
  out->release = release_array;
  out->private_data = exported.release();
}

struct ExportedStream {
  std::shared_ptr<const Table> table;
  std::size_t next = 0;
};

int stream_schema(ArrowArrayStream* stream, ArrowSchema* out) {
  copy_schema(static_cast<ExportedStream*>(stream->private_data)->table->schema(), out);
  return 0;
}

int stream_next(ArrowArrayStream* stream, ArrowArray* out) {
  auto* exported = static_cast<ExportedStream*>(stream->private_data);
  if (exported->next == exported->table->batches().size()) {
    *out = ArrowArray{};
    return 0;
  }
  export_array(exported->table, exported->table->batches()[exported->next], out);
  ++exported->next;
  return 0;
}

const char* stream_error(ArrowArrayStream*) {
  return nullptr;
}

void release_stream(ArrowArrayStream* stream) {
  delete static_cast<ExportedStream*>(stream->private_data);
  stream->release = nullptr;
}

}  // namespace

base::Result<std::shared_ptr<const Table>> Table::create(ArrowSchema* schema,
                                                         std::vector<ArrowArray> batches) {
  const Incoming incoming{schema, batches};
  PENSTOCK_RETURN_IF_ERROR(check_schema(*schema));
  if (std::string_view(schema->format) != "+s") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a table is an Arrow struct '+s', seen format '{}'", schema->format));
  }
  std::int64_t num_rows = 0;
  for (const ArrowArray& batch : batches) {
    PENSTOCK_RETURN_IF_ERROR(check_batch(*schema, batch));
    if (__builtin_add_overflow(num_rows, batch.length, &num_rows)) {
      return fail(ErrorCode::kInvalidArgument, "the rows of all batches exceed 2^63 - 1");
    }
  }
  std::shared_ptr<Table> table(new Table());
  // Our own copy: the names outlive the producer, and metadata, which would make two tables with
  // the same content look different in another process, is left behind.
  copy_schema(*schema, &table->schema_);
  table->batches_ = std::exchange(batches, {});
  table->num_rows_ = num_rows;
  return table;
}

base::Result<std::shared_ptr<const Table>> Table::from_stream(ArrowArrayStream* stream) {
  struct Releaser {
    ArrowArrayStream* stream;
    ~Releaser() {
      if (stream->release != nullptr) {
        stream->release(stream);
      }
    }
  };
  const Releaser releaser{stream};
  const auto failed = [stream](const char* what, int code) {
    const char* text = stream->get_last_error(stream);
    return fail(code == ECANCELED ? ErrorCode::kCancelled : ErrorCode::kInvalidArgument,
                fmt::format("{}: {}", what, text != nullptr ? text : "no reason given"));
  };
  ArrowSchema schema{};
  if (const int code = stream->get_schema(stream, &schema); code != 0) {
    return failed("Arrow stream gives no schema", code);
  }
  std::vector<ArrowArray> batches;
  const Incoming incoming{&schema, batches};
  while (true) {
    ArrowArray batch{};
    if (const int code = stream->get_next(stream, &batch); code != 0) {
      return failed("Arrow stream broke off", code);
    }
    if (batch.release == nullptr) {
      return create(&schema, std::exchange(batches, {}));
    }
    batches.push_back(batch);
  }
}

Table::~Table() {
  for (ArrowArray& batch : batches_) {
    if (batch.release != nullptr) {
      batch.release(&batch);
    }
  }
  if (schema_.release != nullptr) {
    schema_.release(&schema_);
  }
}

std::string_view Table::column_name(std::int64_t column) const {
  return schema_.children[column]->name;
}

std::int64_t Table::find_column(std::string_view name) const {
  for (std::int64_t i = 0; i < num_columns(); ++i) {
    if (column_name(i) == name) {
      return i;
    }
  }
  return -1;
}

void export_stream(std::shared_ptr<const Table> table, ArrowArrayStream* out) {
  out->get_schema = stream_schema;
  out->get_next = stream_next;
  out->get_last_error = stream_error;
  out->release = release_stream;
  out->private_data = new ExportedStream{.table = std::move(table)};
}

}  // namespace penstock::core
