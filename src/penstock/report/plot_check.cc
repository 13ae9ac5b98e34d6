// See plot_check.h. The keys of every plot kind are one table here.
#include "penstock/report/plot_check.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "penstock/core/operator.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::report {
namespace {

using core::Kind;
using core::Value;

constexpr std::size_t kMaxProblems = 20;

/// What the value of a key must be.
enum class Wants : std::uint8_t {
  kText,
  kNumber,
  kPath,     ///< "result", "result.routes"
  kColumn,   ///< of the table under `data`
  kColumns,  ///< one, or a list of them
  kSort,     ///< a column, or '-' and a column
  kMinima,   ///< a map of columns to numbers
  kMerge,    ///< mean or sum
  kPart      ///< a map with keys of its own
};

struct Key {
  std::string_view name;
  Wants wants;
  bool required = false;
  std::span<const Key> part = {};  ///< of kPart
};

constexpr std::array kPoints{
    Key{"data", Wants::kPath, true},  Key{"lon", Wants::kColumn, true},
    Key{"lat", Wants::kColumn, true}, Key{"size", Wants::kColumn},
    Key{"label", Wants::kColumn},     Key{"text", Wants::kColumn},
    Key{"color", Wants::kColumn},
};
// `key` is a column of the points, not of the arcs.
constexpr std::array kArcs{
    Key{"data", Wants::kPath, true}, Key{"from", Wants::kColumn, true},
    Key{"to", Wants::kColumn, true}, Key{"key", Wants::kText},
    Key{"weight", Wants::kColumn},   Key{"color", Wants::kColumn},
    Key{"limit", Wants::kNumber},
};
constexpr std::array kChart{
    Key{"data", Wants::kPath, true}, Key{"x", Wants::kColumn, true},
    Key{"y", Wants::kColumns, true}, Key{"series", Wants::kColumn},
    Key{"weight", Wants::kColumn},   Key{"merge", Wants::kMerge},
    Key{"unit", Wants::kText},       Key{"x_unit", Wants::kText},
};
constexpr std::array kScatter{
    Key{"data", Wants::kPath, true}, Key{"x", Wants::kColumn, true}, Key{"y", Wants::kColumn, true},
    Key{"series", Wants::kColumn},   Key{"size", Wants::kColumn},    Key{"label", Wants::kColumn},
    Key{"unit", Wants::kText},       Key{"x_unit", Wants::kText},
};
constexpr std::array kHeat{
    Key{"data", Wants::kPath, true}, Key{"x", Wants::kColumn, true},
    Key{"y", Wants::kColumn, true},  Key{"color", Wants::kColumn, true},
    Key{"weight", Wants::kColumn},   Key{"merge", Wants::kMerge},
    Key{"unit", Wants::kText},       Key{"middle", Wants::kNumber},
};
constexpr std::array kMap{
    Key{"points", Wants::kPart, true, kPoints},
    Key{"arcs", Wants::kPart, false, kArcs},
    Key{"unit", Wants::kText},
    Key{"middle", Wants::kNumber},
};
constexpr std::array kTable{
    Key{"data", Wants::kPath, true}, Key{"columns", Wants::kColumns}, Key{"group", Wants::kColumns},
    Key{"weight", Wants::kColumn},   Key{"min", Wants::kMinima},      Key{"sort", Wants::kSort},
    Key{"limit", Wants::kNumber},
};
constexpr std::array kCommon{
    Key{"kind", Wants::kText, true},
    Key{"title", Wants::kText},
    Key{"subtitle", Wants::kText},
    Key{"note", Wants::kText},
};

struct PlotKind {
  std::string_view name;
  std::span<const Key> keys;
};
constexpr std::array<PlotKind, 6> kKinds{{{"bar", kChart},
                                          {"line", kChart},
                                          {"scatter", kScatter},
                                          {"heat", kHeat},
                                          {"map", kMap},
                                          {"table", kTable}}};

std::string did_you_mean(std::string_view name, std::span<const std::string> known) {
  const std::string nearest = core::nearest_name(name, known);
  return nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest);
}

std::vector<std::string> names_of(auto&& items) {
  std::vector<std::string> out;
  out.reserve(std::size(items));
  for (const auto& item : items) {
    out.emplace_back(item.name);
  }
  return out;
}

const Key* find_key(std::span<const Key> keys, std::string_view name) {
  const auto at = std::ranges::find(keys, name, &Key::name);
  return at == keys.end() ? nullptr : &*at;
}

/// Checks one plot, or a part of a map plot. Owner thread only.
class PlotChecker {
 public:
  PlotChecker(const KnownResult& known, std::vector<PlotProblem>& out) : known_(known), out_(out) {}

