// Native operators for the tests and benchmarks of flow and exec. Not part of the library.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "penstock/core/operator.h"

namespace penstock::flow::testing {

/// A function of its inputs, as an operator; `calls` may record.
class FunctionOperator : public core::Operator {
 public:
  using Function = std::function<base::Result<core::Step>(core::Call&)>;
  explicit FunctionOperator(Function function) : function_(std::move(function)) {}
  base::Result<core::Step> call(core::Call& call) const override { return function_(call); }

 private:
  Function function_;
};

/// Counts 0, 1, ... in its state and ends after `limit`.
class CountOperator : public core::Operator {
 public:
  explicit CountOperator(std::int64_t limit) : limit_(limit) {}
  base::Result<core::Step> call(core::Call& call) const override {
    auto* state = static_cast<Count*>(call.state);
    if (state->next == limit_) {
      return core::Step::kExhausted;
    }
    call.outputs[0] = core::Value::integer(state->next++);
    return core::Step::kDone;
  }
  base::Result<std::unique_ptr<core::State>> make_state() const override {
    return std::make_unique<Count>();
  }

 private:
  struct Count : core::State {
    std::int64_t next = 0;
  };
  std::int64_t limit_;
};

inline core::OperatorSpec make_spec(std::string name, std::vector<std::string> inputs) {
  core::OperatorSpec spec;
  spec.name = std::move(name);
  spec.summary = "Test operator " + spec.name + ".";
  spec.cost = "O(1)";
  spec.example = "nodes: {}";
  for (std::string& input : inputs) {
    spec.inputs.push_back(
        {.name = std::move(input), .type = "any", .summary = "x", .optional = false});
  }
  spec.outputs.push_back({.name = "value", .type = "any", .summary = "x", .optional = false});
  return spec;
}

inline void add_function(core::Registry& registry, core::OperatorSpec spec,
                         FunctionOperator::Function function) {
  const auto status =
      registry.add(std::move(spec), [function](const core::Value&, std::span<const core::Binding>) {
        return base::Result<std::shared_ptr<const core::Operator>>(
            std::make_shared<FunctionOperator>(function));
      });
  PENSTOCK_CHECK(status.has_value());
}

/// test.count (param limit), test.add (a, b), test.range (n -> list), test.odd (drops even
/// numbers), test.fail (always), test.sum_so_far (stateful, in epoch order).
inline core::Registry make_registry() {
  core::Registry registry;
  {
    core::OperatorSpec spec = make_spec("test.count", {});
    spec.source = true;
    spec.parameters.push_back({.name = "limit",
                               .type = "int",
                               .summary = "x",
                               .default_value = core::Value::integer(10),
                               .choices = {}});
    const auto status =
        registry.add(spec, [](const core::Value& params, std::span<const core::Binding>) {
          return base::Result<std::shared_ptr<const core::Operator>>(
              std::make_shared<CountOperator>(params.find("limit")->as_int()));
        });
    PENSTOCK_CHECK(status.has_value());
  }
  add_function(registry, make_spec("test.add", {"a", "b"}), [](core::Call& call) {
    call.outputs[0] = core::Value::integer(call.inputs[0]->as_int() + call.inputs[1]->as_int());
    return core::Step::kDone;
  });
  add_function(registry, make_spec("test.range", {"n"}), [](core::Call& call) {
    std::vector<core::Value> items;
    for (std::int64_t i = 0; i < call.inputs[0]->as_int(); ++i) {
      items.push_back(core::Value::integer(i));
    }
    call.outputs[0] = core::Value::list(std::move(items));
    return core::Step::kDone;
  });
  add_function(registry, make_spec("test.odd", {"value"}), [](core::Call& call) {
    if (call.inputs[0]->as_int() % 2 != 0) {
      call.outputs[0] = *call.inputs[0];
    }
    return core::Step::kDone;
  });
  add_function(registry, make_spec("test.fail", {"value"}),
               [](core::Call&) -> base::Result<core::Step> {
                 return base::fail(base::ErrorCode::kOutOfRange, "too large: seen 9 wanted < 5");
               });
  {
    core::OperatorSpec spec = make_spec("test.sum_so_far", {"value"});
    spec.stateful = true;
    struct Sum : core::State {
      std::int64_t sum = 0;
    };
    class SumOperator : public core::Operator {
     public:
      base::Result<core::Step> call(core::Call& call) const override {
        auto* state = static_cast<Sum*>(call.state);
        // Order matters; unsigned, because a long run wraps around.
        state->sum =
            static_cast<std::int64_t>(static_cast<std::uint64_t>(state->sum) * 3 +
                                      static_cast<std::uint64_t>(call.inputs[0]->as_int()));
        call.outputs[0] = core::Value::integer(state->sum);
        return core::Step::kDone;
      }
      base::Result<std::unique_ptr<core::State>> make_state() const override {
        return std::make_unique<Sum>();
      }
    };
    const auto status = registry.add(spec, [](const core::Value&, std::span<const core::Binding>) {
      return base::Result<std::shared_ptr<const core::Operator>>(std::make_shared<SumOperator>());
    });
    PENSTOCK_CHECK(status.has_value());
  }
  return registry;
}

}  // namespace penstock::flow::testing
