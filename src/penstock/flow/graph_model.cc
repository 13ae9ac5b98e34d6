// Spec -> GraphModel, and the two textual formats. See graph_model.h.
#include "penstock/flow/graph_model.h"

#include <algorithm>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "penstock/flow/graph_draw.h"

namespace penstock::flow {
namespace {

GraphKind kind_of(std::string_view type) {
  if (type == "map") {
    return GraphKind::kMap;
  }
  if (type == "gather") {
    return GraphKind::kGather;
  }
  if (type == "return") {
    return GraphKind::kReturn;
  }
  return type == "tube" ? GraphKind::kTube : GraphKind::kOperator;
}

/// Collects nodes and edges in file order; numbers change when they are sorted.
class Collector {
 public:
  explicit Collector(const Spec& spec) : spec_(spec) {}

  GraphModel take() {
    for (const InputSpec& input : spec_.inputs) {
      add({.id = "input." + input.id,
           .label = input.id,
           .type = input.type,
           .kind = GraphKind::kInput});
    }
    for (const AssetSpec& asset : spec_.assets) {
      add({.id = "assets." + asset.id,
           .label = asset.id,
           .type = asset.type,
           .kind = GraphKind::kAsset});
    }
    for (const NodeSpec& node : spec_.nodes) {
      add({.id = node.id,
           .label = node.id,
           .type = node.type,
           .kind = kind_of(node.type),
           .enabled = node.enabled});
    }
    for (const NodeSpec& node : spec_.nodes) {
      connect(node);
    }
    drop_unused_inputs();
    return sorted();
  }

 private:
  void add(GraphNode node) {
    index_.emplace(node.id, static_cast<std::int32_t>(graph_.nodes.size()));
    graph_.nodes.push_back(std::move(node));
  }

  void connect(const NodeSpec& node) {
    const std::int32_t to = index_.at(node.id);
    for (const Dependency& dependency : node.depends) {
      const bool is_virtual = dependency.node == "input" || dependency.node == "assets";
      const std::string from =
          is_virtual ? fmt::format("{}.{}", dependency.node, dependency.signal) : dependency.node;
      edge(from, to, {.signal = is_virtual ? "" : dependency.signal, .slot = dependency.slot},
           false);
    }
    for (const ParameterValue& parameter : node.params) {
      if (parameter.value.is(core::Kind::kText) &&
          parameter.value.as_text().starts_with("input.")) {
        edge(parameter.value.as_text(), to, {.signal = {}, .slot = parameter.name}, true);
      }
    }
    if (!node.enabled_input.empty()) {
      edge("input." + node.enabled_input, to, {.signal = {}, .slot = "enabled"}, true);
    }
  }

  void edge(const std::string& from, std::int32_t to, GraphPart part, bool parameter) {
    const auto found = index_.find(from);
    if (found == index_.end() || found->second == to) {
      return;
    }
    for (const std::int32_t other : graph_.nodes[static_cast<std::size_t>(to)].in) {
      GraphEdge& known = graph_.edges[static_cast<std::size_t>(other)];
      if (known.from == found->second) {
        known.parts.push_back(std::move(part));
        known.parameter = known.parameter && parameter;
        return;
      }
    }
    const auto number = static_cast<std::int32_t>(graph_.edges.size());
    graph_.edges.push_back(
        {.from = found->second, .to = to, .parts = {std::move(part)}, .parameter = parameter});
    graph_.nodes[static_cast<std::size_t>(found->second)].out.push_back(number);
    graph_.nodes[static_cast<std::size_t>(to)].in.push_back(number);
  }

  void drop_unused_inputs() {
    std::vector<std::int32_t> moved(graph_.nodes.size(), -1);
    std::vector<GraphNode> kept;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      GraphNode& node = graph_.nodes[i];
      const bool is_virtual = node.kind == GraphKind::kInput || node.kind == GraphKind::kAsset;
      if (!is_virtual || !node.out.empty()) {
        moved[i] = static_cast<std::int32_t>(kept.size());
        kept.push_back(std::move(node));
      }
    }
    graph_.nodes = std::move(kept);
    renumber(moved);
  }

