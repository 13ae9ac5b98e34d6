// Pictures of tubes.
#include "penstock/flow/graph_draw.h"

#include <algorithm>

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
