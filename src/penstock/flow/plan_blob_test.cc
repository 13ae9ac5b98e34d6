// A plan goes through its bytes unchanged, whatever its inputs; other bytes are refused.
#include "penstock/flow/plan_blob.h"

#include <array>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/core/identity.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::flow {
namespace {

using core::Value;
using ::testing::HasSubstr;

constexpr std::string_view kTube = R"(input:
  limit: {type: int}
  payload: {type: any, default: null}
nodes:
  count: {type: test.count, params: {limit: input.limit}}
  add: {type: test.add, depends: [a: count.value, b: count.value]}
  out: {type: return, depends: [sum: add.value, payload: input.payload]}
)";

std::shared_ptr<const Plan> compile(const Spec& spec, const Value& tube_inputs) {
  static const core::Registry registry = testing::make_registry();
  static const RegistryResolver resolver(registry);
  const std::array<const Resolver*, 1> resolvers{&resolver};
  auto plan = Plan::compile(spec, resolvers, tube_inputs);
  if (!plan.has_value()) {
    ADD_FAILURE() << to_error(plan.error()).message();
    return nullptr;
  }
  return *plan;
}

std::shared_ptr<const Plan> compile_tube(const Value& tube_inputs) {
  auto spec = parse_spec(kTube, "dir/tube.yaml");
  if (!spec.has_value()) {
    ADD_FAILURE() << to_error(spec.error()).message();
    return nullptr;
  }
  return compile(*spec, tube_inputs);
}

TEST(PlanBlobTest, GivesTheSamePlanAgain) {
  const Value inputs = Value::map({{"limit", Value::integer(7)}});
  const auto plan = compile_tube(inputs);
  const auto bytes = write_plan_blob(*plan, inputs, Value::text("host"));
  ASSERT_TRUE(bytes.has_value()) << bytes.error().to_string();
  const auto blob = read_plan_blob(*bytes);
  ASSERT_TRUE(blob.has_value()) << blob.error().to_string();
  EXPECT_EQ(blob->spec->file, "dir/tube.yaml");
  EXPECT_EQ(blob->host.as_text(), "host");
  EXPECT_EQ(compile(*blob->spec, blob->tube_inputs)->digest(), plan->digest());
  const Value others = Value::map({{"limit", Value::integer(8)}});
  EXPECT_NE(compile(*blob->spec, others)->digest(), plan->digest());
}

TEST(PlanBlobTest, CarriesInputsThatTheCanonicalEncodingWouldOnlyLinkTo) {
  const std::string payload(3 * core::kInlineBufferBytes, 'x');
  const Value inputs =
      Value::map({{"limit", Value::integer(7)}, {"payload", Value::bytes(payload)}});
  const auto bytes = write_plan_blob(*compile_tube(inputs), inputs);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().to_string();
  const auto blob = read_plan_blob(*bytes);
  ASSERT_TRUE(blob.has_value()) << blob.error().to_string();
  EXPECT_EQ(*core::digest(blob->tube_inputs), *core::digest(inputs));
  EXPECT_TRUE(blob->host.is(core::Kind::kNull));
}

TEST(PlanBlobTest, RefusesOtherBytes) {
  const auto error = [](const Value& value) {
    const auto message = core::encode_transport(value);
    return read_plan_blob(message->header).error();
  };
  for (const Value& value :
       {Value::integer(1), Value::map({}),
        Value::map({{"tube", Value::text("nodes: {}")}, {"file", Value::text("x")}}),
        Value::map({{"tube", Value::integer(1)},
                    {"file", Value::text("x")},
                    {"inputs", Value::map({})},
                    {"host", Value::null()}})}) {
    EXPECT_EQ(error(value).code(), base::ErrorCode::kDataLoss);
  }
  EXPECT_EQ(read_plan_blob("").error().code(), base::ErrorCode::kDataLoss);
  const Value broken = Value::map({{"tube", Value::text("nodes: [")},
                                   {"file", Value::text("x")},
                                   {"inputs", Value::map({})},
                                   {"host", Value::null()}});
  EXPECT_THAT(error(broken).message(), HasSubstr("x:2:1"));
}

}  // namespace
}  // namespace penstock::flow