  void renumber(const std::vector<std::int32_t>& moved) {
    for (GraphEdge& edge : graph_.edges) {
      edge.from = moved[static_cast<std::size_t>(edge.from)];
      edge.to = moved[static_cast<std::size_t>(edge.to)];
    }
  }

  /// Kahn's algorithm, smallest file position first; what is left lies on cycles, which are cut by
  /// dropping the edges that point backwards.
  GraphModel sorted() {
    const std::size_t count = graph_.nodes.size();
    std::vector<std::int32_t> waiting(count), order;
    std::priority_queue<std::int32_t, std::vector<std::int32_t>, std::greater<>> ready;
    for (std::size_t i = 0; i < count; ++i) {
      waiting[i] = static_cast<std::int32_t>(graph_.nodes[i].in.size());
      if (waiting[i] == 0) {
        ready.push(static_cast<std::int32_t>(i));
      }
    }
    std::vector<bool> placed(count, false);
    for (std::size_t next = 0; order.size() < count;) {
      if (ready.empty()) {
        while (placed[next]) {
          ++next;
        }
        waiting[next] = 0;
        ready.push(static_cast<std::int32_t>(next));
      }
      const std::int32_t node = ready.top();
      ready.pop();
      if (placed[static_cast<std::size_t>(node)]) {
        continue;
      }
      placed[static_cast<std::size_t>(node)] = true;
      order.push_back(node);
      for (const std::int32_t edge : graph_.nodes[static_cast<std::size_t>(node)].out) {
        const std::int32_t to = graph_.edges[static_cast<std::size_t>(edge)].to;
        if (--waiting[static_cast<std::size_t>(to)] == 0) {
          ready.push(to);
        }
      }
    }
    return reordered(order);
  }

