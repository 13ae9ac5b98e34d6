// Internal to report: access to a plot's spec, merging of rows, and the writers of each plot kind.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/report/columns.h"
#include "penstock/report/json_text.h"

namespace penstock::report {

/// One map of a `report:` list, or a map in it.
class PlotSpec {
 public:
  explicit PlotSpec(const core::Value& value) : value_(value) {}

  bool has(std::string_view key) const { return value_.find(key) != nullptr; }
  /// Text under `key`, or "".
  std::string text(std::string_view key) const;
  /// The texts of a list, or one text as a list of one.
  std::vector<std::string> texts(std::string_view key) const;
  /// A number under `key`, or `otherwise`.
  double number(std::string_view key, double otherwise) const;
  const core::Value* find(std::string_view key) const { return value_.find(key); }

 private:
  const core::Value& value_;
};

/// The data a plot reads: `data: result.path` looked up once.
class PlotData {
 public:
  static base::Result<PlotData> create(const PlotSpec& spec, const core::Value& result);

  /// The column that the spec names under `key`; kInvalidArgument when it names none.
  base::Result<ColumnData> column(const PlotSpec& spec, std::string_view key) const;
  /// As column(); empty when the spec has no such key.
  base::Result<std::optional<ColumnData>> optional_column(const PlotSpec& spec,
                                                          std::string_view key) const;
  const core::Value& value() const { return value_; }

 private:
  explicit PlotData(core::Value value) : value_(std::move(value)) {}
  core::Value value_;
};

/// Rows that fall together: their sum, or their mean weighted by another column.
struct Merged {
  double sum = 0, weight = 0;

  void add(double value, double w);
  double mean() const;
};

/// Numbers the distinct texts in order of appearance.
class Index {
 public:
  std::int64_t of(const std::string& text);
  std::int64_t find(const std::string& text) const;  ///< -1 when unseen
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::map<std::string, std::int64_t, std::less<>> numbers_;
  std::vector<std::string> texts_;
};

/// Appends {"label", "unit"} under `name`.
void append_axis(std::string_view name, std::string_view label, std::string_view unit,
                 JsonText* out);
void append_numbers(std::string_view name, std::span<const double> values, JsonText* out);
void append_texts(std::string_view name, std::span<const std::string> values, JsonText* out);

/// The writers: append the fields of a record after its common ones.
base::Status append_chart(const PlotSpec& spec, const core::Value& result, JsonText* out);
base::Status append_scatter(const PlotSpec& spec, const core::Value& result, JsonText* out);
base::Status append_heat(const PlotSpec& spec, const core::Value& result, JsonText* out);
base::Status append_map(const PlotSpec& spec, const core::Value& result, JsonText* out);
base::Status append_plot_table(const PlotSpec& spec, const core::Value& result, JsonText* out);

}  // namespace penstock::report
