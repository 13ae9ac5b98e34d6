// The peer of the scheduler benchmark: oneTBB's flow graph on the same shapes.
//
//   scheduler_tbb SHAPE THREADS
//
// A continue_node per node, edges made once, the graph run again for each sample (which is how
// oneTBB documents dependency graphs). Measured: put to the sources until wait_for_all returns.
// Not measured: building the graph. Answer: a check run in which each node sums its inputs.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "protocol.h"
#include "shapes.h"
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

namespace {

using penstock::bench::Shape;
using Node = oneapi::tbb::flow::continue_node<oneapi::tbb::flow::continue_msg>;

constexpr std::int32_t kNodes = 200'000;
constexpr int kRuns = 3;

/// The flow graph of a shape; `body(i)` runs when node i fires.
template <class Body>
struct FlowGraph {
  FlowGraph(const Shape& shape, Body body) {
    for (std::int32_t i = 0; i < shape.num_nodes(); ++i) {
      nodes.push_back(
          std::make_unique<Node>(graph, [body, i](const oneapi::tbb::flow::continue_msg& message) {
            body(i);
            return message;
          }));
      for (auto k = shape.begin[static_cast<std::size_t>(i)];
           k < shape.begin[static_cast<std::size_t>(i) + 1]; ++k) {
        oneapi::tbb::flow::make_edge(
            *nodes[static_cast<std::size_t>(shape.from[static_cast<std::size_t>(k)])],
            *nodes.back());
      }
      if (shape.num_inputs(i) == 0) {
        sources.push_back(nodes.back().get());
      }
    }
  }

  void run() {
    for (Node* source : sources) {
      source->try_put(oneapi::tbb::flow::continue_msg());
    }
    graph.wait_for_all();
  }

  oneapi::tbb::flow::graph graph;
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<Node*> sources;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: scheduler_tbb SHAPE THREADS\n";
    return 2;
  }
  const Shape shape = penstock::bench::make_shape(argv[1], kNodes);
  const int threads = std::atoi(argv[2]);
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism,
                                          static_cast<std::size_t>(threads));
  oneapi::tbb::task_arena arena(threads);

  std::vector<std::uint32_t> values(static_cast<std::size_t>(kNodes));
  arena.execute([&] {
    auto sum_inputs = [&](std::int32_t i) {
      std::uint32_t sum = 1;
      for (auto k = shape.begin[static_cast<std::size_t>(i)];
           k < shape.begin[static_cast<std::size_t>(i) + 1]; ++k) {
        sum += values[static_cast<std::size_t>(shape.from[static_cast<std::size_t>(k)])];
      }
      values[static_cast<std::size_t>(i)] = sum;
    };
    FlowGraph(shape, sum_inputs).run();
  });
  if (values != penstock::bench::expected_values(shape)) {
    std::cerr << "scheduler_tbb: the check run is wrong\n";
    return 1;
  }

  auto empty = [](std::int32_t) {};
  std::unique_ptr<FlowGraph<decltype(empty)>> flow;
  arena.execute([&] { flow = std::make_unique<FlowGraph<decltype(empty)>>(shape, empty); });
  arena.execute([&] { flow->run(); });
  return penstock::bench::serve(std::to_string(values.back()), [&] {
    double seconds = 0;
    arena.execute([&] {
      seconds = penstock::bench::timed([&] {
        for (int run = 0; run < kRuns; ++run) {
          flow->run();
        }
      });
    });
    return seconds / kRuns / kNodes;
  });
}
