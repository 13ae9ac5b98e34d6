#include "penstock/report/plot_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/spec_yaml.h"

namespace penstock::report {
namespace {

using core::Value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kNodes = R"(nodes:
  flights: {type: table.read, params: {path: x.parquet, columns: [month, delay]}}
  routes: {type: table.sql, depends: [f: flights.value], params: {query: SELECT 1 FROM f}}
  out: {type: return, depends: [flights: flights.value, routes: routes.value]}
)";

/// "line:column message [help]" of each problem.
std::vector<std::string> check(const std::string& report, std::string_view nodes = kNodes) {
  const auto spec = flow::parse_spec(std::string(nodes) + "report:\n" + report, "t.yaml");
  if (!spec.has_value()) {
    ADD_FAILURE() << flow::to_error(spec.error()).message();
    return {};
  }
  std::vector<std::string> out;
  for (const flow::Diagnostic& problem : check_report(*spec)) {
    EXPECT_EQ(problem.id, "PS0026");
    // Lines count from the one after "report:".
    out.push_back(std::to_string(problem.location.line - 5) + ":" +
                  std::to_string(problem.location.column) + " " + problem.message +
                  (problem.help.empty() ? "" : " [" + problem.help + "]"));
  }
  return out;
}

TEST(PlotCheckTest, LetsEveryKindPass) {
  EXPECT_THAT(check(R"(  - {kind: bar, data: result.flights, x: month, y: delay, unit: min}
  - {kind: line, data: result.flights, x: month, y: [delay, month], merge: sum, weight: delay}
  - {kind: scatter, title: "1", data: result.routes, x: a, y: b, size: c, label: d, series: e}
  - {kind: heat, data: result.routes, x: a, y: b, color: c, middle: 0.5}
  - kind: map
    points: {data: result.routes, lon: x, lat: y, label: z}
    arcs: {data: result.flights, from: month, to: month, key: iata, weight: delay, limit: 5}
  - {kind: table, data: result.routes.0, group: [a, b], min: {c: 1}, sort: -c, limit: 5}
)"),
              IsEmpty());
  EXPECT_THAT(check("  []\n"), IsEmpty());
}

TEST(PlotCheckTest, NamesEachProblemWithItsPlace) {
  EXPECT_THAT(check("  - {kind: lin, data: result, x: a, y: b}\n"),
              ElementsAre("1:12 unknown plot kind 'lin': wanted one of bar, line, scatter, heat, "
                          "map, table [did you mean 'line'?]"));
  EXPECT_THAT(check("  - {title: x}\n  - text\n"),
              ElementsAre("1:5 a plot needs the key 'kind': one of bar, line, scatter, heat, map, "
                          "table",
                          "2:5 a plot is a map, seen text"));
  EXPECT_THAT(check("  - kind: bar\n    data: result.routes\n    xx: a\n    y: b\n"),
              ElementsAre("1:5 a bar plot needs the key 'x'",
                          "3:5 a bar plot has no key 'xx'; it takes data, x, y, series, weight, "
                          "merge, unit, x_unit, kind, title, subtitle, note [did you mean 'x'?]"));
  EXPECT_THAT(
      check("  - kind: map\n    points: {data: result.routes, lon: 1, lat: b, colour: c}\n"),
      ElementsAre(HasSubstr("2:40 'lon' of 'points' of a map plot wants the name of a column"),
                  "2:51 'points' of a map plot has no key 'colour'; it takes data, lon, lat, size, "
                  "label, text, color [did you mean 'color'?]"));
  EXPECT_THAT(check("  - {kind: table, data: result, limit: many, min: 3, columns: []}\n"),
              ElementsAre("1:40 'limit' of a table plot wants a number, seen text",
                          "1:51 'min' of a table plot wants a map of columns to numbers",
                          "1:63 'columns' of a table plot wants the name of a column or a list of "
                          "names, seen list"));
  EXPECT_THAT(check("  - {kind: bar, data: result, x: a, y: b, merge: avg}\n"),
              ElementsAre("1:50 'merge' of a bar plot wants mean or sum, seen avg"));
  EXPECT_THAT(check("  kind: bar\n"), ElementsAre("1:3 'report' is a list of plots, seen map"));
}

TEST(PlotCheckTest, HoldsPathsAndColumnsAgainstWhatTheTubeSays) {
  EXPECT_THAT(check("  - {kind: bar, data: result.fligths, x: a, y: b}\n"),
              ElementsAre("1:23 the result has no 'fligths'; it has flights, routes "
                          "[did you mean 'flights'?]"));
  EXPECT_THAT(check("  - {kind: bar, data: flights, x: a, y: b}\n"),
              ElementsAre("1:23 a path starts with 'result', seen 'flights' "
                          "[write result.flights]"));
  EXPECT_THAT(check("  - {kind: line, data: result.flights, x: month, y: [delay, dleay]}\n"),
              ElementsAre("1:61 no column 'dleay' in this table; it has month, delay "
                          "[did you mean 'delay'?]"));
  EXPECT_THAT(check("  - {kind: table, data: result.flights, min: {dealy: 1}, sort: -mnth}\n"),
              ElementsAre(HasSubstr("1:47 no column 'dealy'"), HasSubstr("1:64 no column 'mnth'")));
  EXPECT_THAT(check("  - {kind: bar, data: result, x: a, y: b}\n", R"(nodes:
  a: {type: table.read, params: {path: x, columns: [a, c]}}
  out: {type: return, depends: a.value}

)"),
              ElementsAre(HasSubstr("1:40 no column 'b'")));
  EXPECT_THAT(
      check("  - {kind: bar, data: result.x, x: a, y: b}\n", "nodes:\n  a: {type: range}\n\n\n"),
      ElementsAre("1:23 no 'result.x': the tube has no node of type return"));
}

TEST(PlotCheckTest, SaysNothingOfWhatOnlyTheRunKnows) {
  EXPECT_THAT(check("  - {kind: bar, data: result.routes, x: no, y: idea}\n"), IsEmpty());
  EXPECT_THAT(check("  - {kind: bar, data: result.anything.at.all, x: no, y: idea}\n", R"(nodes:
  a: {type: pkg.f}
  out: {type: return, depends: a.value}

)"),
              IsEmpty());
}

TEST(PlotCheckTest, FindsPlacesBehindAliasesAndMergeKeys) {
  EXPECT_THAT(check("  - &first {kind: bar, data: result.no, x: a, y: b}\n  - *first\n"
                    "  - {<<: *first, data: result.routes, y: 1}\n"),
              ElementsAre(HasSubstr("1:30 the result has no 'no'"),
                          HasSubstr("the result has no 'no'"), HasSubstr("3:42 'y' of a bar")));
}

TEST(PlotCheckTest, StopsAtTwenty) {
  std::string many;
  for (int i = 0; i < 100; ++i) {
    many += "  - {kind: pie}\n";
  }
  EXPECT_THAT(check(many), SizeIs(20));
}

TEST(PlotCheckTest, NeedsNoText) {
  const Value plot = Value::map({{"kind", Value::text("pie")}});
  flow::Spec spec;
  spec.report = Value::list({plot});
  const auto problems = check_report(spec, true);
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_EQ(problems[0].location.line, 0);
}

}  // namespace
}  // namespace penstock::report
