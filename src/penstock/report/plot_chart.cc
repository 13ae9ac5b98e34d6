// Bar, line, scatter and heat plots.
#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/core.h>

#include "penstock/report/plot_spec.h"

namespace penstock::report {
namespace {

using base::ErrorCode;
using core::Value;

constexpr std::int64_t kMaxPositions = 2000;  // x values of a bar or line plot
constexpr std::int64_t kMaxSeries = 12;
constexpr std::int64_t kMaxHeatSide = 200;
constexpr std::int64_t kMaxScatterPoints = 5000;

base::Status too_many(std::string_view what, std::int64_t seen, std::int64_t wanted) {
  return base::fail(ErrorCode::kOutOfRange,
                    fmt::format("too many {}: seen {}, at most {}", what, seen, wanted));
}

// Positions on an axis: the distinct values of a column; in numeric order when `sorted`.
struct Positions {
  std::vector<std::int64_t> of_row;
  std::vector<std::string> texts;
  std::vector<double> numbers;  // empty when the column is text

  Positions(const ColumnData& column, bool sorted) {
    Index index;
    std::vector<double> values;
    for (std::int64_t row = 0; row < column.size(); ++row) {
      of_row.push_back(index.of(column.text(row)));
      if (column.is_number && of_row.back() == std::ssize(values)) {
        values.push_back(column.number(row));
      }
    }
    texts = index.texts();
    numbers = values;
    if (sorted && column.is_number) {
      sort();
    }
  }

  std::int64_t size() const { return std::ssize(texts); }

  void append(JsonText* out) const {
    numbers.empty() ? append_texts("values", texts, out) : append_numbers("values", numbers, out);
  }

 private:
  void sort() {
    std::vector<std::size_t> order(texts.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = i;
    }
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return numbers[a] < numbers[b]; });
    std::vector<std::int64_t> rank(order.size());
    std::vector<double> sorted_numbers;
    std::vector<std::string> sorted_texts;
    for (std::size_t i = 0; i < order.size(); ++i) {
      rank[order[i]] = static_cast<std::int64_t>(i);
      sorted_numbers.push_back(numbers[order[i]]);
      sorted_texts.push_back(texts[order[i]]);
    }
    for (std::int64_t& position : of_row) {
      position = rank[static_cast<std::size_t>(position)];
    }
    numbers = std::move(sorted_numbers);
    texts = std::move(sorted_texts);
  }
};

// Values merged into cells of a grid; cells nothing fell into are NaN.
class Grid {
 public:
  Grid(std::int64_t num_rows, std::int64_t num_columns)
      : num_columns_(num_columns), cells_(static_cast<std::size_t>(num_rows * num_columns)) {}

  void add(std::int64_t row, std::int64_t column, double value, double weight) {
    cells_[static_cast<std::size_t>(row * num_columns_ + column)].add(value, weight);
  }
  std::vector<double> row(std::int64_t row, bool sum) const {
    std::vector<double> out;
    for (std::int64_t column = 0; column < num_columns_; ++column) {
      const Merged& cell = cells_[static_cast<std::size_t>(row * num_columns_ + column)];
      out.push_back(sum && cell.weight > 0 ? cell.sum : cell.mean());
    }
    return out;
  }

 private:
  std::int64_t num_columns_;
  std::vector<Merged> cells_;
};

double weight_of(const std::optional<ColumnData>& weights, std::int64_t row, bool sum) {
  return weights.has_value() && !sum ? weights->number(row) : 1.0;
}

std::string joined(const std::vector<std::string>& names) {
  return names.size() == 1 ? names[0] : "";
}

base::Status append_series(const PlotSpec& spec, const PlotData& data, const Positions& xs,
                           bool sum, JsonText* out) {
  const std::vector<std::string> names = spec.texts("y");
  PENSTOCK_ASSIGN_OR_RETURN(const auto weights, data.optional_column(spec, "weight"));
  PENSTOCK_ASSIGN_OR_RETURN(const auto split, data.optional_column(spec, "series"));
  std::optional<Positions> parts;
  if (split.has_value()) {
    parts.emplace(*split, true);
    if (parts->size() > kMaxSeries) {
      return too_many("series", parts->size(), kMaxSeries);
    }
  }
  out->key("series").begin_array();
  for (const std::string& name : names) {
    PENSTOCK_ASSIGN_OR_RETURN(const ColumnData ys, read_column(data.value(), name));
    if (!ys.is_number) {
      return base::fail(ErrorCode::kInvalidArgument,
                        fmt::format("column '{}' holds no numbers", name));
    }
    Grid grid(parts.has_value() ? parts->size() : 1, xs.size());
    // A column is not weighted by itself: flights merge into their sum, delays into their mean.
    const bool sums = sum || (spec.has("weight") && name == spec.text("weight"));
    for (std::int64_t row = 0; row < std::min(ys.size(), std::ssize(xs.of_row)); ++row) {
      const auto at = static_cast<std::size_t>(row);
      grid.add(parts.has_value() ? parts->of_row[at] : 0, xs.of_row[at], ys.number(row),
               weight_of(weights, row, sums));
    }
    for (std::int64_t part = 0; part < (parts.has_value() ? parts->size() : 1); ++part) {
      const std::string label =
          parts.has_value() ? parts->texts[static_cast<std::size_t>(part)] : name;
      out->begin_object().key("label").text(
          parts.has_value() && names.size() > 1 ? name + " " + label : label);
      append_numbers("values", grid.row(part, sums), out);
      out->end_object();
    }
  }
  out->end_array();
  return {};
}

}  // namespace

