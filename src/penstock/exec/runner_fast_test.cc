// Random graphs of tiny native nodes, some of which now and then give nothing or fail: whatever
// short cut the loop takes, exactly the nodes that a serial evaluation would run have run, on the
// same values, epoch after epoch.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/exec/inline_executor.h"
#include "penstock/exec/thread_executor.h"
#include "penstock/flow/metrics.h"
#include "penstock/flow/runner.h"

namespace penstock::exec {
namespace {

using core::Value;

enum class Role : std::uint8_t { kSum, kGate, kBomb };

// What a node gives: the sum of its inputs and its own number; nothing when a gate's sum is in the
// wrong residue class; an error when a bomb's is.
struct Rule {
  Role role;
  std::int64_t number;

  std::int64_t sum(std::int64_t inputs) const { return (inputs + number) % 1'000'003; }
  bool strikes(std::int64_t sum) const {
    return (role == Role::kGate && sum % 50 == 7) || (role == Role::kBomb && sum % 400 == 11);
  }
};

constexpr std::int64_t kNotRun = -1;

class RuleOperator : public core::Operator {
 public:
  RuleOperator(Rule rule, std::atomic<std::int64_t>& seen) : rule_(rule), seen_(seen) {}
  base::Result<core::Step> call(core::Call& call) const override {
    std::int64_t inputs = 0;
    for (const Value* input : call.inputs) {
      inputs += input->as_int();
    }
    const std::int64_t sum = rule_.sum(inputs);
    EXPECT_EQ(seen_.exchange(sum), kNotRun);
    if (rule_.strikes(sum)) {
      if (rule_.role == Role::kBomb) {
        return base::fail(base::ErrorCode::kInvalidArgument, "a bomb");
      }
      return core::Step::kDone;
    }
    call.outputs[0] = Value::integer(sum);
    return core::Step::kDone;
  }

 private:
  Rule rule_;
  std::atomic<std::int64_t>& seen_;
};

class RuleType : public core::NodeType {
 public:
  explicit RuleType(std::shared_ptr<const core::Operator> op) : op_(std::move(op)) {
    signature_.any_positional = true;
  }
  const core::Signature& signature() const override { return signature_; }
  base::Result<std::shared_ptr<const core::Operator>> bind(
      std::span<const core::Binding> /*bindings*/) const override {
    return op_;
  }
  std::string identity() const override { return "rule"; }

 private:
  core::Signature signature_;
  std::shared_ptr<const core::Operator> op_;
};

// A graph, its Spec, and what serial evaluation says.
class Graph : public flow::Resolver {
 public:
  Graph(std::size_t num_nodes, Role worst, std::uint64_t seed) : random_(seed), seen_(num_nodes) {
    spec_.noob_id = "rules";
    flow::InputSpec input;
    input.id = "x";
    input.type = "int";
    input.scope = flow::Scope::kProcess;
    spec_.inputs.push_back(input);
    for (std::size_t i = 0; i < num_nodes; ++i) {
      add_node(i, worst);
    }
  }

  base::Result<std::unique_ptr<core::NodeType>> resolve(const flow::NodeSpec& node,
                                                        const Value& /*params*/) const override {
    const auto i = static_cast<std::size_t>(std::stoul(node.id.substr(1)));
    return std::make_unique<RuleType>(std::make_shared<RuleOperator>(rules_[i], seen_[i]));
  }

  const flow::Spec& spec() const { return spec_; }
  void forget() {
    for (auto& seen : seen_) {
      seen = kNotRun;
    }
  }
  /// The sums of the nodes that run in an epoch with input `x`, by node; nullopt when one fails.
  /// `off`: disabled nodes.
  std::optional<std::vector<std::int64_t>> evaluate(std::int64_t x,
                                                    const std::set<std::size_t>& off = {}) const {
    std::vector<std::int64_t> sums(rules_.size(), kNotRun);
    std::vector<bool> present(rules_.size(), false);
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      bool runs = !off.contains(i);
      std::int64_t inputs = from_[i].empty() ? x : 0;
      for (const std::size_t producer : from_[i]) {
        runs = runs && present[producer];
        inputs += sums[producer];
      }
      if (!runs) {
        continue;
      }
      sums[i] = rules_[i].sum(inputs);
      if (rules_[i].strikes(sums[i]) && rules_[i].role == Role::kBomb) {
        return std::nullopt;
      }
      present[i] = !rules_[i].strikes(sums[i]);
    }
    return sums;
  }
  std::vector<std::int64_t> seen() const { return {seen_.begin(), seen_.end()}; }

 private:
  void add_node(std::size_t i, Role worst) {
    flow::NodeSpec node;
    node.id = "n" + std::to_string(i);
    node.type = "rule";
    node.depends_form = flow::DependsForm::kPositional;
    std::vector<std::size_t> from;
    const std::size_t count = i < 3 ? 0 : random_() % 4;
    for (std::size_t k = 0; k < count; ++k) {
      from.push_back(i - 1 - random_() % std::min<std::size_t>(i, 40));
    }
    for (const std::size_t producer : from) {
      add_edge(node, "n" + std::to_string(producer), "value");
    }
    if (from.empty()) {
      add_edge(node, "input", "x");
    }
    spec_.nodes.push_back(std::move(node));
    from_.push_back(std::move(from));
    const bool is_plain = random_() % 30 != 0;
    rules_.push_back({is_plain ? Role::kSum : worst, static_cast<std::int64_t>(i)});
  }
  static void add_edge(flow::NodeSpec& node, const std::string& from, const std::string& signal) {
    flow::Dependency edge;
    edge.position = static_cast<std::int32_t>(node.depends.size());
    edge.node = from;
    edge.signal = signal;
    node.depends.push_back(std::move(edge));
  }

