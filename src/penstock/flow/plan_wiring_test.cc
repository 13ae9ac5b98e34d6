// What is refused when a tube's edges are drawn.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/plan.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::flow {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Spec spec_of(const std::string& yaml) {
  auto spec = parse_spec(yaml);
  PENSTOCK_CHECK(spec.has_value());
  return *std::move(spec);
}

/// "id: message" of every problem.
std::vector<std::string> problems(const Spec& spec) {
  static const core::Registry registry = testing::make_registry();
  static const RegistryResolver resolver(registry);
  const Resolver* resolvers[] = {&resolver};
  std::vector<std::string> out;
  if (const auto plan = Plan::compile(spec, resolvers); !plan.has_value()) {
    for (const Diagnostic& d : plan.error()) {
      out.push_back(fmt::format("{}: {}", d.id, d.message));
    }
  }
  return out;
}

// The reader of files refuses a slot that is named twice; a Spec may come from elsewhere.
void connect_again(Spec& spec, std::string_view node) {
  const auto at = std::ranges::find(spec.nodes, node, &NodeSpec::id);
  at->depends.push_back(at->depends.back());
}

TEST(PlanWiringTest, ASlotIsConnectedOnce) {
  Spec spec = spec_of(R"(nodes:
  n: {type: test.count}
  sum: {type: test.add, depends: [a: n.value, b: n.value]}
)");
  EXPECT_THAT(problems(spec), IsEmpty());
  connect_again(spec, "sum");
  EXPECT_THAT(problems(spec), ElementsAre("PS0104: slot 'b' of node 'sum' is connected twice"));
}

TEST(PlanWiringTest, AKeyOfTheResultIsConnectedOnce) {
  Spec spec = spec_of(R"(nodes:
  n: {type: test.count}
  out: {type: return, depends: [x: n.value, y: n.value]}
)");
  EXPECT_THAT(problems(spec), IsEmpty());
  connect_again(spec, "out");
  EXPECT_THAT(problems(spec), ElementsAre("PS0104: key 'y' of return 'out' is connected twice"));
}

// A nested tube with one input; `sub` and `out` are written into its node and into its return.
std::string nested(const std::string& sub, const std::string& out) {
  return fmt::format(R"(nodes:
  n: {{type: test.count}}
  sub:
    type: tube
    depends: [x: n.value]{}
    params:
      tube:
        input: {{x: {{type: int, scope: process}}}}
        nodes:
          twice: {{type: test.add, depends: [a: input.x, b: input.x]}}
          out: {{type: return, depends: twice.value{}}}
)",
                     sub, out);
}

TEST(PlanWiringTest, AnInputOfANestedTubeIsConnectedOnce) {
  Spec spec = spec_of(nested("", ""));
  EXPECT_THAT(problems(spec), IsEmpty());
  connect_again(spec, "sub");
  EXPECT_THAT(problems(spec), ElementsAre("PS0104: slot 'x' of node 'sub' is connected twice"));
}

TEST(PlanWiringTest, ANestedTubeAndItsReturnCallNothing) {
  EXPECT_THAT(
      problems(spec_of(nested("\n    timeout_ms: 5", ""))),
      ElementsAre("PS0127: node 'sub' has the policy 'timeout_ms', but a tube calls nothing"));
  EXPECT_THAT(problems(spec_of(nested("", ", retry: 2"))),
              ElementsAre("PS0127: node 'out' has the policy 'retry', but a return calls nothing"));
  EXPECT_THAT(problems(spec_of(nested("", ", params: {k: 1}"))),
              ElementsAre("PS0202: unknown parameter 'k' of node 'out': a return takes none"));
}

}  // namespace
}  // namespace penstock::flow
