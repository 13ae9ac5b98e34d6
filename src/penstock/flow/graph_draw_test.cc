// Pictures of tubes.
#include "penstock/flow/graph_draw.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/graph_model.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::flow {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Spec tube(std::string_view nodes) {
  auto spec = parse_spec(nodes);
  EXPECT_TRUE(spec.has_value()) << to_error(spec.error()).message();
  return std::move(*spec);
}

TEST(GraphDrawTest, DrawsRailsInRunningOrder) {
  const Spec spec = tube(R"(
input: {unused: {type: int}}
nodes:
  both: {type: zip, depends: [count.index, double.value]}
  count: {type: pkg.count}
  double: {type: pkg.multiply, depends: [left: count.index]}
)");
  EXPECT_EQ(draw_graph(spec, GraphFormat::kAscii),
            "o    count   pkg.count\n"
            "|\n"
            "+-o  double  pkg.multiply  <- left=count.index\n"
            "| |\n"
            "o-'  both    zip           <- count.index, double\n");
}

TEST(GraphDrawTest, SaysWhichNodesRunForEachElement) {
  const Spec spec = tube(R"(
nodes:
  words: {type: pkg.words}
  each: {type: map, depends: words.value}
  big: {type: pkg.big, depends: each.value, enabled: false}
  all: {type: gather, depends: [value: big.value, n: each.n]}
  out: {type: return, depends: all.value}
)");
  const GraphModel graph = make_graph(spec);
  ASSERT_EQ(graph.nodes.size(), 5U);
  EXPECT_THAT(graph.nodes[2].maps, testing::ElementsAre("each"));
  EXPECT_TRUE(graph.nodes[3].maps.empty());
  EXPECT_THAT(draw_graph(spec, GraphFormat::kAscii),
              AllOf(HasSubstr("[for each of each]"), HasSubstr("(disabled)"),
                    HasSubstr("value=big, n=each.n")));
}

TEST(GraphDrawTest, DrawsTubesWithWiringErrors) {
  const Spec spec = tube(R"(
nodes:
  a: {type: sum, depends: c.value}
  b: {type: sum, depends: a.value}
  c: {type: sum, depends: b.value}
  d: {type: sum, depends: nowhere.value}
)");
  for (const GraphFormat format :
       {GraphFormat::kAscii, GraphFormat::kMermaid, GraphFormat::kDot, GraphFormat::kSvg}) {
    EXPECT_THAT(draw_graph(spec, format), HasSubstr("d"));
  }
  EXPECT_EQ(make_graph(spec).edges.size(), 2U);
}

TEST(GraphDrawTest, EscapesTextInEveryFormat) {
  Spec spec = tube("nodes:\n  a: {type: sum}\n  b: {type: sum, depends: a.value}\n");
  spec.nodes[0].type = "<b>\"x\"&\n";
  EXPECT_THAT(draw_graph(spec, GraphFormat::kSvg),
              AllOf(HasSubstr("&lt;b&gt;&quot;x&quot;&amp; "), Not(HasSubstr("<b>"))));
  EXPECT_THAT(draw_graph(spec, GraphFormat::kMermaid), Not(HasSubstr("<b>")));
  EXPECT_THAT(draw_graph(spec, GraphFormat::kDot), HasSubstr("<b>\\\"x\\\"&"));
}

TEST(GraphDrawTest, DrawsDotThatNamesEveryEdgeOnce) {
  const Spec spec = tube("nodes:\n  a: {type: sum}\n  b: {type: sum, depends: [a.x, a.y]}\n");
  const std::string dot = draw_graph(spec, GraphFormat::kDot);
  EXPECT_THAT(dot, HasSubstr("\"a\" -> \"b\" [label=\"x, y\"]"));
  EXPECT_EQ(std::ranges::count(dot, '>'), 1);
}

TEST(GraphDrawTest, KeepsNodesOfALayerApart) {
  std::string text = "nodes:\n  a: {type: sum}\n";
  for (int i = 0; i < 30; ++i) {
    text += fmt::format("  n{}: {{type: sum, depends: {}}}\n", i,
                        i % 3 == 0 ? "a.value" : fmt::format("n{}.value", i / 2));
  }
  const std::string svg = draw_graph(tube(text), GraphFormat::kSvg);
  // Rectangles of one column (equal x) must not overlap: 40 high, so 40 apart at least.
  std::vector<std::pair<double, double>> boxes;
  for (std::size_t at = svg.find("<rect"); at != std::string::npos;
       at = svg.find("<rect", at + 1)) {
    double x = 0;
    double y = 0;
    ASSERT_EQ(std::sscanf(svg.c_str() + svg.find(" x=", at), " x=\"%lf\" y=\"%lf\"", &x, &y), 2);
    boxes.emplace_back(x, y);
  }
  ASSERT_EQ(boxes.size(), 31U);
  std::ranges::sort(boxes);
  for (std::size_t i = 1; i < boxes.size(); ++i) {
    if (boxes[i].first == boxes[i - 1].first) {
      EXPECT_GE(boxes[i].second - boxes[i - 1].second, 40.0);
    }
  }
}

