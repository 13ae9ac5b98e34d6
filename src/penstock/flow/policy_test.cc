#include "penstock/flow/policy.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "penstock/flow/plan.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::flow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string node_with(std::string_view key) {
  return fmt::format(
      "nodes:\n  a:\n    type: test.range\n    depends: input.n\n    {}\ninput:\n  n: {{type: int, "
      "scope: process}}\n",
      key);
}

/// "id@line:column" of every problem.
std::vector<std::string> places(const Diagnostics& diagnostics) {
  std::vector<std::string> out;
  for (const Diagnostic& d : diagnostics) {
    out.push_back(fmt::format("{}@{}:{}", d.id, d.location.line, d.location.column));
  }
  return out;
}

Diagnostics problems_of(std::string_view key) {
  const auto spec = parse_spec(node_with(key));
  return spec.has_value() ? Diagnostics() : spec.error();
}

std::shared_ptr<const Policy> policy_of(std::string_view key) {
  const auto spec = parse_spec(node_with(key));
  EXPECT_TRUE(spec.has_value()) << to_error(spec.error()).message();
  return spec.has_value() ? make_policy(spec->nodes[0].policy) : nullptr;
}

Diagnostics compiled(const std::string& yaml) {
  static const core::Registry registry = testing::make_registry();
  static const RegistryResolver resolver(registry);
  const Resolver* resolvers[] = {&resolver};
  const auto spec = parse_spec(yaml);
  EXPECT_TRUE(spec.has_value()) << to_error(spec.error()).message();
  const auto plan = Plan::compile(*spec, resolvers);
  return plan.has_value() ? Diagnostics() : plan.error();
}

TEST(PolicyTest, ReadsEveryForm) {
  EXPECT_EQ(policy_of("retry: 3")->retry, (base::RetryPolicy{.attempts = 3}));
  EXPECT_EQ(
      policy_of("retry: {attempts: 4, backoff_ms: 5, max_ms: 6, jitter: 0.25, on: unavailable}")
          ->retry,
      (base::RetryPolicy{.attempts = 4,
                         .backoff_ms = 5,
                         .max_ms = 6,
                         .jitter = 0.25,
                         .on_codes = {base::ErrorCode::kUnavailable},
                         .on_types = {}}));
  const auto both =
      policy_of("retry: {attempts: 2, on: [data_loss, ConnectionError, socket.timeout]}");
  EXPECT_THAT(both->retry.on_codes, ElementsAre(base::ErrorCode::kDataLoss));
  EXPECT_THAT(both->retry.on_types, ElementsAre("ConnectionError", "socket.timeout"));
  EXPECT_EQ(policy_of("timeout: 1.5s")->timeout_ms, 1500);
  EXPECT_EQ(policy_of("resources: {cpu: 1.5, io: 2, memory: 3}")->needs,
            (Resources{.cpu_milli = 1500, .io = 2, .memory_bytes = 3}));
  EXPECT_THAT(policy_of("where: gpu")->tags, ElementsAre("gpu"));
  EXPECT_THAT(policy_of("where: [gpu, lab]")->tags, ElementsAre("gpu", "lab"));
  EXPECT_THAT(policy_of("where: {tags: [gpu]}")->tags, ElementsAre("gpu"));
}

TEST(PolicyTest, IsNoneWhereNothingIsAsked) {
  EXPECT_EQ(policy_of("enabled: true"), nullptr);
  EXPECT_EQ(policy_of("retry: 1"), nullptr);
  EXPECT_EQ(policy_of("resources: {cpu: 0}"), nullptr);
  EXPECT_EQ(policy_of("where: []"), nullptr);
  EXPECT_EQ(policy_of("cache: true"), nullptr);
}

TEST(PolicyTest, ReadsAmountsOfMemory) {
  const auto bytes = [](std::string_view text) {
    return policy_of(fmt::format("resources: {{memory: {}}}", text))->needs.memory_bytes;
  };
  EXPECT_EQ(bytes("2GiB"), std::int64_t{2} << 30);
  EXPECT_EQ(bytes("512 MB"), 512'000'000);
  EXPECT_EQ(bytes("1.5KiB"), 1536);
  EXPECT_EQ(bytes("'77'"), 77);
  EXPECT_EQ(bytes("9B"), 9);
  for (const char* bad : {"2 gigs", "-1GB", "GB", "1e3", "inf", "1.5", "[1]", "true"}) {
    EXPECT_THAT(places(problems_of(fmt::format("resources: {{memory: {}}}", bad))),
                ElementsAre(HasSubstr("PS0125")))
        << bad;
  }
}

