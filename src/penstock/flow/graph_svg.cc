// A tube as a self-contained SVG: layers from left to right (Sugiyama, Tagawa, Toda 1981).
//
// 1. Layers by longest path; edges over several layers get a bend in each.
// 2. Order within a layer by the mean place of the neighbours, swept forth and back.
// 3. Places: each layer moves towards its neighbours' mean while keeping order and distance.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/flow/graph_model.h"

namespace penstock::flow {
namespace {

constexpr double kNodeHeight = 40;
constexpr double kBendHeight = 10;
constexpr double kRowGap = 18;
constexpr double kLayerGap = 64;
constexpr double kMargin = 16;
constexpr double kMinWidth = 72;
constexpr std::size_t kMaxLabel = 34;    // characters; the rest is in the tooltip
constexpr std::size_t kMaxSlot = 10;     // longer names of slots are in the tooltip only
constexpr std::size_t kMaxLabelled = 3;  // edges into a node that leave room for names
constexpr double kPortGap = 11;          // between the ends of edges at one side of a node
constexpr int kOrderSweeps = 12;
constexpr int kPlaceSweeps = 16;
constexpr std::size_t kMaxBends = 100'000;  // beyond, long edges are drawn straight

constexpr std::string_view kStyle = R"(<style>
svg.tube{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;--ink:#1c2733;--soft:#667485;--line:#9aa8b6;
--paper:#fff;--op:#f3f6fa;--edge:#c9d3de;--map:#e3f1ff;--mapline:#5b9bd8;--ret:#e4f5e6;--retline:#55a868;--in:#fff6df;
--inline:#d9a93c;background:var(--paper)}
@media(prefers-color-scheme:dark){svg.tube{--ink:#e6edf3;--soft:#95a3b3;--line:#5d6b7a;--paper:#12181f;--op:#1d2630;
--edge:#3a4756;--map:#17304a;--mapline:#5b9bd8;--ret:#173222;--retline:#55a868;--in:#3a2f14;--inline:#b58e36}}
.tube .n rect{fill:var(--op);stroke:var(--edge)} .tube .m rect{fill:var(--map);stroke:var(--mapline)}
.tube .r rect{fill:var(--ret);stroke:var(--retline)} .tube .i rect{fill:var(--in);stroke:var(--inline)}
.tube .x{stroke-dasharray:4 3;opacity:.65} .tube .t{font-size:13px;font-weight:600;fill:var(--ink)}
.tube .s{font-size:10.5px;fill:var(--soft)} .tube .e{fill:none;stroke:var(--line);stroke-width:1.4}
.tube .p{stroke-dasharray:2 3} .tube .l{font-size:9.5px;fill:var(--soft);paint-order:stroke;stroke:var(--paper);
stroke-width:3px} .tube .a{fill:var(--line)} .tube .k{stroke:var(--mapline);stroke-width:1.2;fill:none}
</style>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

bool is_lead(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

std::size_t num_characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, is_lead));
}

std::string shortened(std::string_view text) {
  if (num_characters(text) <= kMaxLabel) {
    return std::string(text);
  }
  // The end of a dotted name says more than its beginning.
  std::size_t skip = num_characters(text) - kMaxLabel + 2;
  std::size_t at = 0;
  while (skip > 0) {
    ++at;
    if (at >= text.size() || is_lead(text[at])) {
      --skip;
    }
  }
  return ".." + std::string(text.substr(at));
}

/// A node of the graph, or a bend of an edge.
struct Box {
  std::int32_t node = -1;  ///< -1: a bend
  std::int32_t layer = 0;
  double x = 0, y = 0, width = 0, height = kNodeHeight;
  std::vector<std::int32_t> before, after;  ///< boxes in the neighbouring layers
};

class Layout {
 public:
  explicit Layout(const GraphModel& graph) : graph_(graph) {
    make_boxes();
    make_paths();
    order();
    place();
  }

  const Box& box(std::int32_t index) const { return boxes_[static_cast<std::size_t>(index)]; }
  /// Boxes an edge goes through: its two nodes and the bends between.
  const std::vector<std::int32_t>& path(std::size_t edge) const { return paths_[edge]; }
  /// Height at which an edge leaves its first box or (`in`) enters its last.
  double port(std::size_t edge, bool in) const { return (in ? enters_ : leaves_)[edge]; }
  double width() const { return width_; }
  double height() const { return height_; }

 private:
  Box& at(std::int32_t index) { return boxes_[static_cast<std::size_t>(index)]; }

  void make_boxes() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const GraphNode& node = graph_.nodes[i];
      const double label = 7.6 * static_cast<double>(num_characters(shortened(node.label)));
      const double type = 5.9 * static_cast<double>(num_characters(shortened(node.type)));
      boxes_.push_back({.node = static_cast<std::int32_t>(i),
                        .layer = node.layer,
                        .width = std::max(kMinWidth, std::max(label, type) + 24)});
      if (static_cast<std::size_t>(node.layer) >= layers_.size()) {
        layers_.resize(static_cast<std::size_t>(node.layer) + 1);
      }
    }
    pull_inputs();
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      layers_[static_cast<std::size_t>(boxes_[i].layer)].push_back(static_cast<std::int32_t>(i));
    }
  }

