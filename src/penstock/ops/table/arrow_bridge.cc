#include "penstock/ops/table/arrow_bridge.h"

#include <string>
#include <utility>

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

namespace penstock::ops::table {

using base::ErrorCode;

base::Error to_error(const arrow::Status& status, std::string_view what) {
  ErrorCode code = ErrorCode::kInternal;
  switch (status.code()) {
    case arrow::StatusCode::OutOfMemory:
      code = ErrorCode::kResourceExhausted;
      break;
    case arrow::StatusCode::KeyError:
      code = ErrorCode::kNotFound;
      break;
    case arrow::StatusCode::TypeError:
      code = ErrorCode::kInvalidArgument;
      break;
    case arrow::StatusCode::Cancelled:
      code = ErrorCode::kCancelled;
      break;
    case arrow::StatusCode::NotImplemented:
      code = ErrorCode::kUnimplemented;
      break;
    // Arrow calls what it finds wrong in a file either.
    case arrow::StatusCode::Invalid:
    case arrow::StatusCode::IOError:
    case arrow::StatusCode::SerializationError:
      code = ErrorCode::kDataLoss;
      break;
    default:
      break;
  }
  // Only the first line: Arrow appends the path of its own sources in debug builds.
  std::string message = status.message();
  message = message.substr(0, message.find('\n'));
  return {code, fmt::format("{}: {}", what, message)};
}

base::Result<std::shared_ptr<arrow::Table>> to_arrow(std::shared_ptr<const core::Table> table) {
  ArrowArrayStream stream{};
  core::export_stream(std::move(table), &stream);
  PENSTOCK_ARROW_ASSIGN(auto reader, arrow::ImportRecordBatchReader(&stream), "table");
  PENSTOCK_ARROW_ASSIGN(auto out, reader->ToTable(), "table");
  return out;
}

base::Result<std::shared_ptr<const core::Table>> from_batches(std::shared_ptr<arrow::Schema> schema,
                                                              arrow::RecordBatchVector batches) {
  ArrowSchema out_schema{};
  PENSTOCK_ARROW_RETURN(arrow::ExportSchema(*schema, &out_schema), "table");
  std::vector<ArrowArray> arrays;
  for (const auto& batch : batches) {
    if (batch->num_rows() == 0) {
      continue;
    }
    ArrowArray array{};
    const arrow::Status exported = arrow::ExportRecordBatch(*batch, &array);
    if (!exported.ok()) {
      out_schema.release(&out_schema);
      for (ArrowArray& done : arrays) {
        done.release(&done);
      }
      return base::fail(to_error(exported, "table"));
    }
    arrays.push_back(array);
  }
  return core::Table::create(&out_schema, std::move(arrays));
}

base::Result<std::shared_ptr<const core::Table>> from_arrow(const arrow::Table& table) {
  arrow::TableBatchReader reader(table);
  PENSTOCK_ARROW_ASSIGN(auto batches, reader.ToRecordBatches(), "table");
  return from_batches(table.schema(), std::move(batches));
}

}  // namespace penstock::ops::table