  void check_plot(const Value& plot) {
    if (!plot.is(Kind::kMap)) {
      add({}, fmt::format("a plot is a map, seen {}", core::to_string(plot.kind())));
      return;
    }
    const std::vector<std::string> kinds = names_of(kKinds);
    const Value* const kind = plot.find("kind");
    if (kind == nullptr) {
      add({}, fmt::format("a plot needs the key 'kind': one of {}", fmt::join(kinds, ", ")));
      return;
    }
    const std::string name = kind->is(Kind::kText)
                                 ? kind->as_text()
                                 : fmt::format("a {}", core::to_string(kind->kind()));
    const auto found = std::ranges::find(kKinds, name, &PlotKind::name);
    if (found == kKinds.end()) {
      add({"kind"},
          fmt::format("unknown plot kind '{}': wanted one of {}", name, fmt::join(kinds, ", ")),
          did_you_mean(name, kinds));
      return;
    }
    std::vector<Key> keys(found->keys.begin(), found->keys.end());
    keys.insert(keys.end(), kCommon.begin(), kCommon.end());
    check_keys(plot, keys, fmt::format("a {} plot", name));
  }

 private:
  void add(std::vector<std::string> path, std::string message, std::string help = {},
           bool at_key = false) {
    path.insert(path.begin(), prefix_.begin(), prefix_.end());
    out_.push_back({.path = std::move(path),
                    .at_key = at_key,
                    .message = std::move(message),
                    .help = std::move(help)});
  }

  void check_keys(const Value& map, std::span<const Key> keys, const std::string& whole) {
    for (const Key& key : keys) {
      if (key.required && map.find(key.name) == nullptr) {
        add({}, fmt::format("{} needs the key '{}'", whole, key.name));
      }
    }
    // Columns are those of `data`; a column of nothing known is not looked at.
    const std::vector<std::string>* columns = nullptr;
    if (const Value* const data = map.find("data"); data != nullptr && data->is(Kind::kText)) {
      const auto at = known_.columns.find(data->as_text());
      columns = at == known_.columns.end() ? nullptr : &at->second;
    }
    for (const auto& [name, value] : map.as_map()) {
      if (const Key* const key = find_key(keys, name)) {
        check_value(*key, value, whole, columns);
        continue;
      }
      const std::vector<std::string> known = names_of(keys);
      add({name},
          fmt::format("{} has no key '{}'; it takes {}", whole, name, fmt::join(known, ", ")),
          did_you_mean(name, known), true);
    }
  }

  void check_value(const Key& key, const Value& value, const std::string& whole,
                   const std::vector<std::string>* columns) {
    const std::string name(key.name);
    const auto wrong = [&](std::string_view wanted) {
      add({name}, fmt::format("'{}' of {} wants {}, seen {}", name, whole, wanted,
                              core::to_string(value.kind())));
    };
    const bool is_text = value.is(Kind::kText);
    switch (key.wants) {
      case Wants::kText:
        return is_text ? void() : wrong("text");
      case Wants::kNumber:
        return value.is(Kind::kInt) || value.is(Kind::kFloat) ? void() : wrong("a number");
      case Wants::kPath:
        return is_text ? check_path(name, value.as_text()) : wrong("a path such as result.NAME");
      case Wants::kColumn:
        return is_text ? check_column({name}, value.as_text(), columns)
                       : wrong("the name of a column");
      case Wants::kColumns:
        return check_columns(name, value, wrong, columns);
      case Wants::kSort:
        return is_text ? check_column({name},
                                      std::string_view(value.as_text())
                                          .substr(value.as_text().starts_with('-') ? 1 : 0),
                                      columns)
                       : wrong("the name of a column, with '-' before it for downwards");
      case Wants::kMinima:
        return check_minima(name, value, whole, columns);
      case Wants::kMerge:
        if (!is_text || (value.as_text() != "mean" && value.as_text() != "sum")) {
          add({name}, fmt::format("'merge' of {} wants mean or sum, seen {}", whole,
                                  is_text ? value.as_text() : core::to_string(value.kind())));
        }
        return;
      case Wants::kPart:
        if (!value.is(Kind::kMap)) {
          return wrong("a map");
        }
        prefix_.push_back(name);
        check_keys(value, key.part, fmt::format("'{}' of {}", name, whole));
        prefix_.pop_back();
    }
  }

  void check_columns(const std::string& name, const Value& value, const auto& wrong,
                     const std::vector<std::string>* columns) {
    if (value.is(Kind::kText)) {
      return check_column({name}, value.as_text(), columns);
    }
    const bool is_list = value.is(Kind::kList) && !value.as_list().empty();
    if (!is_list || !std::ranges::all_of(value.as_list(),
                                         [](const Value& item) { return item.is(Kind::kText); })) {
      return wrong("the name of a column or a list of names");
    }
    for (std::size_t i = 0; i < value.as_list().size(); ++i) {
      check_column({name, std::to_string(i)}, value.as_list()[i].as_text(), columns);
    }
  }

  void check_minima(const std::string& name, const Value& value, const std::string& whole,
                    const std::vector<std::string>* columns) {
    const auto is_number = [](const core::MapEntry& entry) {
      return entry.second.is(Kind::kInt) || entry.second.is(Kind::kFloat);
    };
    if (!value.is(Kind::kMap) || !std::ranges::all_of(value.as_map(), is_number)) {
      add({name}, fmt::format("'{}' of {} wants a map of columns to numbers", name, whole));
      return;
    }
    for (const auto& [column, minimum] : value.as_map()) {
      check_column({name, column}, column, columns, true);
    }
  }

