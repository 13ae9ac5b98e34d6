// What is known before a run is given, and what is needed for nothing else does not run.
#include "penstock/flow/plan_reduce.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;
using core::Value;
using ::testing::UnorderedElementsAre;

core::Registry make_kept_registry() {
  core::Registry registry = testing::make_registry();
  core::OperatorSpec reads = testing::make_spec("test.read", {"path"});
  reads.reads_files = {"path"};
  reads.keeps_results = true;
  testing::add_function(registry, reads, [](core::Call&) { return core::Step::kDone; });
  core::OperatorSpec writes = testing::make_spec("test.write", {"value"});
  writes.has_effects = true;
  testing::add_function(registry, writes, [](core::Call&) { return core::Step::kDone; });
  return registry;
}

class PlanReduceTest : public ::testing::Test {
 protected:
  PlanReduceTest() {
    std::string name = (fs::temp_directory_path() / "penstock-reduce-XXXXXX").string();
    PENSTOCK_CHECK(mkdtemp(name.data()) != nullptr);
    home_ = name;
    cache_ = *ResultCache::open(home_.string());
  }
  ~PlanReduceTest() override { fs::remove_all(home_); }

  static std::shared_ptr<const Plan> compile(std::string_view tube) {
    static const core::Registry registry = make_kept_registry();
    static const RegistryResolver resolver(registry);
    const std::array<const Resolver*, 1> resolvers{&resolver};
    const auto spec = parse_spec(tube, "tube.yaml");
    if (!spec.has_value()) {
      ADD_FAILURE() << to_error(spec.error()).message();
      return nullptr;
    }
    const auto plan = Plan::compile(*spec, resolvers, Value::map({}));
    if (!plan.has_value()) {
      ADD_FAILURE() << to_error(plan.error()).message();
      return nullptr;
    }
    return *plan;
  }

  std::shared_ptr<const Plan> reduce(std::string_view tube, std::vector<Value> inputs = {}) {
    return PlanReducer(compile(tube), inputs, *cache_).reduce();
  }

  static const NodeReuse& facts(const Plan& plan, std::string_view id) {
    return plan.reuse()->nodes[static_cast<std::size_t>(plan.find_node(id))];
  }

  /// As a run would that computes `value` in node `id`.
  void keep(const Plan& plan, std::string_view id, const Value& value) {
    const std::vector<Value> outputs{value};
    const auto kept = cache_->keep(*facts(plan, id).lineage, {.node = std::string(id)}, outputs);
    ASSERT_TRUE(kept.has_value()) << kept.error().to_string();
  }

  /// Nodes that would be called.
  static std::vector<std::string> called(const Plan& plan) {
    std::vector<std::string> out;
    for (std::size_t i = 1; i < plan.nodes().size(); ++i) {
      const PlanNode& node = plan.nodes()[i];
      if (node.kind == NodeKind::kOperator && node.enabled && !plan.reuse()->nodes[i].is_given) {
        out.push_back(node.id);
      }
    }
    return out;
  }

  fs::path home_;
  std::shared_ptr<ResultCache> cache_;
};

constexpr std::string_view kChain = R"(input:
  n: {type: int, scope: process}
nodes:
  first: {type: test.range, depends: [n: input.n], cache: true}
  other: {type: test.add, depends: [a: input.n, b: input.n]}
  last: {type: test.add, depends: [a: first.value, b: other.value], cache: true}
  out: {type: return, depends: last.value}
)";

TEST_F(PlanReduceTest, LeavesAPlanAloneThatKeepsNothing) {
  const auto plan =
      compile("nodes:\n  a: {type: test.count}\n  out: {type: return, depends: a.value}\n");
  EXPECT_EQ(PlanReducer(plan, {}, *cache_).reduce(), plan);
}

TEST_F(PlanReduceTest, GivesWhatIsKnownAndCallsTheRest) {
  const auto cold = reduce(kChain, {Value::integer(3)});
  EXPECT_THAT(called(*cold), UnorderedElementsAre("first", "other", "last"));
  keep(*cold, "first", Value::list({Value::integer(0)}));
  const auto warm = reduce(kChain, {Value::integer(3)});
  EXPECT_THAT(called(*warm), UnorderedElementsAre("other", "last"));
  EXPECT_TRUE(facts(*warm, "first").is_given);
}

TEST_F(PlanReduceTest, DoesNotCallWhatOnlyKnownNodesNeed) {
  const auto cold = reduce(kChain, {Value::integer(3)});
  keep(*cold, "last", Value::integer(9));
  EXPECT_THAT(called(*reduce(kChain, {Value::integer(3)})), UnorderedElementsAre());
}

