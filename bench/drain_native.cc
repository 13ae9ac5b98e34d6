// Our side of bench/drain.py in C++: one pass over a graph that takes batches of ready nodes and
// completes them. The graph is read from a file: per line the predecessors of a node.
//
//   drain_native FILE
//
// A sample is the median of 21 passes, reset() included. The graph is built before. Answer: the sum
// over all nodes of (place in the order) * (number of the node), modulo 2^32.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "protocol.h"

#include "penstock/flow/graph_scheduler.h"

namespace {

using penstock::flow::GraphScheduler;

constexpr std::size_t kBatch = 64;

std::uint32_t drain(GraphScheduler& scheduler, std::vector<std::int32_t>& batch) {
  scheduler.reset();
  std::uint32_t answer = 0;
  std::uint32_t place = 0;
  while (!scheduler.is_complete()) {
    batch.clear();
    scheduler.take(kBatch, [&](std::int32_t node) { batch.push_back(node); });
    for (const std::int32_t node : batch) {
      answer += place++ * static_cast<std::uint32_t>(node);
      if (scheduler.complete(node) != GraphScheduler::Refusal::kNone) {
        std::exit(1);
      }
    }
  }
  return answer;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: drain_native FILE\n";
    return 2;
  }
  std::vector<GraphScheduler::Edge> edges;
  std::int32_t num_nodes = 0;
  std::ifstream file(argv[1]);
  for (std::string line; std::getline(file, line); ++num_nodes) {
    std::istringstream row(line);
    for (std::int32_t from = 0; row >> from;) {
      edges.push_back({.node = num_nodes, .predecessor = from});
    }
  }
  GraphScheduler scheduler(static_cast<std::size_t>(num_nodes), edges);
  std::vector<std::int32_t> batch;
  batch.reserve(kBatch);
  const std::uint32_t answer = drain(scheduler, batch);
  return penstock::bench::serve(std::to_string(answer), [&] {
    std::array<double, 21> seconds{};
    for (double& taken : seconds) {
      taken = penstock::bench::timed([&] { drain(scheduler, batch); });
    }
    std::ranges::nth_element(seconds, seconds.begin() + 10);
    return seconds[10];
  });
}
