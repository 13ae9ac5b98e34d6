// Table plots: chosen columns, optionally grouped, filtered by minima, sorted and cut.
#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/core.h>

#include "penstock/report/plot_spec.h"

namespace penstock::report {
namespace {

using base::ErrorCode;
using core::Value;

constexpr double kMaxRows = 1000;
constexpr double kDefaultRows = 15;

struct Columns {
  std::vector<std::string> names;
  std::vector<ColumnData> data;

  std::ptrdiff_t find(std::string_view name) const {
    const auto at = std::find(names.begin(), names.end(), name);
    return at == names.end() ? -1 : at - names.begin();
  }
  std::int64_t num_rows() const { return data.empty() ? 0 : data[0].size(); }
};

base::Result<Columns> read_columns(const PlotData& data, std::vector<std::string> names) {
  Columns out;
  out.names = std::move(names);
  for (const std::string& name : out.names) {
    PENSTOCK_ASSIGN_OR_RETURN(ColumnData column, read_column(data.value(), name));
    out.data.push_back(std::move(column));
  }
  return out;
}

// One row per combination of the `group` columns: the weight column adds up, other numbers become
// their mean weighted by it; text columns outside the group keep their first value.
Columns group_rows(const Columns& in, const std::vector<std::string>& group,
                   const std::string& weight_name) {
  Columns out;
  out.names = in.names;
  out.data.resize(in.data.size());
  std::map<std::string, std::size_t> places;
  std::vector<std::vector<Merged>> merged;  // by row of `out`, by column
  const std::ptrdiff_t weight_at = in.find(weight_name);
  const auto is_key = [&](std::size_t c) {
    return std::find(group.begin(), group.end(), in.names[c]) != group.end();
  };
  for (std::int64_t row = 0; row < in.num_rows(); ++row) {
    std::string key;
    for (const std::string& name : group) {
      key += in.data[static_cast<std::size_t>(in.find(name))].text(row) + '\x1f';
    }
    const auto [place, is_new] = places.try_emplace(key, places.size());
    if (is_new) {
      merged.emplace_back(in.data.size());
    }
    const double weight =
        weight_at < 0 ? 1.0 : in.data[static_cast<std::size_t>(weight_at)].number(row);
    for (std::size_t c = 0; c < in.data.size(); ++c) {
      if (in.data[c].is_number && !is_key(c)) {
        const bool is_weight = static_cast<std::ptrdiff_t>(c) == weight_at;
        merged[place->second][c].add(in.data[c].number(row), is_weight ? 1.0 : weight);
      } else if (is_new) {
        out.data[c].is_number = in.data[c].is_number;
        in.data[c].is_number ? out.data[c].numbers.push_back(in.data[c].number(row))
                             : out.data[c].texts.push_back(in.data[c].text(row));
      }
    }
  }
  for (std::size_t c = 0; c < in.data.size(); ++c) {
    if (!in.data[c].is_number || is_key(c)) {
      continue;
    }
    for (const std::vector<Merged>& row : merged) {
      out.data[c].numbers.push_back(static_cast<std::ptrdiff_t>(c) == weight_at ? row[c].sum
                                                                                : row[c].mean());
    }
  }
  return out;
}

// Rows that reach every minimum of `min: {column: number}`, in the order of `sort`.
base::Result<std::vector<std::int64_t>> choose_rows(const PlotSpec& spec, const Columns& columns) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < columns.num_rows(); ++row) {
    rows.push_back(row);
  }
  const auto find = [&](std::string_view name) -> base::Result<const ColumnData*> {
    const std::ptrdiff_t at = columns.find(name);
    if (at < 0) {
      return base::fail(ErrorCode::kNotFound,
                        fmt::format("no column '{}' among those of the table", name));
    }
    return &columns.data[static_cast<std::size_t>(at)];
  };
  if (const Value* minima = spec.find("min"); minima != nullptr && minima->is(core::Kind::kMap)) {
    for (const auto& [name, value] : minima->as_map()) {
      PENSTOCK_ASSIGN_OR_RETURN(const ColumnData* column, find(name));
      const double minimum = PlotSpec(*minima).number(name, -HUGE_VAL);
      std::erase_if(rows, [&](std::int64_t row) { return !(column->number(row) >= minimum); });
    }
  }
  std::string sort = spec.text("sort");
  if (!sort.empty()) {
    const bool down = sort[0] == '-';
    PENSTOCK_ASSIGN_OR_RETURN(const ColumnData* column,
                              find(std::string_view(sort).substr(down ? 1 : 0)));
    // Missing numbers last, whatever the direction.
    std::stable_sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) {
      if (!column->is_number) {
        return down ? column->text(b) < column->text(a) : column->text(a) < column->text(b);
      }
      const double x = column->number(a), y = column->number(b);
      return std::isnan(x) || std::isnan(y) ? !std::isnan(x) && std::isnan(y)
             : down                         ? y < x
                                            : x < y;
    });
  }
  return rows;
}

}  // namespace

base::Status append_plot_table(const PlotSpec& spec, const Value& result, JsonText* out) {
  PENSTOCK_ASSIGN_OR_RETURN(const PlotData data, PlotData::create(spec, result));
  const std::vector<std::string> group = spec.texts("group");
  std::vector<std::string> shown =
      spec.has("columns") ? spec.texts("columns") : column_names(data.value());
  std::vector<std::string> needed = shown;
  const auto need = [&](const std::string& name) {
    if (!name.empty() && std::find(needed.begin(), needed.end(), name) == needed.end()) {
      needed.push_back(name);
    }
  };
  std::for_each(group.begin(), group.end(), need);
  need(spec.text("weight"));
  const std::string sort = spec.text("sort");
  need(sort.starts_with("-") ? sort.substr(1) : sort);
  if (const Value* minima = spec.find("min"); minima != nullptr && minima->is(core::Kind::kMap)) {
    for (const auto& [name, value] : minima->as_map()) {
      need(name);
    }
  }
  PENSTOCK_ASSIGN_OR_RETURN(Columns columns, read_columns(data, needed));
  if (!group.empty()) {
    columns = group_rows(columns, group, spec.text("weight"));
  }
  PENSTOCK_ASSIGN_OR_RETURN(std::vector<std::int64_t> rows, choose_rows(spec, columns));
  const std::int64_t total = std::ssize(rows);
  rows.resize(static_cast<std::size_t>(std::min(
      total,
      static_cast<std::int64_t>(std::clamp(spec.number("limit", kDefaultRows), 1.0, kMaxRows)))));
  out->key("columns").begin_array();
  for (const std::string& name : shown) {
    const ColumnData& column = columns.data[static_cast<std::size_t>(columns.find(name))];
    out->begin_object()
        .key("name")
        .text(name)
        .key("type")
        .text(column.is_number ? "number" : "text")
        .end_object();
  }
  out->end_array()
      .integer_field("total_rows", total)
      .integer_field("limit", std::ssize(rows))
      .text_field("sort", sort)
      .key("rows")
      .begin_array();
  for (const std::int64_t row : rows) {
    out->begin_array();
    for (const std::string& name : shown) {
      const ColumnData& column = columns.data[static_cast<std::size_t>(columns.find(name))];
      column.is_number ? out->real(column.number(row), 10) : out->text(column.text(row));
    }
    out->end_array();
  }
  out->end_array();
  return {};
}

}  // namespace penstock::report