  void check_column(std::vector<std::string> path, std::string_view column,
                    const std::vector<std::string>* columns, bool at_key = false) {
    if (column.empty()) {
      add(std::move(path), "a column's name is empty");
    } else if (columns != nullptr && std::ranges::find(*columns, column) == columns->end()) {
      add(std::move(path),
          fmt::format("no column '{}' in this table; it has {}", column, fmt::join(*columns, ", ")),
          did_you_mean(column, *columns), at_key);
    }
  }

  void check_path(const std::string& name, std::string_view path) {
    if (!known_.exists) {
      add({name}, fmt::format("no '{}': the tube has no node of type return", path));
      return;
    }
    const std::string_view first = path.substr(0, path.find('.'));
    if (first != "result") {
      add({name}, fmt::format("a path starts with 'result', seen '{}'", path),
          known_.keys && std::ranges::find(*known_.keys, first) != known_.keys->end()
              ? fmt::format("write result.{}", path)
              : "");
      return;
    }
    if (!known_.keys || path == first) {
      return;
    }
    path.remove_prefix(first.size() + 1);
    const std::string_view key = path.substr(0, path.find('.'));
    if (std::ranges::find(*known_.keys, key) == known_.keys->end()) {
      add({name},
          fmt::format("the result has no '{}'; it has {}", key, fmt::join(*known_.keys, ", ")),
          did_you_mean(key, *known_.keys));
    }
  }

  const KnownResult& known_;
  std::vector<PlotProblem>& out_;
  std::vector<std::string> prefix_;  ///< the part of a map plot that is being looked at
};

/// The columns a table.read is asked for; empty when the file has the say.
std::vector<std::string> listed_columns(const flow::NodeSpec& node) {
  const auto at = std::ranges::find(node.params, "columns", &flow::ParameterValue::name);
  std::vector<std::string> out;
  if (node.type != "table.read" || at == node.params.end() || !at->value.is(Kind::kList)) {
    return out;
  }
  for (const Value& column : at->value.as_list()) {
    if (!column.is(Kind::kText)) {
      return {};
    }
    out.push_back(column.as_text());
  }
  return out;
}

}  // namespace

KnownResult known_result(const flow::Spec& spec) {
  KnownResult out;
  const auto result = std::ranges::find(spec.nodes, "return", &flow::NodeSpec::type);
  out.exists = result != spec.nodes.end();
  if (!out.exists) {
    return out;
  }
  const bool is_map = result->depends_form == flow::DependsForm::kKeyword;
  if (is_map) {
    out.keys.emplace();
  }
  for (const flow::Dependency& dependency : result->depends) {
    if (is_map) {
      out.keys->push_back(dependency.slot);
    }
    const auto producer = std::ranges::find(spec.nodes, dependency.node, &flow::NodeSpec::id);
    if (producer == spec.nodes.end() || dependency.signal != "value") {
      continue;
    }
    std::vector<std::string> columns = listed_columns(*producer);
    if (columns.empty()) {
      continue;
    }
    if (is_map) {
      out.columns.emplace("result." + dependency.slot, std::move(columns));
    } else if (result->depends_form == flow::DependsForm::kScalar) {
      out.columns.emplace("result", std::move(columns));
    }
  }
  return out;
}

std::vector<PlotProblem> find_problems_of_plot(const Value& plot, const KnownResult& known) {
  std::vector<PlotProblem> out;
  PlotChecker(known, out).check_plot(plot);
  return out;
}

std::vector<PlotProblem> find_plot_problems(const Value& report, const KnownResult& known) {
  std::vector<PlotProblem> out;
  if (report.is_absent() || report.is_null()) {
    return out;
  }
  if (!report.is(Kind::kList)) {
    out.push_back({.message = fmt::format("'report' is a list of plots, seen {}",
                                          core::to_string(report.kind()))});
    return out;
  }
  for (std::size_t i = 0; i < report.as_list().size(); ++i) {
    for (PlotProblem& problem : find_problems_of_plot(report.as_list()[i], known)) {
      problem.path.insert(problem.path.begin(), std::to_string(i));
      out.push_back(std::move(problem));
    }
  }
  return out;
}

flow::Diagnostics check_report(const flow::Spec& spec, bool broken) {
  if (spec.report.is_absent()) {
    return {};
  }
  std::vector<PlotProblem> problems =
      find_plot_problems(spec.report, broken ? KnownResult() : known_result(spec));
  problems.resize(std::min(problems.size(), kMaxProblems));
  std::vector<flow::PartPath> parts;
  for (PlotProblem& problem : problems) {
    problem.path.insert(problem.path.begin(), "report");
    parts.push_back({.path = problem.path, .at_key = problem.at_key});
  }
  flow::Diagnostics out;
  if (problems.empty()) {
    return out;
  }
  const std::vector<flow::Mark> marks = flow::find_marks(spec, parts);
  for (std::size_t i = 0; i < problems.size(); ++i) {
    out.push_back(flow::diagnose(spec, marks[i], "PS0026", std::move(problems[i].message),
                                 std::move(problems[i].help)));
  }
  return out;
}

}  // namespace penstock::report
