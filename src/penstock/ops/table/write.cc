// table.write: a table to a file, whole or not at all.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <arrow/csv/writer.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include "penstock/ops/table/arrow_bridge.h"
#include "penstock/ops/table/file_parameters.h"
#include "penstock/ops/table/files.h"
#include "penstock/ops/table/operators.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;
using core::Kind;
using core::Value;

std::unexpected<base::Error> failed(std::string_view what, const std::string& path, int error) {
  return fail(error == ENOSPC   ? ErrorCode::kResourceExhausted
              : error == ENOENT ? ErrorCode::kNotFound
                                : ErrorCode::kFailedPrecondition,
              fmt::format("cannot {} '{}': {}", what, path, std::strerror(error)));
}

/// A file beside its final place; gone unless commit() moved it there.
class PendingFile {
 public:
  static base::Result<PendingFile> create(const std::string& path) {
    static std::atomic<unsigned> serial{0};  // names only need to differ within this process
    const std::filesystem::path target(path);
    PendingFile file;
    file.path_ = path;
    file.folder_ = target.has_parent_path() ? target.parent_path().string() : ".";
    file.temporary_ =
        (std::filesystem::path(file.folder_) /
         fmt::format(".{}.{}-{}.tmp", target.filename().string(), ::getpid(), serial.fetch_add(1)))
            .string();
    file.descriptor_ =
        ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.descriptor_ < 0) {
      return failed("write", path, errno);
    }
    return file;
  }

  PendingFile(PendingFile&& other) noexcept { *this = std::move(other); }
  PendingFile& operator=(PendingFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(folder_, other.folder_);
    std::swap(temporary_, other.temporary_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~PendingFile() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
    if (!temporary_.empty()) {
      ::unlink(temporary_.c_str());
    }
  }

  int descriptor() const { return descriptor_; }

  /// File, then name, then folder: after this the content is there also after a power cut. A failed
  /// sync is final (the kernel may have dropped the pages), so it is not tried again.
  base::Status commit() {
    if (::fsync(descriptor_) != 0) {
      return failed("sync", path_, errno);
    }
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return failed("replace", path_, errno);
    }
    temporary_.clear();
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
      return failed("sync the folder of", path_, errno);
    }
    const int synced = ::fsync(folder);
    const int error = errno;
    ::close(folder);
    return synced == 0 ? base::Status() : failed("sync the folder of", path_, error);
  }

 private:
  PendingFile() = default;

  std::string path_, folder_, temporary_;
  int descriptor_ = -1;
};

base::Result<arrow::Compression::type> codec_of(const WriteRequest& request) {
  if (request.format == FileFormat::kCsv) {
    if (request.codec != "auto" && request.codec != "none") {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("CSV is written without a codec, seen codec '{}'", request.codec));
    }
    return arrow::Compression::UNCOMPRESSED;
  }
  if (request.codec == "none" || (request.codec == "auto" && request.format == FileFormat::kIpc)) {
    return arrow::Compression::UNCOMPRESSED;
  }
  if (request.codec == "auto" || request.codec == "zstd") {
    return arrow::Compression::ZSTD;
  }
  if (request.codec == "lz4" && request.format == FileFormat::kIpc) {
    return arrow::Compression::LZ4_FRAME;
  }
  if (request.format == FileFormat::kIpc) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("Arrow IPC knows the codecs none, zstd and lz4, seen '{}'", request.codec));
  }
  return request.codec == "lz4"    ? arrow::Compression::LZ4
         : request.codec == "gzip" ? arrow::Compression::GZIP
                                   : arrow::Compression::SNAPPY;
}

arrow::Status write_parquet(const arrow::Table& table, arrow::Compression::type codec,
                            const std::shared_ptr<arrow::io::OutputStream>& output) {
  const auto properties =
      parquet::WriterProperties::Builder().compression(codec)->enable_page_checksum()->build();
  constexpr std::int64_t kRowGroupRows = 1 << 20;
  try {
    return parquet::arrow::WriteTable(table, arrow::default_memory_pool(), output, kRowGroupRows,
                                      properties);
  } catch (const parquet::ParquetException& thrown) {
    return arrow::Status::IOError(thrown.what());
  }
}

arrow::Status write_ipc(const arrow::Table& table, arrow::Compression::type codec,
                        const std::shared_ptr<arrow::io::OutputStream>& output) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.unify_dictionaries = true;
  if (codec != arrow::Compression::UNCOMPRESSED) {
    ARROW_ASSIGN_OR_RAISE(options.codec, arrow::util::Codec::Create(codec));
  }
  ARROW_ASSIGN_OR_RAISE(auto writer, arrow::ipc::MakeFileWriter(output, table.schema(), options));
  ARROW_RETURN_NOT_OK(writer->WriteTable(table));
  return writer->Close();
}

class WriteOperator : public core::Operator {
 public:
  WriteOperator(FileParameters file, std::string codec)
      : file_(std::move(file)), codec_(std::move(codec)) {}

