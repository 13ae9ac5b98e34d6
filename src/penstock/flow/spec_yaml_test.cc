// What a tube file means, and which files are refused (docs/formats/tube.md).
#include "penstock/flow/spec_yaml.h"

#include <chrono>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

using core::Value;
using testing::ElementsAre;
using testing::HasSubstr;

Spec parsed(std::string_view text) {
  auto spec = parse_spec(text);
  EXPECT_TRUE(spec.has_value()) << text << "\n" << to_error(spec.error()).message();
  return spec.has_value() ? *std::move(spec) : Spec();
}

Diagnostics refused(std::string_view text) {
  auto spec = parse_spec(text);
  EXPECT_FALSE(spec.has_value()) << text;
  return spec.has_value() ? Diagnostics() : spec.error();
}

/// "PS0013@2:5" for each problem.
std::vector<std::string> places(const Diagnostics& problems) {
  std::vector<std::string> out;
  for (const Diagnostic& problem : problems) {
    out.push_back(
        fmt::format("{}@{}:{}", problem.id, problem.location.line, problem.location.column));
  }
  return out;
}

/// A tube with one node `a` that has `field`.
std::string node_with(std::string_view field) {
  return fmt::format("nodes:\n  a:\n    type: sum\n    {}\n", field);
}

TEST(SpecYamlTest, ReadsEveryPartOfATube) {
  const Spec spec = parsed(R"(
noob_id: flights/2001#a
noob_model: noob.tube.TubeSpecification
noob_version: "1002"
description: on
input:
  late: {type: int, default: 15}
  day: {type: str, scope: process, required: no, description: a day}
assets:
  db: {type: pkg.connect, scope: process, params: [1, a]}
  seen: {type: pkg.Seen, scope: runner, depends: a.value}
nodes:
  a:
    type: pkg.mod.func
    depends:
      - input.late
      - slot: input.day
      - x.y
    params: {n: 3, text: "3", none: , list: [1.5, on]}
    enabled: input.late
    stateful: true
    description: |
      two
      lines
    retry: 2
    timeout: 1.5s
    cache: true
  out: {type: return, depends: a.value}
)");
  EXPECT_EQ(spec.noob_id, "flights/2001#a");
  EXPECT_EQ(spec.description, "on");
  ASSERT_EQ(spec.inputs.size(), 2U);
  EXPECT_EQ(spec.inputs[0].default_value, Value::integer(15));
  EXPECT_EQ(spec.inputs[1].scope, Scope::kProcess);
  EXPECT_FALSE(spec.inputs[1].required);
  EXPECT_TRUE(spec.inputs[1].default_value.is_absent());
  ASSERT_EQ(spec.assets.size(), 2U);
  EXPECT_EQ(spec.assets[0].params[1].value, Value::text("a"));
  EXPECT_EQ(spec.assets[1].depends->node, "a");
  ASSERT_EQ(spec.nodes.size(), 2U);
  const NodeSpec& a = spec.nodes[0];
  EXPECT_EQ(a.depends_form, DependsForm::kMixed);
  ASSERT_EQ(a.depends.size(), 3U);
  EXPECT_EQ(a.depends[0].position, 0);
  EXPECT_EQ(a.depends[1].slot, "slot");
  EXPECT_EQ(a.depends[1].position, -1);
  EXPECT_EQ(a.depends[2].position, 1);
  EXPECT_EQ(a.depends[2].mark.line, 18);
  EXPECT_EQ(a.depends[2].mark.column, 9);
  EXPECT_EQ(a.params[0].value, Value::integer(3));
  EXPECT_EQ(a.params[1].value, Value::text("3"));
  EXPECT_TRUE(a.params[2].value.is_null());
  EXPECT_EQ(a.params[3].value, Value::list({Value::real(1.5), Value::text("on")}));
  EXPECT_EQ(a.enabled_input, "late");
  EXPECT_EQ(a.stateful, true);
  EXPECT_EQ(a.description, "two\nlines\n");
  EXPECT_EQ(a.policy.retry, Value::integer(2));
  EXPECT_EQ(a.policy.timeout_ms, Value::integer(1500));
  EXPECT_EQ(spec.nodes[1].depends_form, DependsForm::kScalar);
}

TEST(SpecYamlTest, AcceptsEveryFormOfDepends) {
  const auto form = [](std::string_view depends) {
    return parsed(node_with(fmt::format("depends: {}", depends))).nodes[0].depends_form;
  };
  EXPECT_EQ(form("b.value"), DependsForm::kScalar);
  EXPECT_EQ(form("[b.value, c.value]"), DependsForm::kPositional);
  EXPECT_EQ(form("[{x: b.value}, {y: b.value}]"), DependsForm::kKeyword);
  EXPECT_EQ(form("[{x: b.value}, b.value]"), DependsForm::kMixed);
  EXPECT_EQ(form("[]"), DependsForm::kNone);
  EXPECT_EQ(form("null"), DependsForm::kNone);
  EXPECT_EQ(form("'b.value'"), DependsForm::kScalar);
}

