// Registers an operator, loads a tube, runs it on threads, prints the result's content address.
//
//   word_lengths TUBE.yaml WORD...
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <penstock/core/identity.h>
#include <penstock/core/operator.h>
#include <penstock/exec/thread_executor.h>
#include <penstock/flow/runner.h>
#include <penstock/flow/spec_yaml.h>

namespace base = penstock::base;
namespace core = penstock::core;
namespace flow = penstock::flow;

namespace {

/// Number of bytes of a text. Input value: text. Output value: int.
class LengthOperator : public core::Operator {
 public:
  base::Result<core::Step> call(core::Call& call) const override {
    const core::Value& text = *call.inputs[0];
    if (!text.is(core::Kind::kText)) {
      return base::fail(base::ErrorCode::kInvalidArgument,
                        "value must be text, seen " + std::string(to_string(text.kind())));
    }
    call.outputs[0] = core::Value::integer(static_cast<std::int64_t>(text.as_text().size()));
    return core::Step::kDone;
  }
};

base::Status register_operators(core::Registry& registry) {
  core::OperatorSpec spec;
  spec.name = "text.length";
  spec.summary = "Counts the bytes of a text.";
  spec.inputs = {{.name = "value", .type = "text", .summary = "any text"}};
  spec.outputs = {{.name = "value", .type = "int", .summary = "its length [bytes]"}};
  spec.cost = "O(1)";
  spec.example = "nodes: {length: {type: text.length, depends: input.word}}";
  return registry.add(std::move(spec), [](const core::Value&, std::span<const core::Binding>) {
    return base::Result<std::shared_ptr<const core::Operator>>(std::make_shared<LengthOperator>());
  });
}

int fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    return fail("usage: word_lengths TUBE.yaml WORD...");
  }
  core::Registry registry;
  if (const auto status = register_operators(registry); !status.has_value()) {
    return fail(status.error().to_string());
  }
  const auto spec = flow::load_spec(argv[1]);
  if (!spec.has_value()) {
    return fail(flow::to_error(spec.error()).message());
  }
  const flow::RegistryResolver resolver(registry);
  const flow::Resolver* const resolvers[] = {&resolver};
  const auto plan = flow::Plan::compile(*spec, resolvers);
  if (!plan.has_value()) {
    return fail(flow::to_error(plan.error()).message());
  }

  std::vector<core::Value> words;
  for (int i = 2; i < argc; ++i) {
    words.push_back(core::Value::text(argv[i]));
  }
  flow::Runner runner(*plan, std::make_unique<penstock::exec::ThreadExecutor>(2),
                      {.name = "threads"});
  const auto result = runner.process(core::Value::map({{"words", core::Value::list(words)}}));
  if (!result.has_value()) {
    return fail(result.error().to_string());
  }
  for (const core::Value& length : result->value.as_list()) {
    std::printf("%lld\n", static_cast<long long>(length.as_int()));
  }
  const auto cid = core::cid(result->value);
  if (!cid.has_value()) {
    return fail(cid.error().to_string());
  }
  std::printf("%s\n", cid->to_string().c_str());
  return 0;
}