  GraphModel reordered(const std::vector<std::int32_t>& order) {
    std::vector<std::int32_t> moved(order.size());
    GraphModel out;
    for (std::size_t i = 0; i < order.size(); ++i) {
      moved[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
      out.nodes.push_back(std::move(graph_.nodes[static_cast<std::size_t>(order[i])]));
      out.nodes.back().in.clear();
      out.nodes.back().out.clear();
    }
    renumber(moved);
    for (GraphEdge& edge : graph_.edges) {
      if (edge.from < edge.to) {
        const auto number = static_cast<std::int32_t>(out.edges.size());
        out.nodes[static_cast<std::size_t>(edge.from)].out.push_back(number);
        out.nodes[static_cast<std::size_t>(edge.to)].in.push_back(number);
        out.edges.push_back(std::move(edge));
      }
    }
    return out;
  }

  const Spec& spec_;
  GraphModel graph_;
  std::unordered_map<std::string, std::int32_t> index_;
};

/// Layers and map regions, following docs/design/0002-run-rule.md as far as a picture needs it.
void place(GraphModel& graph) {
  for (GraphNode& node : graph.nodes) {
    for (const std::int32_t number : node.in) {
      const GraphEdge& edge = graph.edges[static_cast<std::size_t>(number)];
      const GraphNode& from = graph.nodes[static_cast<std::size_t>(edge.from)];
      node.layer = std::max(node.layer, from.layer + 1);
      std::vector<std::string> maps = from.maps;
      const bool only_count =
          std::ranges::all_of(edge.parts, [](const GraphPart& part) { return part.signal == "n"; });
      if (from.kind == GraphKind::kMap && !only_count) {
        maps.push_back(from.id);
      }
      if (maps.size() > node.maps.size()) {
        node.maps = std::move(maps);
      }
    }
    if (node.kind == GraphKind::kGather && !node.maps.empty()) {
      node.maps.pop_back();
    } else if (node.kind == GraphKind::kReturn) {
      node.maps.clear();
    }
  }
}

/// `text` inside double quotes of DOT or Mermaid.
std::string quoted(std::string_view text, bool html) {
  std::string out;
  for (const char c : text) {
    if (c == '"') {
      out += html ? "#quot;" : "\\\"";
    } else if (c == '\\' && !html) {
      out += "\\\\";
    } else if (html && (c == '<' || c == '>')) {
      out += c == '<' ? "#lt;" : "#gt;";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string GraphEdge::label() const {
  std::string out;
  for (const GraphPart& part : parts) {
    const std::string signal = part.signal == "value" ? "" : part.signal;
    const std::string slot = part.slot.empty() ? "" : "-> " + part.slot;
    const std::string text = signal + (signal.empty() || slot.empty() ? "" : " ") + slot;
    if (!text.empty()) {
      out += (out.empty() ? "" : ", ") + text;
    }
  }
  return out;
}

GraphModel make_graph(const Spec& spec) {
  GraphModel graph = Collector(spec).take();
  place(graph);
  return graph;
}

std::string draw_mermaid(const GraphModel& graph) {
  std::string out = "flowchart LR\n";
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    const bool round = node.kind == GraphKind::kInput || node.kind == GraphKind::kAsset;
    const bool structural = node.kind != GraphKind::kOperator && !round;
    const std::string_view open = round ? "([" : structural ? "{{" : "[";
    const std::string_view close = round ? "])" : structural ? "}}" : "]";
    const std::string type =
        node.type.empty() ? "" : fmt::format("<br/><small>{}</small>", quoted(node.type, true));
    out += fmt::format("  n{}{}\"{}{}\"{}\n", i, open, quoted(node.label, true), type, close);
  }
  for (const GraphEdge& edge : graph.edges) {
    const std::string_view arrow = edge.parameter ? "-.->" : "-->";
    std::string label = edge.label();
    if (!label.empty()) {
      label = fmt::format("|\"{}\"|", quoted(label, true));
    }
    out += fmt::format("  n{} {}{} n{}\n", edge.from, arrow, label, edge.to);
  }
  return out;
}

std::string draw_dot(const GraphModel& graph) {
  std::string out =
      "digraph tube {\n  rankdir=LR;\n"
      "  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=11];\n"
      "  edge [fontname=\"sans-serif\", fontsize=9];\n";
  for (const GraphNode& node : graph.nodes) {
    const bool round = node.kind == GraphKind::kInput || node.kind == GraphKind::kAsset;
    const bool structural = node.kind != GraphKind::kOperator && !round;
    const std::string type = node.type.empty() ? "" : "\\n" + quoted(node.type, false);
    out += fmt::format("  \"{}\" [label=\"{}{}\"{}{}];\n", quoted(node.id, false),
                       quoted(node.label, false), type,
                       round        ? ", shape=ellipse"
                       : structural ? ", shape=hexagon"
                                    : "",
                       node.enabled ? "" : ", style=dashed");
  }
  for (const GraphEdge& edge : graph.edges) {
    out += fmt::format("  \"{}\" -> \"{}\"",
                       quoted(graph.nodes[static_cast<std::size_t>(edge.from)].id, false),
                       quoted(graph.nodes[static_cast<std::size_t>(edge.to)].id, false));
    out += fmt::format(" [label=\"{}\"{}]", quoted(edge.label(), false),
                       edge.parameter ? ", style=dotted" : "");
    out += ";\n";
  }
  return out + "}\n";
}

std::string draw_graph(const Spec& spec, GraphFormat format) {
  const GraphModel graph = make_graph(spec);
  switch (format) {
    case GraphFormat::kMermaid:
      return draw_mermaid(graph);
    case GraphFormat::kDot:
      return draw_dot(graph);
    case GraphFormat::kSvg:
      return draw_svg(graph);
    case GraphFormat::kAscii:
      break;
  }
  return draw_ascii(graph);
}

}  // namespace penstock::flow