TEST(SpecYamlTest, RefusesMalformedDepends) {
  const auto id = [](std::string_view depends) {
    const Diagnostics problems = refused(node_with(fmt::format("depends: {}", depends)));
    return problems.empty() ? std::string() : problems.front().id;
  };
  EXPECT_EQ(id("{x: b.value}"), "PS0017");
  EXPECT_EQ(id("[{x: b.value, y: b.value}]"), "PS0017");
  EXPECT_EQ(id("[{}]"), "PS0017");
  EXPECT_EQ(id("[{5: b.value}]"), "PS0009");
  EXPECT_EQ(id("[{a-b: b.value}]"), "PS0015");
  EXPECT_EQ(id("[{input: b.value}]"), "PS0015");
  EXPECT_EQ(id("[{x: b.value}, {x: c.value}]"), "PS0104");
  EXPECT_EQ(id("[[b.value]]"), "PS0014");
  EXPECT_EQ(id("[{x: [b.value]}]"), "PS0014");
  EXPECT_EQ(id("[b.value, null]"), "PS0014");
  EXPECT_EQ(id("5"), "PS0014");
  EXPECT_EQ(id("b"), "PS0016");
  EXPECT_EQ(id("b.value.c"), "PS0016");
  EXPECT_EQ(id("' b.value'"), "PS0016");
  EXPECT_EQ(id(".value"), "PS0016");
}

TEST(SpecYamlTest, TakesTheWordsPydanticTakesForBools) {
  const auto enabled = [](std::string_view text) {
    return parsed(node_with(fmt::format("enabled: {}", text))).nodes[0].enabled;
  };
  for (const char* text : {"true", "yes", "on", "1", "1.0", "'true'", "Y"}) {
    EXPECT_TRUE(enabled(text)) << text;
  }
  for (const char* text : {"false", "no", "off", "0"}) {
    EXPECT_FALSE(enabled(text)) << text;
  }
  EXPECT_EQ(refused(node_with("enabled: 2")).front().id, "PS0014");
  EXPECT_EQ(refused(node_with("enabled: null")).front().id, "PS0014");
  EXPECT_EQ(refused(node_with("enabled: []")).front().id, "PS0014");
  EXPECT_EQ(refused(node_with("enabled: sum")).front().id, "PS0021");
}

TEST(SpecYamlTest, ReportsAllProblemsWithTheirPlaces) {
  const Diagnostics problems = refused(R"(noob_idd: x
nodes:
  a:
    type: sum
    dependss: b.value
  2b:
    type: .rel
  c:
    depends: b
)");
  EXPECT_THAT(places(problems), ElementsAre("PS0013@1:1", "PS0013@5:5", "PS0015@6:3", "PS0025@7:11",
                                            "PS0018@8:3", "PS0016@9:14"));
  EXPECT_EQ(problems[0].help, "did you mean 'noob_id'?");
  EXPECT_EQ(problems[1].excerpt, "    dependss: b.value");
}

TEST(SpecYamlTest, RefusesWhatIsNoTube) {
  const auto id = [](std::string_view text) { return refused(text).front().id; };
  EXPECT_EQ(id(""), "PS0012");
  EXPECT_EQ(id("# only a comment\n"), "PS0012");
  EXPECT_EQ(id("- a\n"), "PS0012");
  EXPECT_EQ(id("just text"), "PS0012");
  EXPECT_EQ(id("nodes:"), "PS0014");
  EXPECT_EQ(id("nodes: []"), "PS0014");
  EXPECT_EQ(id("nodes: {a: }"), "PS0014");
  EXPECT_EQ(id("nodes: {}\n---\nnodes: {}\n"), "PS0011");
  EXPECT_EQ(id("nodes: {}\nnodes: {}\n"), "PS0008");
  EXPECT_EQ(id("nodes: {a: {type: sum}, a: {type: sum}}"), "PS0008");
  EXPECT_EQ(id("nodes: {a: {type: sum, type: sum}}"), "PS0008");
  EXPECT_EQ(id("nodes: {a: !!map {type: sum}}"), "PS0010");
  EXPECT_EQ(id("nodes: {5: {type: sum}}"), "PS0009");
  EXPECT_EQ(id("nodes: {[a]: {type: sum}}"), "PS0009");
  EXPECT_EQ(id("nodes: {input: {type: sum}}"), "PS0015");
  EXPECT_EQ(id("nodes: {a: {type: sum, id: b}}"), "PS0015");
  EXPECT_EQ(id("nodes: {a: {}}"), "PS0018");
  EXPECT_EQ(id("nodes: {a: {type: sum, params: []}}"), "PS0014");
  EXPECT_EQ(id("noob_id: a.b"), "PS0020");
  EXPECT_EQ(id("noob_id: 5"), "PS0014");
  EXPECT_EQ(id("extends: x"), "PS0014");
  EXPECT_EQ(id("input: {x: {type: int, scope: runner}}"), "PS0023");
  EXPECT_EQ(id("input: {x: {}}"), "PS0018");
  EXPECT_EQ(id("assets: {x: {type: a.b}}"), "PS0018");
  EXPECT_EQ(id("assets: {x: {type: a.b, scope: node, depends: a.b}}"), "PS0023");
  EXPECT_EQ(id(node_with("retry: -1")), "PS0123");
  EXPECT_EQ(id(node_with("cache: 1")), "PS0022");
  EXPECT_EQ(id(node_with("timeout: 0")), "PS0022");
  EXPECT_EQ(id(node_with("timeout: 3 s")), "PS0022");
}

