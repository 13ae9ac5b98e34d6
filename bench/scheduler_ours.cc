// Our side of the scheduler benchmark: a Plan of native operators with an empty body.
//
//   scheduler_ours SHAPE THREADS
//
// Measured: Runner::process() of a compiled plan, one root epoch per run, per node; each node emits
// a null, so a value flows along every edge. THREADS 1 is the inline executor, 2 the thread
// executor. Not measured: compiling the plan (timed apart and written to stderr). Answer: a check
// run in which each node sums its inputs, against the serial oracle.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "empty_plan.h"
#include "protocol.h"
#include "shapes.h"

#include "penstock/exec/inline_executor.h"
#include "penstock/exec/thread_executor.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/runner.h"

namespace {

using penstock::bench::Shape;
namespace flow = penstock::flow;

constexpr std::int32_t kNodes = 200'000;
constexpr int kRuns = 5;

std::unique_ptr<flow::Runner> make_runner(const Shape& shape, const std::string& type,
                                          bool with_return, int threads) {
  static const penstock::bench::BenchResolver resolver;
  const flow::Resolver* const resolvers[] = {&resolver};
  const flow::Spec spec = penstock::bench::make_spec(shape, type, with_return);
  std::shared_ptr<const flow::Plan> plan;
  const double seconds = penstock::bench::timed([&] {
    auto compiled = flow::Plan::compile(spec, resolvers);
    if (!compiled) {
      std::cerr << "scheduler_ours: the plan does not compile\n";
      std::exit(1);
    }
    plan = *compiled;
  });
  std::cerr << "compiled " << shape.num_nodes() << " nodes in " << seconds << " s\n";
  std::unique_ptr<flow::Executor> executor;
  if (threads == 1) {
    executor = std::make_unique<penstock::exec::InlineExecutor>();
  } else {
    executor = std::make_unique<penstock::exec::ThreadExecutor>(threads);
  }
  auto runner = std::make_unique<flow::Runner>(plan, std::move(executor), flow::RunnerOptions{});
  if (!runner->init()) {
    std::cerr << "scheduler_ours: the runner does not start\n";
    std::exit(1);
  }
  return runner;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: scheduler_ours SHAPE THREADS\n";
    return 2;
  }
  const Shape shape = penstock::bench::make_shape(argv[1], kNodes);
  const int threads = std::atoi(argv[2]);
  const std::uint32_t expected = penstock::bench::expected_values(shape).back();
  const auto checked = make_runner(shape, "bench.sum", true, threads)->process();
  if (!checked || checked->value.as_int() != expected) {
    std::cerr << "scheduler_ours: the check run is wrong\n";
    return 1;
  }
  const auto runner = make_runner(shape, "bench.empty", false, threads);
  if (!runner->process()) {
    return 1;
  }
  return penstock::bench::serve(std::to_string(expected), [&] {
    return penstock::bench::timed([&] {
             for (int run = 0; run < kRuns; ++run) {
               if (!runner->process()) {
                 std::exit(1);
               }
             }
           }) /
           kRuns / kNodes;
  });
}
