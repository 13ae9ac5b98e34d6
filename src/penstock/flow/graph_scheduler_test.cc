#include "penstock/flow/graph_scheduler.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

using Refusal = GraphScheduler::Refusal;
using Graph = std::vector<std::vector<std::int32_t>>;  ///< node -> predecessors

std::vector<GraphScheduler::Edge> edges_of(const Graph& graph) {
  std::vector<GraphScheduler::Edge> edges;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    for (const std::int32_t from : graph[node]) {
      edges.push_back({.node = static_cast<std::int32_t>(node), .predecessor = from});
    }
  }
  return edges;
}

GraphScheduler make(const Graph& graph) {
  return {graph.size(), edges_of(graph)};
}

std::vector<std::int32_t> cycle_of(const Graph& graph) {
  return make(graph).find_cycle(edges_of(graph));
}

/// complete(), and what became ready by it.
Refusal complete(GraphScheduler& scheduler, std::int32_t node, std::vector<std::int32_t>& newly) {
  const std::size_t before = scheduler.ready().size();
  const Refusal refusal = scheduler.complete(node);
  const auto found = scheduler.ready().subspan(before);
  newly.assign(found.begin(), found.end());
  return refusal;
}

std::vector<std::int32_t> take(GraphScheduler& scheduler, std::size_t limit = SIZE_MAX) {
  std::vector<std::int32_t> out;
  scheduler.take(limit, [&](std::int32_t node) { out.push_back(node); });
  return out;
}

