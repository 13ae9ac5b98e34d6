#include "penstock/report/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/report/test_table.h"

namespace penstock::report {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the test's own helpers
using core::Value;
using ::testing::HasSubstr;

Value texts(std::initializer_list<const char*> items) {
  std::vector<Value> out;
  for (const char* item : items) {
    out.push_back(text(item));
  }
  return Value::list(std::move(out));
}

// Two months of three routes between three airports; one route only in the first month.
Value result() {
  const Value routes =
      make_table({{make_column("month", Texts{"2001-01", "2001-01", "2001-02", "2001-02"}),
                   make_column("origin", Texts{"AAA", "BBB", "AAA", "CCC"}),
                   make_column("destination", Texts{"BBB", "AAA", "BBB", "ZZZ"}),
                   make_column("flights", Integers{10, 5, 30, 9}),
                   make_column("mean_delay", Numbers{4, -1, 8, 2})}});
  const Value airports = make_table({{make_column("iata", Texts{"AAA", "BBB", "CCC"}),
                                      make_column("longitude", Numbers{-90, -80, -70}),
                                      make_column("latitude", Numbers{40, 30, 35}),
                                      make_column("departures", Integers{40, 5, 9})}});
  return map({{"routes", routes}, {"airports", airports}});
}

Value spec_of(const char* kind, std::vector<core::MapEntry> entries) {
  entries.insert(entries.begin(), {"kind", text(kind)});
  return map(std::move(entries));
}

TEST(PlotRecordTest, MergesRowsOfOneXByTheirWeightedMean) {
  const Value spec = spec_of("line", {{"title", text("By month")},
                                      {"data", text("result.routes")},
                                      {"x", text("month")},
                                      {"y", texts({"mean_delay", "flights"})},
                                      {"weight", text("flights")},
                                      {"unit", text("min")}});
  const std::string record = plot_record(spec, result(), 3);
  EXPECT_THAT(record, HasSubstr(R"({"type":"plot","id":3,"kind":"line","title":"By month")"));
  EXPECT_THAT(record, HasSubstr(R"("x":{"label":"month","values":["2001-01","2001-02"]})"));
  EXPECT_THAT(record, HasSubstr(R"("y":{"label":"","unit":"min"})"));
  // (10 * 4 - 5 * 1) / 15 and (30 * 8 + 9 * 2) / 39; the weight itself is summed.
  EXPECT_THAT(record, HasSubstr(R"({"label":"mean_delay","values":[2.33333,6.61538]})"));
  EXPECT_THAT(record, HasSubstr(R"({"label":"flights","values":[15,39]})"));
}

TEST(PlotRecordTest, SplitsSeriesAndSumsOnRequest) {
  const Value spec = spec_of("bar", {{"data", text("result.routes")},
                                     {"x", text("month")},
                                     {"y", text("flights")},
                                     {"series", text("origin")},
                                     {"merge", text("sum")}});
  const std::string record = plot_record(spec, result(), 0);
  EXPECT_THAT(
      record,
      HasSubstr(
          R"("series":[{"label":"AAA","values":[10,30]},{"label":"BBB","values":[5,null]},{"label":"CCC","values":[null,9]}])"));
}

TEST(PlotRecordTest, SortsNumericPositions) {
  const Value data = map({{"h", make_table({{make_column("hour", Integers{3, 1, 2}),
                                             make_column("y", Numbers{30, 10, 20})}})}});
  const std::string record = plot_record(
      spec_of("bar", {{"data", text("result.h")}, {"x", text("hour")}, {"y", text("y")}}), data, 0);
  EXPECT_THAT(record, HasSubstr(R"("values":[1,2,3])"));
  EXPECT_THAT(record, HasSubstr(R"("values":[10,20,30])"));
}

TEST(PlotRecordTest, MapsPointsAndMergesArcsOfOnePair) {
  const Value points = map({{"data", text("result.airports")},
                            {"lon", text("longitude")},
                            {"lat", text("latitude")},
                            {"size", text("departures")},
                            {"label", text("iata")}});
  const Value arcs = map({{"data", text("result.routes")},
                          {"from", text("origin")},
                          {"to", text("destination")},
                          {"key", text("iata")},
                          {"weight", text("flights")},
                          {"color", text("mean_delay")}});
  const std::string record = plot_record(
      spec_of("map", {{"points", points}, {"arcs", arcs}, {"unit", text("min")}}), result(), 1);
  EXPECT_THAT(
      record,
      HasSubstr(
          R"("lon":[-90,-80,-70],"lat":[40,30,35],"size":[40,5,9],"label":["AAA","BBB","CCC"])"));
  // CCC -> ZZZ has no end on the map. AAA -> BBB: 10 + 30 flights, (10 * 4 + 30 * 8) / 40 minutes.
  EXPECT_THAT(record, HasSubstr(R"("total_arcs":2,"shown_share":1)"));
  EXPECT_THAT(record,
              HasSubstr(R"("arcs":{"from":[0,1],"to":[1,0],"weight":[40,5],"color":[7,-1]})"));
  EXPECT_THAT(record, HasSubstr(R"("color":{"label":"mean_delay","unit":"min"})"));
}

TEST(PlotRecordTest, KeepsTheHeaviestArcsWithinTheLimit) {
  const Value points = map({{"data", text("result.airports")},
                            {"lon", text("longitude")},
                            {"lat", text("latitude")},
                            {"label", text("iata")}});
  const Value arcs = map({{"data", text("result.routes")},
                          {"from", text("origin")},
                          {"to", text("destination")},
                          {"weight", text("flights")},
                          {"limit", Value::integer(1)}});
  const std::string record =
      plot_record(spec_of("map", {{"points", points}, {"arcs", arcs}}), result(), 1);
  EXPECT_THAT(record, HasSubstr(R"("total_arcs":2,"shown_share":0.8889)"));
  EXPECT_THAT(record, HasSubstr(R"("from":[0],"to":[1],"weight":[40],"color":[null])"));
}

TEST(PlotRecordTest, GroupsFiltersSortsAndCutsTables) {
  const Value spec =
      spec_of("table", {{"data", text("result.routes")},
                        {"group", texts({"origin", "destination"})},
                        {"columns", texts({"origin", "destination", "flights", "mean_delay"})},
                        {"weight", text("flights")},
                        {"min", map({{"flights", Value::integer(9)}})},
                        {"sort", text("-mean_delay")},
                        {"limit", Value::integer(1)}});
  const std::string record = plot_record(spec, result(), 0);
  EXPECT_THAT(
      record,
      HasSubstr(R"("total_rows":2,"limit":1,"sort":"-mean_delay","rows":[["AAA","BBB",40,7]])"));
}

TEST(PlotRecordTest, FillsHeatCellsAndLeavesEmptyOnesNull) {
  const Value spec = spec_of("heat", {{"data", text("result.routes")},
                                      {"x", text("month")},
                                      {"y", text("origin")},
                                      {"color", text("mean_delay")},
                                      {"weight", text("flights")},
                                      {"middle", Value::integer(0)}});
  const std::string record = plot_record(spec, result(), 0);
  EXPECT_THAT(record, HasSubstr(R"("middle":0.0)"));
  EXPECT_THAT(record, HasSubstr(R"("z":[[4,8],[-1,null],[null,2]])"));
}

TEST(PlotRecordTest, DrawsScatterPointsWithSizeAndText) {
  const Value spec = spec_of("scatter", {{"data", text("result.airports")},
                                         {"x", text("longitude")},
                                         {"y", text("latitude")},
                                         {"size", text("departures")},
                                         {"label", text("iata")}});
  EXPECT_THAT(
      plot_record(spec, result(), 0),
      HasSubstr(
          R"("series":[{"label":"","x":[-90,-80,-70],"values":[40,30,35],"size":[40,5,9],"text":["AAA","BBB","CCC"]}])"));
}

TEST(PlotRecordTest, SaysInTheRecordWhyAPlotCannotBeDrawn) {
  const Value spec = spec_of("bar", {{"title", text("T")},
                                     {"data", text("result.routes")},
                                     {"x", text("hour")},
                                     {"y", text("flights")}});
  const std::string record = plot_record(spec, result(), 2);
  EXPECT_THAT(
      record,
      HasSubstr(
          R"({"type":"plot","id":2,"kind":"bar","title":"T","error":"no column 'hour': there are month, origin, destination, flights, mean_delay"})"));
}

}  // namespace
}  // namespace penstock::report
