#include "penstock/report/json.h"

#include <algorithm>
#include <cstring>

#include "penstock/core/host.h"
#include "penstock/core/table.h"
#include "penstock/core/table_layout.h"
#include "penstock/core/tensor.h"
#include "penstock/report/table_cells.h"

namespace penstock::report {
namespace {

using core::DType;
using core::Kind;
using core::Value;

void append_element(DType dtype, const std::byte* data, std::int64_t index, JsonText* out) {
  using core::load;
  switch (dtype) {
    case DType::kBool:
      out->boolean(load<std::uint8_t>(data, index) != 0);
      return;
    case DType::kInt8:
      out->integer(load<std::int8_t>(data, index));
      return;
    case DType::kInt16:
      out->integer(load<std::int16_t>(data, index));
      return;
    case DType::kInt32:
      out->integer(load<std::int32_t>(data, index));
      return;
    case DType::kInt64:
      out->integer(load<std::int64_t>(data, index));
      return;
    case DType::kUInt8:
      out->integer(load<std::uint8_t>(data, index));
      return;
    case DType::kUInt16:
      out->integer(load<std::uint16_t>(data, index));
      return;
    case DType::kUInt32:
      out->integer(load<std::uint32_t>(data, index));
      return;
    case DType::kUInt64:
      out->raw(std::to_string(load<std::uint64_t>(data, index)));
      return;
    case DType::kFloat16:
      out->real(half_to_double(load<std::uint16_t>(data, index)), 5);
      return;
    case DType::kFloat32:
      out->real(static_cast<double>(load<float>(data, index)), 9);
      return;
    case DType::kFloat64:
      out->real(load<double>(data, index));
      return;
    case DType::kComplex64:
      out->begin_array().real(static_cast<double>(load<float>(data, 2 * index)), 9);
      out->real(static_cast<double>(load<float>(data, 2 * index + 1)), 9).end_array();
      return;
    case DType::kComplex128:
      out->begin_array()
          .real(load<double>(data, 2 * index))
          .real(load<double>(data, 2 * index + 1))
          .end_array();
      return;
  }
}

// Address of element `index` (in logical order) of a tensor with any strides.
const std::byte* element_at(const core::Tensor& tensor, std::int64_t index) {
  const std::byte* at = tensor.data();
  for (std::size_t i = tensor.shape().size(); i-- > 0;) {
    at += index % tensor.shape()[i] * tensor.strides()[i];
    index /= tensor.shape()[i];
  }
  return at;
}

// {"dtype", "shape", "data"} in logical order; "sample" instead of "data" when there are too many.
void append_tensor(const core::Tensor& tensor, const JsonOptions& options, JsonText* out) {
  const std::int64_t count = tensor.num_elements();
  const bool whole = count <= options.max_rows;
  out->begin_object().key("dtype").text(core::to_string(tensor.dtype())).key("shape").begin_array();
  for (const std::int64_t extent : tensor.shape()) {
    out->integer(extent);
  }
  out->end_array().key(whole && !options.in_page ? "data" : "sample").begin_array();
  for (std::int64_t i = 0; i < (whole ? count : std::min(options.sample_rows, count)); ++i) {
    append_element(tensor.dtype(), element_at(tensor, i), 0, out);
  }
  out->end_array().end_object();
}

// {"columns", "types", "num_rows", "rows"}; "sample" instead of "rows" when there are too many.
void append_table(const core::Table& table, const JsonOptions& options, std::int64_t end,
                  JsonText* out) {
  const bool whole = table.num_rows() <= options.max_rows;
  std::vector<ColumnReader> columns;
  out->begin_object().key("columns").begin_array();
  for (std::int64_t i = 0; i < table.num_columns(); ++i) {
    out->text(table.column_name(i));
    columns.emplace_back(table, i);
  }
  out->end_array().key("types").begin_array();
  for (std::int64_t i = 0; i < table.num_columns(); ++i) {
    out->text(type_name(*table.schema().children[i]));
  }
  out->end_array().integer_field("num_rows", table.num_rows());
  out->key(whole ? "rows" : "sample").begin_array();
  const std::int64_t num_shown =
      whole ? table.num_rows() : std::min(options.sample_rows, table.num_rows());
  for (std::int64_t row = 0; row < num_shown && std::ssize(out->str()) < end; ++row) {
    out->begin_array();
    for (const ColumnReader& column : columns) {
      column.append_json(row, out);
    }
    out->end_array();
  }
  out->end_array().end_object();
}

void append_cut(std::size_t left, std::string_view what, JsonText* out) {
  out->text("... " + std::to_string(left) + " more " + std::string(what));
}

// Text up to the limit, cut before a character, not inside one.
void append_text(std::string_view text, const JsonOptions& options, JsonText* out) {
  if (std::ssize(text) <= options.max_text_bytes) {
    out->text(text);
    return;
  }
  auto end = static_cast<std::size_t>(options.max_text_bytes);
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  out->text(std::string(text.substr(0, end)) + "... " + std::to_string(text.size() - end) +
            " more bytes");
}

std::string big_digits(const Value& value) {
  std::string bytes(value.big_magnitude().rbegin(), value.big_magnitude().rend());
  bytes += '\0';  // the sign byte of a positive two's complement number
  return (value.big_negative() ? "-" : "") + to_decimal(bytes);
}

// `end`: the size of `out` from which on containers are cut.
void append_value(const Value& value, const JsonOptions& options, std::int64_t end, int depth,
                  JsonText* out) {
  const auto limit = static_cast<std::size_t>(options.max_items);
  const auto is_full = [&] { return std::ssize(out->str()) >= end; };
  switch (value.kind()) {
    case Kind::kAbsent:
    case Kind::kNull:
      out->null();
      return;
    case Kind::kBool:
      out->boolean(value.as_bool());
      return;
    case Kind::kInt: {
      constexpr std::int64_t kExact = std::int64_t{1} << 53;
      // A page is read with doubles: larger integers travel as text there.
      if (options.in_page && (value.as_int() > kExact || value.as_int() < -kExact)) {
        out->text(std::to_string(value.as_int()));
      } else {
        out->integer(value.as_int());
      }
      return;
    }
    case Kind::kFloat:
      out->real(value.as_float());
      return;
    case Kind::kText:
      append_text(value.as_text(), options, out);
      return;
    case Kind::kBytes:
      if (options.in_page) {
        out->begin_object().key("$bytes").begin_object();
        out->integer_field("length", std::ssize(value.as_bytes())).end_object().end_object();
      } else {
        append_text(to_base64(value.as_bytes()), options, out);
      }
      return;
    case Kind::kBigInt:
      options.in_page ? out->text(big_digits(value)) : out->raw(big_digits(value));
      return;
    case Kind::kTable:
    case Kind::kTensor: {
      const bool is_table = value.is(Kind::kTable);
      if (options.in_page) {
        out->begin_object().key(is_table ? "$table" : "$tensor");
      }
      is_table ? append_table(*value.as_table(), options, end, out)
               : append_tensor(*value.as_tensor(), options, out);
      if (options.in_page) {
        out->end_object();
      }
      return;
    }
    case Kind::kHost:
      out->text("a host object");
      return;
    default:
      break;
  }
  if (depth >= core::kMaxDepth) {
    out->text("... nested too deeply");
  } else if (value.is(Kind::kExtension)) {
    out->begin_object().key("type").text(value.extension_type()).key("payload");
    append_value(value.extension_payload(), options, end, depth + 1, out);
    out->end_object();
  } else if (value.is(Kind::kMap)) {
    const auto& entries = value.as_map();
    std::size_t i = 0;
    out->begin_object();
    for (; i < std::min(limit, entries.size()) && !is_full(); ++i) {
      out->key(entries[i].first);
      append_value(entries[i].second, options, end, depth + 1, out);
    }
    if (i < entries.size()) {
      append_cut(entries.size() - i, "entries", &out->key("..."));
    }
    out->end_object();
  } else {
    const auto& items = value.as_list();
    std::size_t i = 0;
    out->begin_array();
    for (; i < std::min(limit, items.size()) && !is_full(); ++i) {
      append_value(items[i], options, end, depth + 1, out);
    }
    if (i < items.size()) {
      append_cut(items.size() - i, "items", out);
    }
    out->end_array();
  }
}

double to_ms(std::int64_t ns) {
  return static_cast<double>(ns) * 1e-6;
}

}  // namespace

void append_json(const Value& value, const JsonOptions& options, JsonText* out) {
  const std::int64_t size = std::ssize(out->str());
  append_value(value, options,
               options.max_bytes > INT64_MAX - size ? INT64_MAX : size + options.max_bytes, 0, out);
}

std::string to_json(const Value& value, const JsonOptions& options) {
  JsonText out(options.in_page);
  append_json(value, options, &out);
  return out.take();
}

Value to_shown(const Value& value) {
  auto native = core::to_native(value);
  if (native.has_value()) {
    return *std::move(native);
  }
  // One object without a native form must not hide its siblings.
  if (value.is(Kind::kMap)) {
    std::vector<core::MapEntry> entries;
    for (const auto& [key, item] : value.as_map()) {
      entries.emplace_back(key, to_shown(item));
    }
    return Value::map(std::move(entries));
  }
  if (value.is(Kind::kList) || value.is(Kind::kTuple)) {
    std::vector<Value> items;
    for (const Value& item : value.as_list()) {
      items.push_back(to_shown(item));
    }
    return value.is(Kind::kList) ? Value::list(std::move(items)) : Value::tuple(std::move(items));
  }
  return Value::text("(not shown: " + native.error().message() + ")");
}

void append_error_fields(const base::Error& error, JsonText* out) {
  out->text_field("id", error.id()).text_field("code", base::to_string(error.code()));
  out->text_field("origin", error.origin()).text_field("message", error.message());
  out->text_field("help", error.help()).text_field("trace", error.trace());
}

void append_summary_fields(const flow::Plan& plan, const flow::RunInfo& info,
                           const flow::RunSummary& summary, const flow::RunMetrics& metrics,
                           JsonText* out) {
  out->key("status").text(summary.status).key("run_id").text(info.run_id);
  out->key("runner").text(info.runner).integer_field("num_workers", info.num_workers);
  out->key("backend").text(summary.backend).key("elapsed_s").real(summary.elapsed_s, 9);
  out->integer_field("epochs", summary.epochs).integer_field("results", summary.results);
  out->integer_field("retries", summary.retries)
      .integer_field("peak_rss_bytes", summary.peak_rss_bytes);
  out->key("nodes").begin_object();
  for (std::size_t i = 0; i < plan.nodes().size(); ++i) {
    const flow::PlanNode& node = plan.nodes()[i];
    const flow::NodeMetrics& counts = metrics.nodes()[i];
    if (node.kind == flow::NodeKind::kInput) {
      continue;
    }
    out->key(node.id).begin_object().integer_field("runs", counts.runs);
    out->integer_field("failed", counts.failed).integer_field("retries", counts.retries);
    if (counts.reused > 0) {
      out->integer_field("reused", counts.reused);
    }
    out->key("p50_ms").real(to_ms(counts.duration.quantile_ns(0.5)), 6);
    out->key("p95_ms").real(to_ms(counts.duration.quantile_ns(0.95)), 6);
    out->key("max_ms").real(to_ms(counts.duration.max_ns()), 6);
    out->key("total_ms").real(to_ms(counts.duration.total_ns()), 6).end_object();
  }
  out->end_object();
}

}  // namespace penstock::report