  base::Result<core::Step> call(core::Call& call) const override {
    if (!call.inputs[0]->is(Kind::kTable)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("input 'table' is a {}, wanted a table",
                              core::to_string(call.inputs[0]->kind())));
    }
    PENSTOCK_ASSIGN_OR_RETURN(FilePlace place, place_file(file_, *call.inputs[1]));
    const WriteRequest request{
        .path = std::move(place.path), .format = place.format, .codec = codec_, .csv = place.csv};
    PENSTOCK_RETURN_IF_ERROR(write_file(call.inputs[0]->as_table(), request));
    call.outputs[0] = Value::text(request.path);
    return core::Step::kDone;
  }

 private:
  FileParameters file_;
  std::string codec_;
};

base::Result<std::shared_ptr<const core::Operator>> make_write(
    const Value& params, std::span<const core::Binding> bindings) {
  const bool has_path_input = std::ranges::any_of(
      bindings, [](const auto& b) { return b.position == 1 || b.name == "path"; });
  PENSTOCK_ASSIGN_OR_RETURN(FileParameters file,
                            take_file_parameters("table.write", params, has_path_input));
  return std::make_shared<WriteOperator>(std::move(file), params.find("codec")->as_text());
}

}  // namespace

base::Status write_file(const std::shared_ptr<const core::Table>& table,
                        const WriteRequest& request) {
  const std::string what = fmt::format("cannot write '{}'", request.path);
  PENSTOCK_ASSIGN_OR_RETURN(const arrow::Compression::type codec, codec_of(request));
  PENSTOCK_ASSIGN_OR_RETURN(const auto arrow_table, to_arrow(table));
  PENSTOCK_ASSIGN_OR_RETURN(PendingFile file, PendingFile::create(request.path));
  // Arrow closes the descriptor it is given; ours stays open for the sync.
  const int shared = ::fcntl(file.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (shared < 0) {
    return failed("write", request.path, errno);
  }
  PENSTOCK_ARROW_ASSIGN(auto output, arrow::io::FileOutputStream::Open(shared), what);
  switch (request.format) {
    case FileFormat::kParquet:
      PENSTOCK_ARROW_RETURN(write_parquet(*arrow_table, codec, output), what);
      break;
    case FileFormat::kIpc:
      PENSTOCK_ARROW_RETURN(write_ipc(*arrow_table, codec, output), what);
      break;
    case FileFormat::kCsv: {
      auto options = arrow::csv::WriteOptions::Defaults();
      options.include_header = request.csv.header;
      options.delimiter = request.csv.delimiter;
      PENSTOCK_ARROW_RETURN(arrow::csv::WriteCSV(*arrow_table, options, output.get()), what);
      break;
    }
  }
  PENSTOCK_ARROW_RETURN(output->Close(), what);
  return file.commit();
}

base::Status register_write(core::Registry& registry) {
  core::OperatorSpec spec;
  spec.name = "table.write";
  spec.summary = "Write a table to a Parquet, CSV or Arrow IPC file.";
  spec.description =
      "The table is written beside the file, synced, and moved into place: whoever looks sees the "
      "old file or the whole new one, also after a crash. A file that is there is replaced.";
  spec.has_effects = true;
  spec.inputs = {{.name = "table", .type = "table", .summary = "what to write"}, path_port()};
  spec.outputs = {{.name = "value", .type = "text", .summary = "the path, once the file is there"}};
  spec.parameters = file_parameters(
      {{.name = "codec",
        .type = "text",
        .summary = "auto: zstd for Parquet, none for the others; IPC knows none, zstd and lz4",
        .default_value = Value::text("auto"),
        .choices = {"auto", "none", "zstd", "snappy", "gzip", "lz4"}}},
      "CSV: write the names of the columns first");
  spec.errors = {
      {ErrorCode::kInvalidArgument, "no path, unknown format, a codec the format lacks"},
      {ErrorCode::kNotFound, "the folder does not exist"},
      {ErrorCode::kFailedPrecondition, "the folder is not writable, or a sync failed"},
      {ErrorCode::kResourceExhausted, "the disk is full"},
      {ErrorCode::kUnimplemented, "the format cannot hold a column's type (CSV: nested columns)"}};
  spec.cost = "O(bytes), one pass";
  spec.reference = "Apache Arrow C++ 26; Apache Parquet format; RFC 4180";
  spec.twin = "none: the work is Arrow's, and pyarrow would do it with the same code";
  spec.example =
      "noob_id: table-write-example\n"
      "nodes:\n"
      "  numbers:\n"
      "    type: table.sql\n"
      "    params: {query: SELECT i FROM range(3) t(i) ORDER BY i}\n"
      "  file:\n"
      "    type: table.write\n"
      "    depends:\n"
      "      - table: numbers.value\n"
      "    params: {path: \"${DIR}/numbers.csv\"}\n"
      "  result:\n"
      "    type: return\n"
      "    depends: file.value\n";
  return registry.add(std::move(spec), make_write);
}

}  // namespace penstock::ops::table