  std::mt19937_64 random_;
  flow::Spec spec_;
  std::vector<Rule> rules_;
  std::vector<std::vector<std::size_t>> from_;
  mutable std::vector<std::atomic<std::int64_t>> seen_;
};

std::unique_ptr<flow::Executor> make_executor(int threads) {
  if (threads > 0) {
    return std::make_unique<ThreadExecutor>(threads);
  }
  return std::make_unique<InlineExecutor>();
}

struct Setup {
  std::size_t num_nodes;
  int threads;  // 0 = inline
  Role worst;
};

class RunnerFastTest : public ::testing::TestWithParam<Setup> {};

INSTANTIATE_TEST_SUITE_P(Graphs, RunnerFastTest,
                         ::testing::Values(Setup{5'000, 0, Role::kSum},
                                           Setup{5'000, 0, Role::kGate},
                                           Setup{5'000, 0, Role::kBomb}, Setup{60, 0, Role::kGate},
                                           Setup{60, 2, Role::kSum}, Setup{60, 2, Role::kGate},
                                           Setup{60, 2, Role::kBomb},
                                           Setup{5'000, 2, Role::kGate}));

TEST_P(RunnerFastTest, RunsWhatASerialEvaluationRuns) {
  const auto [num_nodes, threads, worst] = GetParam();
  const std::uint64_t first_seed = std::random_device()();
  const int num_graphs = num_nodes > 1'000 ? 3 : 20;
  std::int64_t num_failed = 0, num_whole = 0;
  for (std::uint64_t seed = first_seed; seed < first_seed + static_cast<std::uint64_t>(num_graphs);
       ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Graph graph(num_nodes, worst, seed);
    const flow::Resolver* const resolvers[] = {&graph};
    const auto plan = flow::Plan::compile(graph.spec(), resolvers);
    ASSERT_TRUE(plan.has_value()) << flow::to_error(plan.error()).message();
    flow::Runner runner(*plan, make_executor(threads), {});
    std::int64_t num_runs = 0;
    bool any_failed = false;
    for (std::int64_t x = 0; x < 150; ++x) {
      graph.forget();
      const auto result = runner.process(Value::map({{"x", Value::integer(x)}}));
      const auto expected = graph.evaluate(x);
      ASSERT_EQ(result.has_value(), expected.has_value()) << "x " << x;
      num_whole += expected.has_value() ? 1 : 0;
      num_failed += expected.has_value() ? 0 : 1;
      any_failed |= !expected.has_value();
      if (expected.has_value()) {
        ASSERT_EQ(graph.seen(), *expected) << "x " << x;
        num_runs += std::ranges::count_if(*expected, [](auto sum) { return sum != kNotRun; });
      }
    }
    std::int64_t counted = 0;
    for (const flow::NodeMetrics& node : runner.metrics().nodes()) {
      counted += node.runs;
    }
    EXPECT_TRUE(any_failed || counted == num_runs) << counted << " and " << num_runs;
  }
  EXPECT_GT(num_whole, 0);
  EXPECT_EQ(num_failed > 0, worst == Role::kBomb);
}

// Nodes are switched off, and on again after a while, so that every short cut is left and taken up.
TEST_P(RunnerFastTest, RunsWhatIsSwitchedOn) {
  const auto [num_nodes, threads, worst] = GetParam();
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Graph graph(num_nodes, worst, seed);
  const flow::Resolver* const resolvers[] = {&graph};
  const auto plan = flow::Plan::compile(graph.spec(), resolvers);
  ASSERT_TRUE(plan.has_value()) << flow::to_error(plan.error()).message();
  flow::Runner runner(*plan, make_executor(threads), {});
  std::mt19937_64 random(seed);
  std::set<std::size_t> off;
  for (std::int64_t x = 0; x < 200; ++x) {
    if (x % 20 < 3) {
      const std::size_t node = random() % num_nodes;
      ASSERT_TRUE(runner.disable_node("n" + std::to_string(node)).has_value());
      off.insert(node);
    } else if (x % 20 == 10) {
      for (const std::size_t node : off) {
        ASSERT_TRUE(runner.enable_node("n" + std::to_string(node)).has_value());
      }
      off.clear();
    }
    graph.forget();
    const auto result = runner.process(Value::map({{"x", Value::integer(x)}}));
    const auto expected = graph.evaluate(x, off);
    ASSERT_EQ(result.has_value(), expected.has_value()) << "x " << x;
    if (expected.has_value()) {
      ASSERT_EQ(graph.seen(), *expected) << "x " << x;
    }
  }
}

}  // namespace
}  // namespace penstock::exec
