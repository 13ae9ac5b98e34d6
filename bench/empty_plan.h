// A Spec of native operators with empty bodies, for the scheduler and plan benchmarks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "shapes.h"

#include "penstock/core/operator.h"
#include "penstock/flow/plan.h"

namespace penstock::bench {

class Empty : public core::Operator {
 public:
  base::Result<core::Step> call(core::Call& call) const override {
    call.outputs[0] = core::Value::null();
    return core::Step::kDone;
  }
};

class SumInputs : public core::Operator {
 public:
  base::Result<core::Step> call(core::Call& call) const override {
    std::uint32_t sum = 1;
    for (const core::Value* input : call.inputs) {
      sum += static_cast<std::uint32_t>(input->as_int());
    }
    call.outputs[0] = core::Value::integer(sum);
    return core::Step::kDone;
  }
};

/// "bench.empty" and "bench.sum": any number of positional inputs, one signal.
class BenchType : public core::NodeType {
 public:
  explicit BenchType(std::shared_ptr<const core::Operator> op) : op_(std::move(op)) {
    signature_.any_positional = true;
  }
  const core::Signature& signature() const override { return signature_; }
  base::Result<std::shared_ptr<const core::Operator>> bind(
      std::span<const core::Binding> /*bindings*/) const override {
    return op_;
  }
  std::string identity() const override { return "bench"; }

 private:
  core::Signature signature_;
  std::shared_ptr<const core::Operator> op_;
};

class BenchResolver : public flow::Resolver {
 public:
  base::Result<std::unique_ptr<core::NodeType>> resolve(
      const flow::NodeSpec& node, const core::Value& /*params*/) const override {
    return std::make_unique<BenchType>(node.type == "bench.sum" ? sum_ : empty_);
  }

 private:
  std::shared_ptr<const core::Operator> empty_ = std::make_shared<Empty>();
  std::shared_ptr<const core::Operator> sum_ = std::make_shared<SumInputs>();
};

inline flow::Spec make_spec(const Shape& shape, const std::string& type, bool with_return) {
  flow::Spec spec;
  spec.noob_id = "bench";
  for (std::int32_t i = 0; i < shape.num_nodes(); ++i) {
    flow::NodeSpec node;
    node.id = "n" + std::to_string(i);
    node.type = type;
    for (auto k = shape.begin[static_cast<std::size_t>(i)];
         k < shape.begin[static_cast<std::size_t>(i) + 1]; ++k) {
      flow::Dependency edge;
      edge.position = static_cast<std::int32_t>(node.depends.size());
      edge.node = "n" + std::to_string(shape.from[static_cast<std::size_t>(k)]);
      edge.signal = "value";
      node.depends.push_back(std::move(edge));
    }
    node.depends_form =
        node.depends.empty() ? flow::DependsForm::kNone : flow::DependsForm::kPositional;
    spec.nodes.push_back(std::move(node));
  }
  if (with_return) {
    flow::NodeSpec node;
    node.id = "r";
    node.type = "return";
    node.depends_form = flow::DependsForm::kScalar;
    flow::Dependency edge;
    edge.position = 0;
    edge.node = "n" + std::to_string(shape.num_nodes() - 1);
    edge.signal = "value";
    node.depends.push_back(std::move(edge));
    spec.nodes.push_back(std::move(node));
  }
  return spec;
}

}  // namespace penstock::bench