TEST(SpecYamlTest, RefusesWhatIsNoText) {
  EXPECT_EQ(refused("nodes: {\xFF: 1}").front().id, "PS0002");
  EXPECT_EQ(refused("PAR1\x15\x04\x15").front().id, "PS0003");
  EXPECT_EQ(refused(std::string_view("nodes:\0", 7)).front().id, "PS0003");
  const Diagnostics bad = refused("a: 1\nb: \xC3\xA9\xC3\x28\n");
  EXPECT_THAT(places(bad), ElementsAre("PS0002@2:5"));
}

TEST(SpecYamlTest, SkipsAByteOrderMark) {
  const Diagnostics problems = refused("\xEF\xBB\xBFnodez: {}\n");
  EXPECT_THAT(places(problems), ElementsAre("PS0013@1:1"));
  EXPECT_EQ(problems[0].excerpt, "nodez: {}");
}

TEST(SpecYamlTest, ExpandsAliasesAndMergeKeys) {
  const Spec spec = parsed(R"(
nodes:
  a: &base
    type: sum
    params: &p {n: 1, m: 2}
  b:
    <<: *base
    params:
      <<: [*p, {k: 4}]
      m: 3
  c: *base
)");
  ASSERT_EQ(spec.nodes.size(), 3U);
  EXPECT_EQ(spec.nodes[1].type, "sum");
  ASSERT_EQ(spec.nodes[1].params.size(), 3U);
  EXPECT_EQ(spec.nodes[1].params[0].value, Value::integer(3));
  EXPECT_EQ(spec.nodes[1].params[1].name, "n");
  EXPECT_EQ(spec.nodes[1].params[2].name, "k");
  EXPECT_EQ(spec.nodes[2].params.size(), 2U);
  EXPECT_EQ(refused("nodes: {a: {<<: 5, type: sum}}").front().id, "PS0024");
  EXPECT_EQ(refused("nodes: {a: *b}").front().id, "PS0007");
  EXPECT_EQ(refused("nodes: {a: &a {type: sum, params: {x: *a}}}").front().id, "PS0007");
}

TEST(SpecYamlTest, StopsAnAliasBomb) {
  std::string text = "nodes: {a: {type: sum, params: {x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]";
  for (int i = 1; i < 30; ++i) {
    text +=
        fmt::format(", x{0}: &x{0} [*x{1}, *x{1}, *x{1}, *x{1}, *x{1}, *x{1}, *x{1}]", i, i - 1);
  }
  text += "}}}";
  const Diagnostics problems = refused(text);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].id, "PS0006");
}

TEST(SpecYamlTest, StopsAtDeepNesting) {
  for (const std::string_view open : {"[", "{a: ", "- ", "? "}) {
    std::string text = "nodes: ";
    for (int i = 0; i < 10'000; ++i) {
      text += open;
    }
    const Diagnostics problems = refused(text);
    ASSERT_EQ(problems.size(), 1U) << open;
    EXPECT_TRUE(problems[0].id == "PS0005" || problems[0].id == "PS0001") << open;
  }
  std::string deepest = "report: ";
  for (int i = 0; i < 254; ++i) {
    deepest += '[';
  }
  deepest += std::string(254, ']');
  EXPECT_TRUE(parse_spec(deepest + "\nnodes: {}").has_value());
}

TEST(SpecYamlTest, ReportsOneSyntaxErrorAtItsPlace) {
  const auto first = [](std::string_view text) {
    const Diagnostics problems = refused(text);
    return fmt::format("{}:{} {}", problems.front().location.line, problems.front().location.column,
                       problems.front().message);
  };
  EXPECT_EQ(first("nodes:\n\ta: 1\n"), "2:1 a tab is used for indentation, wanted spaces");
  EXPECT_EQ(first("nodes: {a: {type: sum}\n"), "1:8 the map opened here is not closed");
  EXPECT_EQ(first("nodes: [a, b\n"), "1:8 the list opened here is not closed");
  EXPECT_EQ(first("description: \"abc\n"), "1:14 the quoted text that starts here never ends");
  EXPECT_EQ(first("nodes:\n  a:\n    type: @x\n"), "3:11 a value cannot start with '@'");
  EXPECT_EQ(first("description: a: b\n"), "1:15 unexpected ':'");
  EXPECT_EQ(first("nodes:\n  a:\n    type: sum\n   params: 1\n"),
            "4:4 wanted another key of this map, or its end");
}