base::Status append_chart(const PlotSpec& spec, const Value& result, JsonText* out) {
  PENSTOCK_ASSIGN_OR_RETURN(const PlotData data, PlotData::create(spec, result));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData x, data.column(spec, "x"));
  const bool sum = spec.text("merge") == "sum";
  const Positions xs(x, true);
  if (xs.size() > kMaxPositions) {
    return too_many("x values", xs.size(), kMaxPositions);
  }
  const std::vector<std::string> names = spec.texts("y");
  if (names.empty() || std::ssize(names) > kMaxSeries) {
    return base::fail(ErrorCode::kInvalidArgument,
                      fmt::format("'y' wants one to {} column names", kMaxSeries));
  }
  out->key("x")
      .begin_object()
      .key("label")
      .text(spec.text("x"))
      .text_field("unit", spec.text("x_unit"));
  xs.append(out);
  out->end_object();
  append_axis("y", joined(names), spec.text("unit"), out);
  return append_series(spec, data, xs, sum, out);
}

base::Status append_scatter(const PlotSpec& spec, const Value& result, JsonText* out) {
  PENSTOCK_ASSIGN_OR_RETURN(const PlotData data, PlotData::create(spec, result));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData x, data.column(spec, "x"));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData y, data.column(spec, "y"));
  PENSTOCK_ASSIGN_OR_RETURN(const auto size, data.optional_column(spec, "size"));
  PENSTOCK_ASSIGN_OR_RETURN(const auto label, data.optional_column(spec, "label"));
  PENSTOCK_ASSIGN_OR_RETURN(const auto split, data.optional_column(spec, "series"));
  std::optional<Positions> parts;
  if (split.has_value()) {
    parts.emplace(*split, true);
    if (parts->size() > kMaxSeries) {
      return too_many("series", parts->size(), kMaxSeries);
    }
  }
  const std::int64_t num_rows = std::min(x.size(), y.size());
  const std::int64_t stride =
      std::max<std::int64_t>(1, (num_rows + kMaxScatterPoints - 1) / kMaxScatterPoints);
  if (stride > 1) {
    out->key("note").text(fmt::format("every {}th of {} points is drawn", stride, num_rows));
  }
  append_axis("x", spec.text("x"), spec.text("x_unit"), out);
  append_axis("y", spec.text("y"), spec.text("unit"), out);
  if (size.has_value()) {
    append_axis("size", spec.text("size"), "", out);
  }
  out->key("series").begin_array();
  for (std::int64_t part = 0; part < (parts.has_value() ? parts->size() : 1); ++part) {
    std::vector<double> xs, ys, sizes;
    std::vector<std::string> labels;
    for (std::int64_t row = 0; row < num_rows; row += stride) {
      if (parts.has_value() && parts->of_row[static_cast<std::size_t>(row)] != part) {
        continue;
      }
      xs.push_back(x.number(row));
      ys.push_back(y.number(row));
      if (size.has_value()) {
        sizes.push_back(size->number(row));
      }
      if (label.has_value()) {
        labels.push_back(label->text(row));
      }
    }
    out->begin_object().key("label").text(
        parts.has_value() ? parts->texts[static_cast<std::size_t>(part)] : "");
    append_numbers("x", xs, out);
    append_numbers("values", ys, out);
    if (size.has_value()) {
      append_numbers("size", sizes, out);
    }
    if (label.has_value()) {
      append_texts("text", labels, out);
    }
    out->end_object();
  }
  out->end_array();
  return {};
}

base::Status append_heat(const PlotSpec& spec, const Value& result, JsonText* out) {
  PENSTOCK_ASSIGN_OR_RETURN(const PlotData data, PlotData::create(spec, result));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData x, data.column(spec, "x"));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData y, data.column(spec, "y"));
  PENSTOCK_ASSIGN_OR_RETURN(const ColumnData color, data.column(spec, "color"));
  PENSTOCK_ASSIGN_OR_RETURN(const auto weights, data.optional_column(spec, "weight"));
  const bool sum = spec.text("merge") == "sum";
  const Positions xs(x, true);
  const Positions ys(y, true);
  if (std::max(xs.size(), ys.size()) > kMaxHeatSide) {
    return too_many("rows or columns of a heat plot", std::max(xs.size(), ys.size()), kMaxHeatSide);
  }
  Grid grid(ys.size(), xs.size());
  for (std::int64_t row = 0; row < color.size(); ++row) {
    const auto at = static_cast<std::size_t>(row);
    grid.add(ys.of_row[at], xs.of_row[at], color.number(row), weight_of(weights, row, sum));
  }
  for (const auto& [name, positions] : {std::pair("x", &xs), std::pair("y", &ys)}) {
    out->key(name).begin_object().key("label").text(spec.text(name));
    positions->append(out);
    out->end_object();
  }
  append_axis("color", spec.text("color"), spec.text("unit"), out);
  out->key("z").begin_array();
  for (std::int64_t row = 0; row < ys.size(); ++row) {
    out->begin_array();
    for (const double value : grid.row(row, sum)) {
      out->real(value, 6);
    }
    out->end_array();
  }
  out->end_array();
  return {};
}

}  // namespace penstock::report