  /// A node without producers stands just before its first consumer: shorter lines.
  void pull_inputs() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const GraphNode& node = graph_.nodes[i];
      if (!node.in.empty() || node.out.empty()) {
        continue;
      }
      std::int32_t first = boxes_[i].layer + static_cast<std::int32_t>(layers_.size());
      for (const std::int32_t edge : node.out) {
        first = std::min(
            first, boxes_[static_cast<std::size_t>(graph_.edges[static_cast<std::size_t>(edge)].to)]
                       .layer);
      }
      boxes_[i].layer = std::max(boxes_[i].layer, first - 1);
    }
  }

  void make_paths() {
    std::size_t num_bends = 0;
    for (const GraphEdge& edge : graph_.edges) {
      const std::int32_t from = at(edge.from).layer;
      const std::int32_t to = at(edge.to).layer;
      num_bends += static_cast<std::size_t>(std::max(0, to - from - 1));
    }
    const bool straight = num_bends > kMaxBends;
    for (const GraphEdge& edge : graph_.edges) {
      std::vector<std::int32_t> path{edge.from};
      for (std::int32_t layer = at(edge.from).layer + 1; !straight && layer < at(edge.to).layer;
           ++layer) {
        const auto bend = static_cast<std::int32_t>(boxes_.size());
        boxes_.push_back({.layer = layer, .height = kBendHeight});
        layers_[static_cast<std::size_t>(layer)].push_back(bend);
        path.push_back(bend);
      }
      path.push_back(edge.to);
      for (std::size_t i = 1; i < path.size(); ++i) {
        at(path[i - 1]).after.push_back(path[i]);
        at(path[i]).before.push_back(path[i - 1]);
      }
      paths_.push_back(std::move(path));
    }
  }

  double mean_place(const std::vector<std::int32_t>& boxes, const std::vector<double>& places,
                    double otherwise) const {
    if (boxes.empty()) {
      return otherwise;
    }
    double sum = 0;
    for (const std::int32_t box : boxes) {
      sum += places[static_cast<std::size_t>(box)];
    }
    return sum / static_cast<double>(boxes.size());
  }

  void order() {
    std::vector<double> rank(boxes_.size());
    const auto number = [&rank](const std::vector<std::int32_t>& layer) {
      for (std::size_t i = 0; i < layer.size(); ++i) {
        rank[static_cast<std::size_t>(layer[i])] = static_cast<double>(i);
      }
    };
    std::ranges::for_each(layers_, number);
    for (int sweep = 0; sweep < kOrderSweeps; ++sweep) {
      const bool forth = sweep % 2 == 0;
      for (std::size_t step = 0; step < layers_.size(); ++step) {
        auto& layer = layers_[forth ? step : layers_.size() - 1 - step];
        std::vector<std::pair<double, std::int32_t>> keys;
        for (const std::int32_t index : layer) {
          const Box& one = box(index);
          keys.emplace_back(mean_place(forth ? one.before : one.after, rank,
                                       rank[static_cast<std::size_t>(index)]),
                            index);
        }
        std::ranges::stable_sort(keys, {}, &std::pair<double, std::int32_t>::first);
        std::ranges::transform(keys, layer.begin(), &std::pair<double, std::int32_t>::second);
        number(layer);
      }
    }
  }

  void place() {
    std::vector<double> y(boxes_.size());
    for (const auto& layer : layers_) {
      double top = 0;
      for (const std::int32_t index : layer) {
        y[static_cast<std::size_t>(index)] = top + box(index).height / 2;
        top += box(index).height + kRowGap;
      }
    }
    for (int sweep = 0; sweep < kPlaceSweeps; ++sweep) {
      const bool forth = sweep % 2 == 0;
      for (std::size_t step = 0; step < layers_.size(); ++step) {
        settle(layers_[forth ? step : layers_.size() - 1 - step], forth, y);
      }
    }
    finish(y);
  }

  /// Moves a layer to where its neighbours want it: the wish of each box, then the two one-sided
  /// solutions that keep the distances, and their mean, which keeps them too.
  void settle(const std::vector<std::int32_t>& layer, bool forth, std::vector<double>& y) {
    const std::size_t count = layer.size();
    std::vector<double> wish(count), down(count), up(count);
    for (std::size_t i = 0; i < count; ++i) {
      const Box& one = box(layer[i]);
      wish[i] =
          mean_place(forth ? one.before : one.after, y, y[static_cast<std::size_t>(layer[i])]);
    }
    const auto distance = [&](std::size_t i) {
      return (box(layer[i - 1]).height + box(layer[i]).height) / 2 + kRowGap;
    };
    for (std::size_t i = 0; i < count; ++i) {
      down[i] = i == 0 ? wish[i] : std::max(wish[i], down[i - 1] + distance(i));
    }
    for (std::size_t i = count; i-- > 0;) {
      up[i] = i + 1 == count ? wish[i] : std::min(wish[i], up[i + 1] - distance(i + 1));
    }
    for (std::size_t i = 0; i < count; ++i) {
      y[static_cast<std::size_t>(layer[i])] = (down[i] + up[i]) / 2;
    }
  }

  void finish(const std::vector<double>& y) {
    double top = 0;
    double bottom = 0;
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      top = i == 0 ? y[i] - boxes_[i].height / 2 : std::min(top, y[i] - boxes_[i].height / 2);
      bottom = std::max(bottom, y[i] + boxes_[i].height / 2);
    }
    double x = kMargin;
    for (const auto& layer : layers_) {
      double widest = 0;
      for (const std::int32_t index : layer) {
        widest = std::max(widest, box(index).width);
      }
      for (const std::int32_t index : layer) {
        Box& one = at(index);
        one.x = x + (widest - one.width) / 2;
        one.y = y[static_cast<std::size_t>(index)] - top + kMargin;
      }
      x += widest + kLayerGap;
    }
    make_ports();
    width_ = std::max(x - kLayerGap + kMargin, 2 * kMargin);
    height_ = bottom - top + 2 * kMargin;
  }

  /// Ends of edges at one side of a node stand apart, in the order of their other ends.
  void make_ports() {
    enters_.resize(graph_.edges.size());
    leaves_.resize(graph_.edges.size());
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const GraphNode& node = graph_.nodes[i];
      spread(node.in, boxes_[i], true);
      spread(node.out, boxes_[i], false);
    }
  }

  void spread(std::vector<std::int32_t> edges, const Box& one, bool in) {
    const auto neighbour = [&](std::int32_t edge) {
      const auto& path = paths_[static_cast<std::size_t>(edge)];
      return box(in ? path[path.size() - 2] : path[1]).y;
    };
    std::ranges::stable_sort(edges, {}, neighbour);
    const auto count = static_cast<double>(edges.size());
    const double gap = std::min(kPortGap, (one.height - 12) / std::max(1.0, count - 1));
    for (std::size_t k = 0; k < edges.size(); ++k) {
      // What leaves a node is one value for all: it starts at one point.
      const double offset = in ? (static_cast<double>(k) - (count - 1) / 2) * gap : 0;
      (in ? enters_ : leaves_)[static_cast<std::size_t>(edges[k])] = one.y + offset;
    }
  }

  const GraphModel& graph_;
  std::vector<double> enters_, leaves_;  ///< by edge
  std::vector<Box> boxes_;
  std::vector<std::vector<std::int32_t>> layers_;
  std::vector<std::vector<std::int32_t>> paths_;
  double width_ = 0, height_ = 0;
};

