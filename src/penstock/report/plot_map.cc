// Map plots: points with coordinates, and arcs between them merged by their two ends.
#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/core.h>

#include "penstock/report/plot_spec.h"

namespace penstock::report {
namespace {

using base::ErrorCode;
using core::Value;

constexpr std::int64_t kMaxPoints = 5000;
constexpr double kDefaultArcs = 600;
constexpr double kMaxArcs = 3000;

struct Arc {
  std::int64_t from, to;
  double weight = 0;
  Merged color;
};

// Rows of the arc table merged by (from, to): weights add up, colours average by weight.
base::Result<std::vector<Arc>> merge_arcs(const PlotSpec& spec, const PlotData& data,
                                          const Index& points) {
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData from, data.column(spec, "from"));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData to, data.column(spec, "to"));
  PENSTOCK_ASSIGN_OR_RETURN(const auto weights, data.optional_column(spec, "weight"));
  PENSTOCK_ASSIGN_OR_RETURN(const auto colors, data.optional_column(spec, "color"));
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> places;
  std::vector<Arc> arcs;
  for (std::int64_t row = 0; row < from.size(); ++row) {
    const std::int64_t a = points.find(from.text(row));
    const std::int64_t b = points.find(to.text(row));
    const double weight = weights.has_value() ? weights->number(row) : 1.0;
    if (a < 0 || b < 0 || a == b || std::isnan(weight)) {
      continue;
    }
    const auto [place, is_new] = places.try_emplace({a, b}, arcs.size());
    if (is_new) {
      arcs.push_back({.from = a, .to = b, .weight = 0, .color = {}});
    }
    arcs[place->second].weight += weight;
    if (colors.has_value()) {
      arcs[place->second].color.add(colors->number(row), weight);
    }
  }
  return arcs;
}

base::Status append_arcs(const PlotSpec& spec, const Value& result, const Index& points,
                         std::string_view unit, JsonText* out) {
  PENSTOCK_ASSIGN_OR_RETURN(const PlotData data, PlotData::create(spec, result));
  PENSTOCK_ASSIGN_OR_RETURN(std::vector<Arc> arcs, merge_arcs(spec, data, points));
  std::sort(arcs.begin(), arcs.end(), [](const Arc& a, const Arc& b) {
    return a.weight != b.weight ? a.weight > b.weight
                                : std::pair(a.from, a.to) < std::pair(b.from, b.to);
  });
  const auto limit =
      static_cast<std::size_t>(std::clamp(spec.number("limit", kDefaultArcs), 1.0, kMaxArcs));
  double total = 0, shown = 0;
  for (std::size_t i = 0; i < arcs.size(); ++i) {
    total += arcs[i].weight;
    shown += i < limit ? arcs[i].weight : 0;
  }
  out->integer_field("total_arcs", std::ssize(arcs));
  out->key("shown_share").real(total > 0 ? shown / total : 1, 4);
  arcs.resize(std::min(arcs.size(), limit));
  if (spec.has("weight")) {
    append_axis("weight", spec.text("weight"), "", out);
  }
  if (spec.has("color")) {
    append_axis("color", spec.text("color"), unit, out);
  }
  std::vector<double> weights, colors;
  out->key("arcs").begin_object().key("from").begin_array();
  for (const Arc& arc : arcs) {
    out->integer(arc.from);
    weights.push_back(arc.weight);
    colors.push_back(arc.color.mean());
  }
  out->end_array().key("to").begin_array();
  for (const Arc& arc : arcs) {
    out->integer(arc.to);
  }
  out->end_array();
  append_numbers("weight", weights, out);
  append_numbers("color", colors, out);
  out->end_object();
  return {};
}

}  // namespace

base::Status append_map(const PlotSpec& spec, const Value& result, JsonText* out) {
  const PlotSpec points(*spec.find("points"));
  PENSTOCK_ASSIGN_OR_RETURN(const PlotData data, PlotData::create(points, result));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData lon, data.column(points, "lon"));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData lat, data.column(points, "lat"));
  if (!lon.is_number || !lat.is_number || lon.size() > kMaxPoints) {
    return base::fail(
        ErrorCode::kInvalidArgument,
        fmt::format("points of a map want numbers for lon and lat, at most {}: seen {} rows",
                    kMaxPoints, lon.size()));
  }
  // Where an arc's ends are looked up: `key` of the arcs names the column, else the points' label.
  const Value* arcs = spec.find("arcs");
  std::string key = points.text("label");
  if (arcs != nullptr) {
    key = PlotSpec(*arcs).has("key") ? PlotSpec(*arcs).text("key") : key;
  }
  std::optional<ColumnData> keys;
  if (!key.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(keys, read_column(data.value(), key));
  }
  Index index;
  std::vector<std::int64_t> rows;  // of the points that have coordinates
  for (std::int64_t row = 0; row < lon.size(); ++row) {
    const bool is_placed = std::abs(lon.number(row)) <= 360 && std::abs(lat.number(row)) <= 90;
    if (is_placed &&
        index.of(keys.has_value() ? keys->text(row) : std::to_string(row)) == std::ssize(rows)) {
      rows.push_back(row);
    }
  }
  out->key("points").begin_object();
  for (const std::string_view name : {"lon", "lat", "size", "color"}) {
    PENSTOCK_ASSIGN_OR_RETURN(const auto column, data.optional_column(points, name));
    if (column.has_value()) {
      out->key(name).begin_array();
      for (const std::int64_t row : rows) {
        out->real(column->number(row), 7);
      }
      out->end_array();
    }
  }
  for (const std::string_view name : {"label", "text"}) {
    PENSTOCK_ASSIGN_OR_RETURN(const auto column, data.optional_column(points, name));
    if (column.has_value()) {
      out->key(name).begin_array();
      for (const std::int64_t row : rows) {
        out->text(column->text(row));
      }
      out->end_array();
    }
  }
  out->end_object();
  if (points.has("size")) {
    append_axis("size", points.text("size"), "", out);
  }
  const bool arcs_have_color = arcs != nullptr && PlotSpec(*arcs).has("color");
  if (points.has("color") && !arcs_have_color) {
    append_axis("color", points.text("color"), spec.text("unit"), out);
  }
  return arcs == nullptr ? base::Status()
                         : append_arcs(PlotSpec(*arcs), result, index, spec.text("unit"), out);
}

}  // namespace penstock::report