TEST(SpecYamlTest, WritesYamlThatReadsBack) {
  const char* text = R"(noob_id: a
description: "yes"
extends: [other]
input:
  x: {type: "", scope: process, default: null, required: false}
assets:
  y: {type: a.b, scope: node, params: [1, {z: ~}]}
nodes:
  a:
    type: pkg.f
    depends: [x.y, s: t.u]
    params: {a: "line\nnext\n", b: " lead", c: "#", d: 1.0, e: .inf, f: 99999999999999999999,
             g: "\t\x1b\u2028", h: {}, i: [], j: "12", "k: k": null, l: "a\n\n", m: "", n: ')"
                     "\xc3\xa9"
                     R"('}
    enabled: no
    retry: {attempts: 3}
    where: gpu
  r: {type: return, depends: a.value}
report: {plots: [{kind: line}]}
)";
  const Spec spec = parsed(text);
  const auto yaml = to_yaml(spec);
  ASSERT_TRUE(yaml.has_value());
  const Spec again = parsed(*yaml);
  EXPECT_EQ(to_value(again), to_value(spec)) << *yaml;
  EXPECT_EQ(to_yaml(again), *yaml);
  const auto from_value = spec_from_value(to_value(spec));
  ASSERT_TRUE(from_value.has_value()) << to_error(from_value.error()).message();
  EXPECT_EQ(to_value(*from_value), to_value(spec));
}

TEST(SpecYamlTest, RefusesToWriteKindsYamlDoesNotHave) {
  Spec spec = parsed(node_with("params: {x: 1}"));
  spec.nodes[0].params[0].value = Value::bytes("abc");
  const auto yaml = to_yaml(spec);
  ASSERT_FALSE(yaml.has_value());
  EXPECT_THAT(yaml.error().message(), HasSubstr("bytes"));
}

TEST(SpecYamlTest, RefusesVeryDeepValuesFromTheApi) {
  core::Value deep = Value::null();
  for (int i = 0; i < 1'000'000; ++i) {
    deep = i % 2 == 0 ? Value::list({deep}) : Value::map({{"a", deep}});
  }
  Spec spec = parsed(node_with("params: {x: 1}"));
  spec.nodes[0].params[0].value = deep;
  EXPECT_EQ(to_yaml(spec).error().code(), base::ErrorCode::kResourceExhausted);
  const auto from_value = spec_from_value(Value::map({{"nodes", deep}}));
  ASSERT_FALSE(from_value.has_value());
  EXPECT_EQ(from_value.error().front().id, "PS0005");
}

TEST(SpecYamlTest, SuggestsAFileWithANearName) {
  const auto spec = load_spec(std::string(PENSTOCK_SOURCE_DIR) + "/no-such-file.yaml");
  ASSERT_FALSE(spec.has_value());
  EXPECT_EQ(spec.error().front().id, "PS0004");
  EXPECT_EQ(to_error(spec.error()).code(), base::ErrorCode::kNotFound);
}

TEST(SpecYamlTest, ASpecNamesItsFileEvenIfThatCannotBeRead) {
  const ParsedSpec part = load_spec_partly("/no/such/tube.yaml");
  EXPECT_FALSE(part.whole);
  EXPECT_EQ(part.diagnostics.front().id, "PS0004");
  EXPECT_EQ(part.spec.file, "/no/such/tube.yaml");
}

TEST(SpecYamlTest, KeepsWhatWasRightBesideProblems) {
  const ParsedSpec part = parse_spec_partly("nodes:\n  a: {type: sum, bad: 1}\n  b: {type: max}\n");
  EXPECT_TRUE(part.whole);
  EXPECT_EQ(part.diagnostics.size(), 1U);
  ASSERT_EQ(part.spec.nodes.size(), 2U);
  EXPECT_EQ(part.spec.nodes[0].type, "sum");
}

TEST(SpecYamlTest, ReadsPlainDocuments) {
  EXPECT_EQ(*parse_yaml("[1, {a: b}]"),
            Value::list({Value::integer(1), Value::map({{"a", Value::text("b")}})}));
  EXPECT_TRUE(parse_yaml("").value().is_null());
  EXPECT_EQ(parse_yaml("a: b: c").error().front().id, "PS0001");
}

}  // namespace
}  // namespace penstock::flow
