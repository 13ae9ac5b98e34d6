// See hello.h.
#include "penstock/cli/hello.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace penstock::cli {
namespace {

using base::ErrorCode;
using core::Call;
using core::Kind;
using core::Step;
using core::Value;

constexpr std::string_view kTube = R"(description: Says hello, word by word.
input:
  name: {type: text, default: world}
nodes:
  words:
    type: hello.words
    params: {name: input.name}
  each:
    type: map
    depends: words.value
  big:
    type: hello.capitalize
    depends: each.value
  all:
    type: gather
    depends:
      - value: big.value
      - n: each.n
  line:
    type: hello.join
    depends: all.value
  out:
    type: return
    depends: line.value
)";

// ---- pure functions ------------------------------------------------------------------------

std::string capitalized(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') {
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  }
  return text;
}

base::Result<std::string> joined(const std::vector<Value>& words) {
  std::string line;
  for (const Value& word : words) {
    if (!word.is(Kind::kText)) {
      return base::fail(ErrorCode::kInvalidArgument,
                        fmt::format("hello.join wants a list of text, seen an item of kind {}",
                                    core::to_string(word.kind())));
    }
    line += fmt::format("{}{}", line.empty() ? "" : ", ", word.as_text());
  }
  return line + "!";
}

// ---- operators -----------------------------------------------------------------------------

class Words final : public core::Operator {
 public:
  explicit Words(std::string name) : name_(std::move(name)) {}
  base::Result<Step> call(Call& call) const override {
    call.outputs[0] = Value::list({Value::text("hello"), Value::text(name_)});
    return Step::kDone;
  }

 private:
  std::string name_;
};

class Capitalize final : public core::Operator {
 public:
  base::Result<Step> call(Call& call) const override {
    const Value& text = *call.inputs[0];
    if (!text.is(Kind::kText)) {
      return base::fail(
          ErrorCode::kInvalidArgument,
          fmt::format("hello.capitalize wants text, seen {}", core::to_string(text.kind())));
    }
    call.outputs[0] = Value::text(capitalized(text.as_text()));
    return Step::kDone;
  }
};

class Join final : public core::Operator {
 public:
  base::Result<Step> call(Call& call) const override {
    const Value& words = *call.inputs[0];
    if (!words.is(Kind::kList)) {
      return base::fail(ErrorCode::kInvalidArgument, fmt::format("hello.join wants a list, seen {}",
                                                                 core::to_string(words.kind())));
    }
    PENSTOCK_ASSIGN_OR_RETURN(std::string line, joined(words.as_list()));
    call.outputs[0] = Value::text(std::move(line));
    return Step::kDone;
  }
};

// ---- specs ---------------------------------------------------------------------------------

template <class Op>
core::OperatorFactory factory_of() {
  return [](const Value&,
            std::span<const core::Binding>) -> base::Result<std::shared_ptr<const core::Operator>> {
    return std::make_shared<const Op>();
  };
}

void add(core::Registry& registry, core::OperatorSpec spec, core::OperatorFactory factory) {
  spec.example = kTube;
  // A refusal would be a slip in this file, and the tests would show it.
  PENSTOCK_CHECK(registry.add(std::move(spec), std::move(factory)).has_value());
}

core::Registry make_registry() {
  core::Registry registry;
  add(registry,
      {.name = "hello.words",
       .summary = "Gives the two words of a greeting",
       .description = "The first operator of the built-in tube: a list to map over.",
       .outputs = {{"value", "list of text", "\"hello\" and the name"}},
       .parameters = {{.name = "name",
                       .type = "text",
                       .summary = "Who is greeted",
                       .default_value = Value::text("world")}},
       .cost = "O(1)",
       .twin = "penstock.reference.operators.words"},
      [](const Value& params,
         std::span<const core::Binding>) -> base::Result<std::shared_ptr<const core::Operator>> {
        return std::make_shared<const Words>(params.find("name")->as_text());
      });
  add(registry,
      {.name = "hello.capitalize",
       .summary = "Makes the first letter of a text a capital",
       .description = "Letters a to z only.",
       .inputs = {{"text", "text", "Any text"}},
       .outputs = {{"value", "text", "The same with a capital first letter"}},
       .errors = {{ErrorCode::kInvalidArgument, "the input is not text"}},
       .cost = "O(bytes)",
       .twin = "penstock.reference.operators.capitalize"},
      factory_of<Capitalize>());
  add(registry,
      {.name = "hello.join",
       .summary = "Joins words with commas into an exclamation",
       .description = "The words stand in the order of the list.",
       .inputs = {{"words", "list of text", "The words"}},
       .outputs = {{"value", "text", "The words, joined by ', ' and closed by '!'"}},
       .errors = {{ErrorCode::kInvalidArgument, "the input is not a list of text"}},
       .cost = "O(bytes)",
       .twin = "penstock.reference.operators.join"},
      factory_of<Join>());
  return registry;
}

}  // namespace

std::string_view hello_tube() {
  return kTube;
}

const core::Registry& hello_registry() {
  static const core::Registry registry = make_registry();
  return registry;
}

}  // namespace penstock::cli
