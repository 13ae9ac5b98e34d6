#include "tubes.h"

#include <atomic>
#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include "penstock/core/operator.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/test_operators.h"

namespace penstock::faults {
namespace {

using base::Result;
using core::Call;
using core::Step;
using core::Value;
using flow::testing::add_function;
using flow::testing::make_spec;

std::atomic<std::int64_t> held{0};
std::atomic<std::int64_t> flaky_calls{0};

/// Gives a box, and counts the ones that are out.
class BoxAsset final : public core::Asset {
 public:
  explicit BoxAsset(bool is_of_run) : is_of_run_(is_of_run) {}
  Result<Step> call(Call& call) const override {
    call.outputs[0] = Value::text("a box with a name that is not in the string itself");
    held += is_of_run_ ? 0 : 1;  // start() has counted the run's
    return Step::kDone;
  }
  Result<std::unique_ptr<core::State>> make_state() const override {
    return std::make_unique<core::State>();
  }
  base::Status start(core::State* /*state*/) const override {
    ++held;
    return {};
  }
  base::Status stop(core::State* /*state*/) const override {
    --held;
    return {};
  }
  base::Status replace(core::State* /*state*/, const Value& /*value*/,
                       bool /*copy*/) const override {
    return {};
  }
  base::Status release(const Value& /*value*/) const override {
    --held;
    return {};
  }

 private:
  const bool is_of_run_;
};

class BoxType final : public core::NodeType {
 public:
  explicit BoxType(bool is_of_run) : is_of_run_(is_of_run) {}
  const core::Signature& signature() const override { return signature_; }
  Result<std::shared_ptr<const core::Operator>> bind(
      std::span<const core::Binding> /*bindings*/) const override {
    return std::make_shared<BoxAsset>(is_of_run_);
  }
  std::string identity() const override { return "test.box"; }

 private:
  const bool is_of_run_;
  core::Signature signature_;
};

class TestResolver final : public flow::Resolver {
 public:
  explicit TestResolver(const core::Registry& registry) : operators_(registry) {}
  Result<std::unique_ptr<core::NodeType>> resolve(const flow::NodeSpec& node,
                                                  const Value& params) const override {
    return operators_.resolve(node, params);
  }
  Result<std::unique_ptr<core::NodeType>> resolve_asset(const flow::AssetSpec& asset,
                                                        const Value& /*params*/) const override {
    return asset.type == "test.box" ? std::make_unique<BoxType>(asset.scope == flow::Scope::kRunner)
                                    : nullptr;
  }

 private:
  flow::RegistryResolver operators_;
};

core::Registry make_all() {
  core::Registry registry = flow::testing::make_registry();
  add_function(registry, make_spec("test.flaky", {"value"}), [](Call& call) -> Result<Step> {
    if (flaky_calls.fetch_add(1) % 2 == 0) {
      return base::fail(base::ErrorCode::kUnavailable, "not yet");
    }
    call.outputs[0] = *call.inputs[0];
    return Step::kDone;
  });
  add_function(registry, make_spec("test.text", {"value"}), [](Call& call) {
    call.outputs[0] = Value::text(std::string(100, 'x'));
    return Step::kDone;
  });
  add_function(registry, make_spec("test.put", {"box", "value"}), [](Call& call) -> Result<Step> {
    if (!call.inputs[0]->is(core::Kind::kText)) {
      return base::fail(base::ErrorCode::kInvalidArgument, "that is no box");
    }
    call.outputs[0] = Value::list({*call.inputs[1]});
    return Step::kDone;
  });
  core::OperatorSpec dear = make_spec("test.dear", {"value"});
  dear.keeps_results = true;
  add_function(registry, std::move(dear), [](Call& call) {
    call.outputs[0] = Value::list({*call.inputs[0], Value::text(std::string(50, 'd'))});
    return Step::kDone;
  });
  return registry;
}

}  // namespace

std::span<const flow::Resolver* const> resolvers() {
  static const core::Registry registry = make_all();
  static const TestResolver resolver(registry);
  static const flow::Resolver* const all[] = {&resolver};
  return all;
}

std::int64_t boxes_held() {
  return held;
}

void reset_types() {
  held = 0;
  flaky_calls = 0;
}

std::shared_ptr<const flow::Plan> plan_of(std::string_view yaml) {
  const auto spec = flow::parse_spec(yaml);
  PENSTOCK_CHECK(spec.has_value());
  const auto plan = flow::Plan::compile(*spec, resolvers());
  if (!plan.has_value()) {
    base::check_failed(__FILE__, __LINE__, flow::to_error(plan.error()).message().c_str());
  }
  return *plan;
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path) << text;
}

}  // namespace penstock::faults
