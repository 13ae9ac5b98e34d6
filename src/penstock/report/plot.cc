#include "penstock/report/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <fmt/core.h>

#include "penstock/report/plot_check.h"
#include "penstock/report/plot_spec.h"

namespace penstock::report {
namespace {

using base::ErrorCode;
using core::Kind;
using core::Value;

struct PlotWriter {
  std::string_view kind;
  base::Status (*append)(const PlotSpec&, const Value&, JsonText*);
};

/// Of every kind that plot_check.cc lets pass.
constexpr std::array<PlotWriter, 6> kWriters{{{"bar", append_chart},
                                              {"line", append_chart},
                                              {"scatter", append_scatter},
                                              {"heat", append_heat},
                                              {"map", append_map},
                                              {"table", append_plot_table}}};

base::Status append_plot(const PlotSpec& spec, const Value& spec_value, const Value& result,
                         JsonText* out) {
  if (const auto problems = find_problems_of_plot(spec_value); !problems.empty()) {
    return base::fail(ErrorCode::kInvalidArgument, problems.front().message);
  }
  return std::ranges::find(kWriters, spec.text("kind"), &PlotWriter::kind)
      ->append(spec, result, out);
}

void append_common(const PlotSpec& spec, int id, JsonText* out) {
  out->begin_object().key("type").text("plot").integer_field("id", id);
  out->key("kind").text(spec.text("kind"));
  out->text_field("title", spec.text("title")).text_field("subtitle", spec.text("subtitle"));
  out->text_field("note", spec.text("note"));
  if (const double middle = spec.number("middle", std::nan("")); !std::isnan(middle)) {
    out->key("middle").real(middle);
  }
}

}  // namespace

std::string plot_record(const Value& spec_value, const Value& result, int id) {
  const PlotSpec spec(spec_value);
  JsonText drawn(true);
  append_common(spec, id, &drawn);
  const base::Status status = append_plot(spec, spec_value, result, &drawn);
  if (status.has_value()) {
    return drawn.end_object().take();
  }
  JsonText out(true);
  append_common(spec, id, &out);
  out.key("error").text(status.error().to_string());
  return out.end_object().take();
}

std::string PlotSpec::text(std::string_view key) const {
  const Value* value = value_.find(key);
  return value != nullptr && value->is(Kind::kText) ? value->as_text() : "";
}

std::vector<std::string> PlotSpec::texts(std::string_view key) const {
  const Value* value = value_.find(key);
  std::vector<std::string> out;
  if (value != nullptr && value->is(Kind::kText)) {
    out.push_back(value->as_text());
  } else if (value != nullptr && value->is(Kind::kList)) {
    for (const Value& item : value->as_list()) {
      out.push_back(item.is(Kind::kText) ? item.as_text() : "");
    }
  }
  return out;
}

double PlotSpec::number(std::string_view key, double otherwise) const {
  const Value* value = value_.find(key);
  return value == nullptr          ? otherwise
         : value->is(Kind::kInt)   ? static_cast<double>(value->as_int())
         : value->is(Kind::kFloat) ? value->as_float()
                                   : otherwise;
}

base::Result<PlotData> PlotData::create(const PlotSpec& spec, const Value& result) {
  PENSTOCK_ASSIGN_OR_RETURN(Value value, find_path(result, spec.text("data")));
  return PlotData(std::move(value));
}

base::Result<ColumnData> PlotData::column(const PlotSpec& spec, std::string_view key) const {
  const std::string name = spec.text(key);
  if (name.empty()) {
    return base::fail(ErrorCode::kInvalidArgument,
                      fmt::format("'{}' wants the name of a column", key));
  }
  return read_column(value_, name);
}

base::Result<std::optional<ColumnData>> PlotData::optional_column(const PlotSpec& spec,
                                                                  std::string_view key) const {
  if (!spec.has(key)) {
    return std::optional<ColumnData>();
  }
  PENSTOCK_ASSIGN_OR_RETURN(ColumnData data, column(spec, key));
  return std::optional<ColumnData>(std::move(data));
}

void Merged::add(double value, double w) {
  if (!std::isnan(value) && !std::isnan(w)) {
    sum += value * w;
    weight += w;
  }
}

double Merged::mean() const {
  return weight == 0 ? std::nan("") : sum / weight;
}

std::int64_t Index::of(const std::string& text) {
  const auto [at, is_new] = numbers_.try_emplace(text, std::ssize(texts_));
  if (is_new) {
    texts_.push_back(text);
  }
  return at->second;
}

std::int64_t Index::find(const std::string& text) const {
  const auto at = numbers_.find(text);
  return at == numbers_.end() ? -1 : at->second;
}

void append_axis(std::string_view name, std::string_view label, std::string_view unit,
                 JsonText* out) {
  out->key(name).begin_object().key("label").text(label).text_field("unit", unit).end_object();
}

void append_numbers(std::string_view name, std::span<const double> values, JsonText* out) {
  out->key(name).begin_array();
  for (const double value : values) {
    out->real(value, 6);
  }
  out->end_array();
}

void append_texts(std::string_view name, std::span<const std::string> values, JsonText* out) {
  out->key(name).begin_array();
  for (const std::string& value : values) {
    out->text(value);
  }
  out->end_array();
}

}  // namespace penstock::report
