#include "penstock/report/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "penstock/report/plot_spec.h"

namespace penstock::report {
namespace {

using base::ErrorCode;
using core::Kind;
using core::Value;

using Names = std::vector<std::string_view>;

struct PlotKind {
  std::string_view name;
  Names required, optional;
  base::Status (*append)(const PlotSpec&, const Value&, JsonText*);
};

const std::array<PlotKind, 6>& plot_kinds() {
  static const std::array<PlotKind, 6> kinds{{
      {"bar", {"data", "x", "y"}, {"series", "weight", "merge", "unit", "x_unit"}, append_chart},
      {"line", {"data", "x", "y"}, {"series", "weight", "merge", "unit", "x_unit"}, append_chart},
      {"scatter",
       {"data", "x", "y"},
       {"series", "size", "label", "unit", "x_unit"},
       append_scatter},
      {"heat", {"data", "x", "y", "color"}, {"weight", "merge", "unit", "middle"}, append_heat},
      {"map", {"points"}, {"arcs", "unit", "middle"}, append_map},
      {"table",
       {"data"},
       {"columns", "group", "weight", "min", "sort", "limit"},
       append_plot_table},
  }};
  return kinds;
}

const Names& common_keys() {
  static const Names keys{"kind", "title", "subtitle", "note"};
  return keys;
}

const PlotKind* find_kind(std::string_view name) {
  const auto& kinds = plot_kinds();
  const auto at =
      std::find_if(kinds.begin(), kinds.end(), [&](const PlotKind& k) { return k.name == name; });
  return at == kinds.end() ? nullptr : &*at;
}

base::Status check_plot(const Value& plot) {
  const auto bad = [](std::string message) {
    return base::fail(ErrorCode::kInvalidArgument, std::move(message));
  };
  if (!plot.is(Kind::kMap)) {
    return bad(fmt::format("a plot is a map: seen {}", core::to_string(plot.kind())));
  }
  const PlotSpec spec(plot);
  const PlotKind* kind = find_kind(spec.text("kind"));
  if (kind == nullptr) {
    Names names;
    for (const PlotKind& known : plot_kinds()) {
      names.push_back(known.name);
    }
    return bad(fmt::format("unknown plot kind '{}': wanted one of {}", spec.text("kind"),
                           fmt::join(names, ", ")));
  }
  for (const std::string_view key : kind->required) {
    if (!spec.has(key)) {
      return bad(fmt::format("a {} plot needs '{}'", kind->name, key));
    }
  }
  for (const auto& [key, value] : plot.as_map()) {
    const auto knows = [&](const Names& names) {
      return std::find(names.begin(), names.end(), key) != names.end();
    };
    if (!knows(kind->required) && !knows(kind->optional) && !knows(common_keys())) {
      return bad(fmt::format("a {} plot has no key '{}': it takes {}, {}, {}", kind->name, key,
                             fmt::join(kind->required, ", "), fmt::join(kind->optional, ", "),
                             fmt::join(common_keys(), ", ")));
    }
  }
  return {};
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

base::Status check_plots(const Value& report) {
  if (report.is_absent()) {
    return {};
  }
  if (!report.is(Kind::kList)) {
    return base::fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'report' is a list of plots: seen {}", core::to_string(report.kind())));
  }
  for (std::size_t i = 0; i < report.as_list().size(); ++i) {
    if (auto status = check_plot(report.as_list()[i]); !status.has_value()) {
      return base::fail(status.error().with_context(fmt::format("report[{}]", i)));
    }
  }
  return {};
}

std::string plot_record(const Value& spec_value, const Value& result, int id) {
  const PlotSpec spec(spec_value);
  base::Status status = check_plot(spec_value);
  if (status.has_value()) {
    JsonText out(true);
    append_common(spec, id, &out);
    status = find_kind(spec.text("kind"))->append(spec, result, &out);
    if (status.has_value()) {
      return out.end_object().take();
    }
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