TEST_F(PlanReduceTest, AnotherInputIsAnotherLineage) {
  const auto cold = reduce(kChain, {Value::integer(3)});
  keep(*cold, "last", Value::integer(9));
  EXPECT_THAT(called(*reduce(kChain, {Value::integer(4)})),
              UnorderedElementsAre("first", "other", "last"));
}

TEST_F(PlanReduceTest, NamesAndOrderDoNotMatter) {
  keep(*reduce(kChain, {Value::integer(3)}), "last", Value::integer(9));
  const auto other = reduce(R"(# the same
input: {n: {scope: process, type: int}}
nodes:
  end: {cache: true, depends: [{b: plus.value}, {a: begin.value}], type: test.add}
  out: {depends: end.value, type: return}
  plus: {type: test.add, depends: [{b: input.n}, {a: input.n}]}
  begin: {type: test.range, depends: [n: input.n], cache: true}
)",
                            {Value::integer(3)});
  EXPECT_THAT(called(*other), UnorderedElementsAre());
}

TEST_F(PlanReduceTest, WiringMatters) {
  const auto cold = reduce(kChain, {Value::integer(3)});
  keep(*cold, "last", Value::integer(9));
  std::string crossed(kChain);
  const std::string from = "[a: first.value, b: other.value]";
  crossed.replace(crossed.find(from), from.size(), "[b: first.value, a: other.value]");
  EXPECT_THAT(called(*reduce(crossed, {Value::integer(3)})),
              UnorderedElementsAre("first", "other", "last"));
}

TEST_F(PlanReduceTest, WhatHasEffectsIsCalledWithAllItNeeds) {
  const std::string tube =
      std::string(kChain) + "  file: {type: test.write, depends: [value: other.value]}\n";
  const auto cold = reduce(tube, {Value::integer(3)});
  keep(*cold, "last", Value::integer(9));
  EXPECT_THAT(called(*reduce(tube, {Value::integer(3)})), UnorderedElementsAre("other", "file"));
}

TEST_F(PlanReduceTest, AMapOverAKnownListRuns) {
  constexpr std::string_view kTube = R"(input:
  n: {type: int, scope: process}
nodes:
  list: {type: test.range, depends: [n: input.n], cache: true}
  each: {type: map, depends: list.value}
  twice: {type: test.add, depends: [a: each.value, b: each.value]}
  all: {type: gather, depends: twice.value}
  out: {type: return, depends: all.value}
)";
  const auto cold = reduce(kTube, {Value::integer(3)});
  keep(*cold, "list", Value::list({Value::integer(0), Value::integer(1)}));
  EXPECT_THAT(called(*reduce(kTube, {Value::integer(3)})), UnorderedElementsAre("twice"));
}

TEST_F(PlanReduceTest, AFileCountsByWhatItHolds) {
  const std::string file = (home_ / "data").string();
  std::ofstream(file) << "one";
  const std::string tube = fmt::format(
      "input:\n  path: {{type: str, scope: process}}\nnodes:\n  read: {{type: test.read, depends: "
      "[path: input.path]}}\n  out: {{type: return, depends: read.value}}\n");
  const auto inputs = [&file] { return std::vector<Value>{Value::text(file)}; };
  keep(*reduce(tube, inputs()), "read", Value::text("one"));
  EXPECT_THAT(called(*reduce(tube, inputs())), UnorderedElementsAre());
  std::ofstream(file) << "two";
  EXPECT_THAT(called(*reduce(tube, inputs())), UnorderedElementsAre("read"));
  std::ofstream(file) << "one";
  EXPECT_THAT(called(*reduce(tube, inputs())), UnorderedElementsAre());
  fs::remove(file);
  EXPECT_THAT(called(*reduce(tube, inputs())), UnorderedElementsAre("read"));
}

TEST_F(PlanReduceTest, AKnownResultThatCannotBeReadIsNotKnown) {
  const auto cold = reduce(kChain, {Value::integer(3)});
  keep(*cold, "first", Value::list({Value::integer(0)}));
  keep(*cold, "last", Value::bytes(std::string(9'000, 'x')));
  const std::string hex = facts(*cold, "last").lineage->to_hex();
  std::fstream(home_ / "cache" / hex.substr(0, 2) / hex, std::ios::in | std::ios::out)
          .seekp(-9, std::ios::end)
      << "damaged";
  EXPECT_THAT(called(*reduce(kChain, {Value::integer(3)})), UnorderedElementsAre("other", "last"));
}

}  // namespace
}  // namespace penstock::flow