struct Rect {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double middle() const { return y + height / 2; }
};

// The box of each node, by its id.
std::map<std::string, Rect> rects_of(const std::string& svg) {
  std::map<std::string, Rect> out;
  for (std::size_t at = svg.find("<rect"); at != std::string::npos;
       at = svg.find("<rect", at + 1)) {
    Rect rect;
    EXPECT_EQ(std::sscanf(svg.c_str() + svg.find(" x=", at),
                          " x=\"%lf\" y=\"%lf\" width=\"%lf\" height=\"%lf\"", &rect.x, &rect.y,
                          &rect.width, &rect.height),
              4);
    const std::size_t title = svg.rfind("<title>", at) + 7;
    out[svg.substr(title, svg.find_first_of(":<", title) - title)] = rect;
  }
  return out;
}

struct Line {
  double from_x = 0, from_y = 0, to_x = 0, to_y = 0;
};

// The line from one node to another, where no bend lies between them.
Line line_of(const std::string& svg, const std::string& from, const std::string& to) {
  const std::size_t title = svg.find("<title>" + from + " -&gt; " + to);
  EXPECT_NE(title, std::string::npos) << from << " to " << to;
  Line line;
  double unused = 0;
  EXPECT_EQ(std::sscanf(svg.c_str() + svg.rfind(" d=\"M", title),
                        " d=\"M%lf %lfC%lf %lf %lf %lf %lf %lf\"", &line.from_x, &line.from_y,
                        &unused, &unused, &unused, &unused, &line.to_x, &line.to_y),
            8);
  return line;
}

TEST(GraphDrawTest, TheFrameLeavesTheSameMarginOnAllSides) {
  const std::string svg =
      draw_graph(tube("nodes:\n  a: {type: sum}\n  b: {type: sum, depends: a.value}\n"
                      "  long_name_of_a_node: {type: sum, depends: a.value}\n"),
                 GraphFormat::kSvg);
  double width = 0, height = 0, left = 1e9, right = 0, top = 1e9, bottom = 0;
  ASSERT_EQ(std::sscanf(svg.c_str() + svg.find(" width="), " width=\"%lf\" height=\"%lf\"", &width,
                        &height),
            2);
  for (const auto& [id, rect] : rects_of(svg)) {
    left = std::min(left, rect.x);
    right = std::max(right, rect.right());
    top = std::min(top, rect.y);
    bottom = std::max(bottom, rect.y + rect.height);
  }
  EXPECT_EQ(left, 16);
  EXPECT_EQ(top, 16);
  EXPECT_NEAR(width - right, 16, 0.6);  // the frame's size is whole pixels
  EXPECT_NEAR(height - bottom, 16, 0.6);
}

TEST(GraphDrawTest, LinesStartAtOneBoxAndEndJustBeforeTheOther) {
  const std::string svg = draw_graph(tube(R"(
nodes:
  a: {type: sum}
  b: {type: sum}
  c: {type: sum}
  all: {type: sum, depends: [a.value, b.value, c.value]}
)"),
                                     GraphFormat::kSvg);
  std::map<std::string, Rect> rects = rects_of(svg);
  ASSERT_EQ(rects.size(), 4U);
  std::vector<double> ends;
  for (const std::string from : {"a", "b", "c"}) {
    const Line line = line_of(svg, from, "all");
    EXPECT_EQ(line.from_x, rects[from].right());
    EXPECT_EQ(line.from_y, rects[from].middle());
    EXPECT_EQ(line.to_x, rects["all"].x - 5);  // room for the tip
    ends.push_back(line.to_y - rects["all"].middle());
  }
  // In the order of where they come from, around the middle of the side.
  std::vector<std::string> order = {"a", "b", "c"};
  std::ranges::sort(order, {}, [&](const std::string& id) { return rects[id].y; });
  std::ranges::sort(ends);
  EXPECT_THAT(ends, testing::ElementsAre(-11, 0, 11));
  EXPECT_LT(line_of(svg, order[0], "all").to_y, line_of(svg, order[2], "all").to_y);
}

TEST(GraphDrawTest, DrawsLargeTubesInBoundedTime) {
  std::string text = "nodes:\n  n0: {type: sum}\n";
  for (int i = 1; i < 3000; ++i) {
    text += fmt::format("  n{}: {{type: sum, depends: [n{}.value, n0.value, n{}.value]}}\n", i,
                        i - 1, i / 2);
  }
  const Spec spec = tube(text);
  EXPECT_THAT(draw_graph(spec, GraphFormat::kSvg), HasSubstr("n2999"));
  EXPECT_THAT(draw_graph(spec, GraphFormat::kAscii), HasSubstr("n2999"));
}

}  // namespace
}  // namespace penstock::flow