std::string drawn_edge(const GraphModel& graph, const Layout& layout, std::size_t number) {
  const GraphEdge& edge = graph.edges[number];
  const auto& path = layout.path(number);
  const Box& first = layout.box(path.front());
  double x = first.x + first.width;
  double y = layout.port(number, false);
  std::string line = fmt::format("M{:.1f} {:.1f}", x, y);
  for (std::size_t i = 1; i < path.size(); ++i) {
    const Box& to = layout.box(path[i]);
    const bool last = i + 1 == path.size();
    const double to_x = last ? to.x - 5 : to.x;
    const double to_y = last ? layout.port(number, true) : to.y;
    const double bend = std::max(16.0, (to_x - x) / 2);
    line += fmt::format("C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", x + bend, y, to_x - bend,
                        to_y, to_x, to_y);
    x = to_x;
    y = to_y;
  }
  const GraphNode& from = graph.nodes[static_cast<std::size_t>(edge.from)];
  const GraphNode& target = graph.nodes[static_cast<std::size_t>(edge.to)];
  const std::string label = edge.label();
  std::string out = fmt::format(
      "<path class=\"e{}\" d=\"{}\" marker-end=\"url(#tip)\"><title>{}</title></path>\n",
      edge.parameter ? " p" : "", line,
      escaped(fmt::format("{} -> {}{}{}", from.id, target.id, label.empty() ? "" : ": ", label)));
  // The slot says what the value is for; where it repeats the producer's name it says nothing.
  const std::string& slot = edge.parts.front().slot;
  const bool says = edge.parts.size() == 1 && !slot.empty() && slot != from.label &&
                    slot.size() <= kMaxSlot && target.in.size() <= kMaxLabelled;
  if (!edge.parameter && says) {
    out +=
        fmt::format("<text class=\"l\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                    x - 5, y - 3.5, escaped(slot));
  }
  return out;
}

std::string drawn_node(const GraphNode& node, const Box& box) {
  const bool is_input = node.kind == GraphKind::kInput || node.kind == GraphKind::kAsset;
  const std::string_view kind = is_input                            ? "i"
                                : node.kind == GraphKind::kReturn   ? "r"
                                : node.kind == GraphKind::kOperator ? "n"
                                                                    : "m";
  const double top = box.y - box.height / 2;
  const double middle = box.x + box.width / 2;
  std::string out = fmt::format("<g class=\"{}\">", kind);
  std::string tip = node.type.empty() ? node.id : fmt::format("{}: {}", node.id, node.type);
  if (!node.maps.empty()) {
    tip += fmt::format(" (for each of {})", fmt::join(node.maps, ", "));
    // A second frame behind the node: it runs many times.
    out += fmt::format("<path class=\"k\" d=\"M{:.1f} {:.1f}h{:.1f}a8 8 0 0 1 8 8v{:.1f}\"/>",
                       box.x + 10, top - 3.5, box.width - 14.5, box.height - 14);
  }
  out += fmt::format(
      "<title>{}</title><rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
      "height=\"{:.1f}\" rx=\"{}\"/>",
      escaped(tip), node.enabled ? "" : "x", box.x, top, box.width, box.height, is_input ? 20 : 8);
  const double label_y = node.type.empty() ? box.y + 4.5 : box.y - 2;
  out += fmt::format("<text class=\"t\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                     middle, label_y, escaped(shortened(node.label)));
  if (!node.type.empty()) {
    out +=
        fmt::format("<text class=\"s\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                    middle, box.y + 12, escaped(shortened(node.type)));
  }
  return out + "</g>\n";
}

}  // namespace

std::string draw_svg(const GraphModel& graph) {
  const Layout layout(graph);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tube\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\" aria-label=\"Pipeline graph\">\n{2}"
      "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"4\" refY=\"4\" markerWidth=\"6\" "
      "markerHeight=\"6\" orient=\"auto\"><path class=\"a\" d=\"M0 0L8 4L0 "
      "8z\"/></marker></defs>\n",
      layout.width(), layout.height(), kStyle);
  for (std::size_t i = 0; i < graph.edges.size(); ++i) {
    out += drawn_edge(graph, layout, i);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    out += drawn_node(graph.nodes[i], layout.box(static_cast<std::int32_t>(i)));
  }
  return out + "</svg>\n";
}

}  // namespace penstock::flow