TEST(GraphSchedulerTest, ADiamondIsDrainedInOrder) {
  std::vector<std::int32_t> newly;
  GraphScheduler scheduler = make({{}, {0}, {0}, {1, 2}});
  EXPECT_FALSE(scheduler.is_complete());
  EXPECT_EQ(take(scheduler), std::vector<std::int32_t>{0});
  EXPECT_EQ(take(scheduler), std::vector<std::int32_t>{});
  EXPECT_EQ(complete(scheduler, 0, newly), Refusal::kNone);
  EXPECT_EQ(newly, (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(take(scheduler, 1), std::vector<std::int32_t>{1});
  EXPECT_EQ(complete(scheduler, 1, newly), Refusal::kNone);
  EXPECT_EQ(newly, std::vector<std::int32_t>{});
  EXPECT_EQ(complete(scheduler, 2, newly), Refusal::kNone) << "ready, and not taken";
  EXPECT_EQ(newly, std::vector<std::int32_t>{3});
  EXPECT_EQ(take(scheduler), std::vector<std::int32_t>{3}) << "a completed node is not given";
  EXPECT_EQ(complete(scheduler, 3, newly), Refusal::kNone);
  EXPECT_TRUE(scheduler.is_complete());
}

TEST(GraphSchedulerTest, WhatIsNotReadyIsRefused) {
  std::vector<std::int32_t> newly;
  GraphScheduler scheduler = make({{}, {0, 0}});
  EXPECT_EQ(complete(scheduler, 1, newly), Refusal::kWaiting);
  EXPECT_EQ(scheduler.num_missing(1), 2U);
  EXPECT_EQ(complete(scheduler, 0, newly), Refusal::kNone);
  EXPECT_EQ(complete(scheduler, 0, newly), Refusal::kCompleted);
  EXPECT_TRUE(newly.empty());
  EXPECT_EQ(take(scheduler), std::vector<std::int32_t>{1});
}

TEST(GraphSchedulerTest, ResetStartsAnew) {
  GraphScheduler scheduler = make({{}, {0}});
  for (int pass = 0; pass < 3; ++pass) {
    EXPECT_EQ(take(scheduler), std::vector<std::int32_t>{0});
    EXPECT_EQ(scheduler.complete(0), Refusal::kNone);
    scheduler.reset();
    EXPECT_EQ(scheduler.complete(1), Refusal::kWaiting);
  }
}

TEST(GraphSchedulerTest, AnEmptyGraphIsComplete) {
  GraphScheduler nothing;
  EXPECT_TRUE(nothing.is_complete());
  GraphScheduler empty = make({});
  EXPECT_TRUE(empty.is_complete());
  EXPECT_TRUE(take(empty).empty());
  EXPECT_TRUE(cycle_of({}).empty());
}

TEST(GraphSchedulerTest, ACycleIsNamedInOrder) {
  EXPECT_EQ(cycle_of({{0}}), std::vector<std::int32_t>{0});
  EXPECT_EQ(cycle_of({{}, {0, 3}, {1}, {2}}), (std::vector<std::int32_t>{2, 3, 1}));
  EXPECT_TRUE(cycle_of({{}, {0}, {0, 1}}).empty());
}

/// Sets and whole scans instead of counts.
struct Oracle {
  const Graph& graph;
  std::set<std::int32_t> done, given;

  bool is_ready(std::int32_t node) const {
    return !done.contains(node) &&
           std::ranges::all_of(graph[static_cast<std::size_t>(node)],
                               [&](std::int32_t from) { return done.contains(from); });
  }
  std::set<std::int32_t> ready() const {
    std::set<std::int32_t> out;
    for (std::int32_t node = 0; node < static_cast<std::int32_t>(graph.size()); ++node) {
      if (is_ready(node)) {
        out.insert(node);
      }
    }
    return out;
  }
};

TEST(GraphSchedulerTest, RandomGraphsAreDrainedAsTheOracleSays) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Graph graph(1 + random() % 20);
    const bool has_cycles = seed % 5 == 0;
    for (std::size_t node = 0; node < graph.size(); ++node) {
      const std::size_t limit = has_cycles ? graph.size() : node;
      for (std::size_t i = random() % 4; i > 0 && limit > 0; --i) {
        graph[node].push_back(static_cast<std::int32_t>(random() % limit));
      }
    }
    GraphScheduler scheduler = make(graph);
    Oracle oracle{.graph = graph, .done = {}, .given = {}};
    const std::vector<std::int32_t> cycle = scheduler.find_cycle(edges_of(graph));
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      const auto& row = graph[static_cast<std::size_t>(cycle[(i + 1) % cycle.size()])];
      ASSERT_NE(std::ranges::find(row, cycle[i]), row.end()) << "seed " << seed;
    }
    for (std::size_t step = 0; step < 4 * graph.size(); ++step) {
      for (const std::int32_t node : take(scheduler, random() % 3)) {
        ASSERT_TRUE(oracle.is_ready(node)) << "seed " << seed;
        ASSERT_TRUE(oracle.given.insert(node).second) << "seed " << seed;
      }
      const auto node = static_cast<std::int32_t>(random() % graph.size());
      const std::set<std::int32_t> before = oracle.ready();
      const Refusal expected = oracle.done.contains(node) ? Refusal::kCompleted
                               : oracle.is_ready(node)    ? Refusal::kNone
                                                          : Refusal::kWaiting;
      std::vector<std::int32_t> found;
      ASSERT_EQ(complete(scheduler, node, found), expected) << "seed " << seed;
      std::set<std::int32_t> wanted;
      if (expected == Refusal::kNone) {
        oracle.done.insert(node);
        std::ranges::set_difference(oracle.ready(), before, std::inserter(wanted, wanted.end()));
      }
      ASSERT_EQ(std::set<std::int32_t>(found.begin(), found.end()), wanted) << "seed " << seed;
      ASSERT_EQ(found.size(), wanted.size()) << "seed " << seed;
      ASSERT_EQ(scheduler.is_complete(), oracle.done.size() == graph.size());
    }
    bool is_stuck = false;
    while (!is_stuck) {
      const std::set<std::int32_t> ready = oracle.ready();
      is_stuck = ready.empty();
      for (const std::int32_t node : ready) {
        ASSERT_EQ(scheduler.complete(node), Refusal::kNone);
        oracle.done.insert(node);
      }
    }
    ASSERT_EQ(scheduler.is_complete(), cycle.empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace penstock::flow
