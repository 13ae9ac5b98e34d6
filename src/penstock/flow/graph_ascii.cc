// A tube as text: one line per node, in running order, with a rail for every value that is still
// to be used.
//
//   o      count   count_source
//   |
//   +-o    double  multiply      <- left=count.index
//   | |
//   o-'    both    zip           <- count.index, double
//
// "+" a value used here and later, "`" or "'" used here for the last time, "o" the node.
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/flow/graph_model.h"

namespace penstock::flow {
namespace {

constexpr std::size_t kMaxRails = 40;  // wider pictures become lists

std::string described(const GraphModel& graph, const GraphNode& node) {
  std::vector<std::string> sources;
  for (const std::int32_t number : node.in) {
    const GraphEdge& edge = graph.edges[static_cast<std::size_t>(number)];
    const std::string& from = graph.nodes[static_cast<std::size_t>(edge.from)].id;
    for (const GraphPart& part : edge.parts) {
      const bool plain = part.signal.empty() || part.signal == "value";
      sources.push_back(fmt::format("{}{}{}{}{}", part.slot, part.slot.empty() ? "" : "=", from,
                                    plain ? "" : ".", plain ? "" : part.signal));
    }
  }
  std::string out = sources.empty() ? "" : fmt::format("<- {}", fmt::join(sources, ", "));
  if (!node.maps.empty()) {
    out += fmt::format("  [for each of {}]", fmt::join(node.maps, ", "));
  }
  if (!node.enabled) {
    out += "  (disabled)";
  }
  return out;
}

/// The rails: which producer's value runs in each column, and how often it is still used.
class Rails {
 public:
  explicit Rails(const GraphModel& graph) : graph_(graph) {
    for (const GraphNode& node : graph.nodes) {
      uses_.push_back(static_cast<std::int32_t>(node.out.size()));
    }
  }

  /// Draws the row of node `index`; rails move on to the state after it.
  std::string row(std::int32_t index) {
    const GraphNode& node = graph_.nodes[static_cast<std::size_t>(index)];
    std::vector<bool> feeds(owner_.size(), false);
    std::vector<bool> ends(owner_.size(), false);
    for (const std::int32_t number : node.in) {
      const std::int32_t from = graph_.edges[static_cast<std::size_t>(number)].from;
      const auto at = static_cast<std::size_t>(std::ranges::find(owner_, from) - owner_.begin());
      feeds[at] = true;
      ends[at] = --uses_[static_cast<std::size_t>(from)] == 0;
    }
    const std::size_t column = choose(ends);
    feeds.resize(owner_.size(), false);
    ends.resize(owner_.size(), false);
    std::string out = draw(column, feeds, ends);
    for (std::size_t i = 0; i < owner_.size(); ++i) {
      if (ends[i]) {
        owner_[i] = kFree;
      }
    }
    owner_[column] = node.out.empty() ? kFree : index;
    while (!owner_.empty() && owner_.back() == kFree) {
      owner_.pop_back();
    }
    return out;
  }

  /// The row between two nodes.
  std::string gap() const {
    std::string out;
    for (const std::int32_t owner : owner_) {
      out += owner == kFree ? "  " : "| ";
    }
    return out;
  }

  std::size_t width() const { return owner_.size(); }

 private:
  static constexpr std::int32_t kFree = -1;

  /// The node goes on in the rail of a value that ends here, else in a free one, else in a new one.
  std::size_t choose(const std::vector<bool>& ends) {
    const auto ending = std::ranges::find(ends, true);
    if (ending != ends.end()) {
      return static_cast<std::size_t>(ending - ends.begin());
    }
    const auto free = std::ranges::find(owner_, kFree);
    const auto column = static_cast<std::size_t>(free - owner_.begin());
    if (free == owner_.end()) {
      owner_.push_back(kFree);
    }
    return column;
  }

  std::string draw(std::size_t column, const std::vector<bool>& feeds,
                   const std::vector<bool>& ends) const {
    std::size_t low = column;
    std::size_t high = column;
    for (std::size_t i = 0; i < feeds.size(); ++i) {
      if (feeds[i]) {
        low = std::min(low, i);
        high = std::max(high, i);
      }
    }
    std::string out;
    for (std::size_t i = 0; i < owner_.size(); ++i) {
      const bool inside = i >= low && i < high;
      char mark = owner_[i] == kFree ? (i > low && i < high ? '-' : ' ') : '|';
      if (i == column) {
        mark = 'o';
      } else if (feeds[i]) {
        mark = !ends[i] ? '+' : i < column ? '`' : '\'';
      }
      out += mark;
      out += inside ? '-' : ' ';
    }
    return out;
  }

  const GraphModel& graph_;
  std::vector<std::int32_t> owner_;  ///< per column: the producer, or kFree
  std::vector<std::int32_t> uses_;   ///< per node: consumers not drawn yet
};

struct Line {
  std::string rails, label, type, text;
  bool is_gap = false;
};

}  // namespace

std::string draw_ascii(const GraphModel& graph) {
  Rails rails(graph);
  std::vector<Line> lines;
  std::size_t widest = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    if (i > 0) {
      lines.push_back({.rails = rails.gap(), .is_gap = true});
    }
    const bool is_input = node.kind == GraphKind::kInput || node.kind == GraphKind::kAsset;
    lines.push_back({.rails = rails.row(static_cast<std::int32_t>(i)),
                     .label = is_input ? node.id : node.label,
                     .type = node.type,
                     .text = described(graph, node)});
    widest = std::max(widest, rails.width());
  }
  const bool as_list = widest > kMaxRails;
  std::size_t rail_width = 0;
  std::size_t label_width = 0;
  std::size_t type_width = 0;
  for (const Line& line : lines) {
    rail_width = std::max(rail_width, as_list ? 0 : line.rails.size());
    label_width = std::max(label_width, std::min<std::size_t>(line.label.size(), 30));
    type_width = std::max(type_width, std::min<std::size_t>(line.type.size(), 40));
  }
  std::string out;
  for (const Line& line : lines) {
    if (as_list && line.is_gap) {
      continue;
    }
    std::string row = as_list ? "" : fmt::format("{:<{}} ", line.rails, rail_width);
    row += fmt::format("{:<{}}  {:<{}}  {}", line.label, label_width, line.type, type_width,
                       line.text);
    row.erase(row.find_last_not_of(' ') + 1);
    out += row + "\n";
  }
  return out;
}

}  // namespace penstock::flow
