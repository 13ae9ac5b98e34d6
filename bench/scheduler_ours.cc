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

#include "protocol.h"
#include "shapes.h"

#include "penstock/core/operator.h"
#include "penstock/exec/inline_executor.h"
#include "penstock/exec/thread_executor.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/runner.h"

namespace {

using penstock::bench::Shape;
using penstock::core::Call;
using penstock::core::Step;
using penstock::core::Value;
namespace base = penstock::base;
namespace core = penstock::core;
namespace flow = penstock::flow;

constexpr std::int32_t kNodes = 200'000;
constexpr int kRuns = 5;

class Empty : public core::Operator {
 public:
  base::Result<Step> call(Call& call) const override {
    call.outputs[0] = Value::null();
    return Step::kDone;
  }
};

class SumInputs : public core::Operator {
 public:
  base::Result<Step> call(Call& call) const override {
    std::uint32_t sum = 1;
    for (const Value* input : call.inputs) {
      sum += static_cast<std::uint32_t>(input->as_int());
    }
    call.outputs[0] = Value::integer(sum);
    return Step::kDone;
  }
};

/// "bench.empty" and "bench.sum": any number of positional inputs, one signal.
class BenchType : public core::NodeType {
 public:
  explicit BenchType(std::shared_ptr<const core::Operator> op) : op_(std::move(op)) {
    signature_.any_positional = true;
  }
  const core::Signature& signature() const override { return signature_; }
  base::Result<std::shared_ptr<const core::Operator>> bind(
      std::span<const core::Binding> /*bindings*/) const override {
    return op_;
  }
  std::string identity() const override { return "bench"; }

 private:
  core::Signature signature_;
  std::shared_ptr<const core::Operator> op_;
};

class BenchResolver : public flow::Resolver {
 public:
  base::Result<std::unique_ptr<core::NodeType>> resolve(const flow::NodeSpec& node,
                                                        const Value& /*params*/) const override {
    return std::make_unique<BenchType>(node.type == "bench.sum" ? sum_ : empty_);
  }

 private:
  std::shared_ptr<const core::Operator> empty_ = std::make_shared<Empty>();
  std::shared_ptr<const core::Operator> sum_ = std::make_shared<SumInputs>();
};

flow::Spec make_spec(const Shape& shape, const std::string& type, bool with_return) {
  flow::Spec spec;
  spec.noob_id = "bench";
  for (std::int32_t i = 0; i < shape.num_nodes(); ++i) {
    flow::NodeSpec node;
    node.id = "n" + std::to_string(i);
    node.type = type;
    for (auto k = shape.begin[static_cast<std::size_t>(i)];
         k < shape.begin[static_cast<std::size_t>(i) + 1]; ++k) {
      flow::Dependency edge;
      edge.position = static_cast<std::int32_t>(node.depends.size());
      edge.node = "n" + std::to_string(shape.from[static_cast<std::size_t>(k)]);
      edge.signal = "value";
      node.depends.push_back(std::move(edge));
    }
    node.depends_form =
        node.depends.empty() ? flow::DependsForm::kNone : flow::DependsForm::kPositional;
    spec.nodes.push_back(std::move(node));
  }
  if (with_return) {
    flow::NodeSpec node;
    node.id = "r";
    node.type = "return";
    node.depends_form = flow::DependsForm::kScalar;
    flow::Dependency edge;
    edge.position = 0;
    edge.node = "n" + std::to_string(shape.num_nodes() - 1);
    edge.signal = "value";
    node.depends.push_back(std::move(edge));
    spec.nodes.push_back(std::move(node));
  }
  return spec;
}

std::unique_ptr<flow::Runner> make_runner(const Shape& shape, const std::string& type,
                                          bool with_return, int threads) {
  static const BenchResolver resolver;
  const flow::Resolver* const resolvers[] = {&resolver};
  const flow::Spec spec = make_spec(shape, type, with_return);
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