TEST(PolicyTest, SaysEveryProblemWhereItIs) {
  const Diagnostics seen = problems_of(R"(retry:
      attempts: 0
      backof_ms: 5
      jitter: 2
      on: [unavailble, data_loss, 7]
    resources:
      cpus: 2
      io: -1
    where:
      tag: gpu)");
  EXPECT_THAT(places(seen),
              ElementsAre("PS0123@6:17", "PS0122@7:7", "PS0123@8:15", "PS0124@9:12", "PS0123@9:35",
                          "PS0122@11:7", "PS0125@12:11", "PS0122@14:7"));
  EXPECT_EQ(seen[1].help, "did you mean 'backoff_ms'?");
  EXPECT_EQ(seen[3].help, "did you mean 'unavailable'?");
  EXPECT_EQ(seen[5].help, "did you mean 'cpu'?");
  EXPECT_EQ(seen[7].help, "did you mean 'tags'?");
}

TEST(PolicyTest, RefusesValuesOfTheWrongKind) {
  EXPECT_THAT(places(problems_of("retry: 0")), ElementsAre("PS0123@5:12"));
  EXPECT_THAT(places(problems_of("retry: true")), ElementsAre("PS0123@5:12"));
  EXPECT_THAT(places(problems_of("retry: {backoff_ms: 5}")), ElementsAre("PS0123@5:12"));
  EXPECT_THAT(places(problems_of("retry: {attempts: 2, on: []}")), ElementsAre("PS0123@5:30"));
  EXPECT_THAT(places(problems_of("resources: 2")), ElementsAre("PS0125@5:16"));
  EXPECT_THAT(places(problems_of("where: 2")), ElementsAre("PS0126@5:12"));
  EXPECT_THAT(places(problems_of("where: [gpu, 2]")), ElementsAre("PS0126@5:18"));
  EXPECT_THAT(places(problems_of("where: two words")), ElementsAre("PS0126@5:12"));
  EXPECT_THAT(places(problems_of("timeout_ms: 0")), ElementsAre("PS0022@5:17"));
}

TEST(PolicyTest, IsRefusedOnNodesThatCannotHaveIt) {
  const Diagnostics seen = compiled(R"(
nodes:
  count: {type: test.count, retry: 3}
  range: {type: test.range, depends: count.value, retry: 3}
  each: {type: map, depends: range.value, timeout_ms: 5}
  all: {type: gather, depends: each.value, resources: {io: 1}}
  out: {type: return, depends: all.value, where: local}
)");
  EXPECT_THAT(places(seen), ElementsAre("PS0127@3:3", "PS0127@5:3", "PS0127@6:3", "PS0127@7:3"));
  EXPECT_THAT(seen[0].message, HasSubstr("source"));
  EXPECT_THAT(compiled("nodes: {count: {type: test.count, timeout_ms: 5, where: lab}}"), IsEmpty());
}

TEST(PolicyTest, IsNoPartOfWhatAPlanComputes) {
  static const core::Registry registry = testing::make_registry();
  static const RegistryResolver resolver(registry);
  const Resolver* resolvers[] = {&resolver};
  const auto plain = Plan::compile(*parse_spec(node_with("stateful: false")), resolvers);
  const auto governed = Plan::compile(*parse_spec(node_with("retry: 5")), resolvers);
  ASSERT_TRUE(plain.has_value() && governed.has_value());
  EXPECT_EQ((*plain)->digest(), (*governed)->digest());
  EXPECT_FALSE((*plain)->has_policies());
  EXPECT_TRUE((*governed)->has_policies());
}

TEST(PolicyTest, WritesResourcesForMessages) {
  EXPECT_EQ(to_string({.cpu_milli = 1500, .io = 2, .memory_bytes = std::int64_t{3} << 29}),
            "cpu 1.5, io 2, memory 1.5 GiB");
  EXPECT_EQ(to_string(Resources{.cpu_milli = 0, .io = 1}), "io 1");
}

}  // namespace
}  // namespace penstock::flow
