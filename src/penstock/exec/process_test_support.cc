#include "penstock/exec/process_test_support.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <utility>

#include "penstock/core/tensor.h"
#include "penstock/exec/shm_arena.h"
#include "penstock/flow/diagnostic.h"
#include "penstock/flow/spec_yaml.h"

namespace penstock::exec::testing {
namespace {

using base::ErrorCode;
using base::Result;
using core::Call;
using core::Step;
using core::Value;

struct Sum final : core::State {
  std::int64_t value = 0;
};

/// A function as an operator.
struct Body {
  std::function<Result<Step>(const Value& params, Call& call)> call;
  std::vector<std::string> slots;
  bool stateful = false;
  bool source = false;
};

std::int64_t param(const Value& params, std::string_view name, std::int64_t otherwise) {
  const Value* const found = params.find(name);
  return found == nullptr ? otherwise : found->as_int();
}

const Value& input(const Call& call, std::size_t i) {
  return *call.inputs[i];
}

Result<Step> emit(Call& call, Value value) {
  call.outputs[0] = std::move(value);
  return Step::kDone;
}

Result<Value> make_tensor(std::int64_t elements, double value, bool in_arena) {
  std::shared_ptr<core::Buffer> buffer;
  if (in_arena) {
    PENSTOCK_ASSIGN_OR_RETURN(buffer, SharedArena::instance().allocate(elements * 8));
  } else {
    buffer = core::Buffer::allocate(elements * 8);
  }
  auto* const data = reinterpret_cast<double*>(buffer->mutable_data());
  std::fill(data, data + elements, value);
  PENSTOCK_ASSIGN_OR_RETURN(
      auto tensor, core::Tensor::create_contiguous(core::DType::kFloat64, {elements}, buffer));
  return Value::tensor(std::move(tensor));
}

/// True for one process only, ever: who makes the file first.
bool first_at(const Value& params) {
  const int fd =
      ::open(params.find("marker")->as_text().c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
  }
  return fd >= 0;
}

Result<Step> wait_ms(std::int64_t ms, const core::Context* obey) {
  for (std::int64_t i = 0; i < ms; ++i) {
    if (obey != nullptr && obey->is_cancelled()) {
      return base::fail(ErrorCode::kCancelled, "interrupted");
    }
    timespec step{0, 1'000'000};
    ::nanosleep(&step, nullptr);
  }
  return Step::kDone;
}

const std::map<std::string, Body, std::less<>>& bodies() {
  static const std::map<std::string, Body, std::less<>> all = {
      {"test.source",
       {[](const Value& params, Call& call) -> Result<Step> {
          auto& state = static_cast<Sum&>(*call.state);
          if (state.value >= param(params, "n", 10)) {
            return Step::kExhausted;
          }
          return emit(call, Value::integer(state.value++));
        },
        {},
        true,
        true}},
      {"test.echo", {[](const Value&, Call& call) { return emit(call, input(call, 0)); }, {"x"}}},
      {"test.add",
       {[](const Value&, Call& call) {
          return emit(call, Value::integer(input(call, 0).as_int() + input(call, 1).as_int()));
        },
        {"a", "b"}}},
      {"test.range",
       {[](const Value&, Call& call) {
          std::vector<Value> items;
          for (std::int64_t i = 0; i < input(call, 0).as_int() % 7; ++i) {
            items.push_back(Value::integer(i));
          }
          return emit(call, Value::list(std::move(items)));
        },
        {"x"}}},
      {"test.odd",
       {[](const Value&, Call& call) -> Result<Step> {
          if (input(call, 0).as_int() % 2 == 0) {
            return Step::kDone;
          }
          return emit(call, input(call, 0));
        },
        {"x"}}},
      {"test.counter",
       {[](const Value&, Call& call) {
          auto& state = static_cast<Sum&>(*call.state);
          state.value = state.value * 3 + input(call, 0).as_int();
          state.value %= 1'000'003;
          return emit(call, Value::integer(state.value));
        },
        {"x"},
        true}},
      {"test.counter_but_13",
       {[](const Value&, Call& call) -> Result<Step> {
          auto& state = static_cast<Sum&>(*call.state);
          state.value = state.value * 3 + input(call, 0).as_int();
          if (input(call, 0).as_int() == 13) {
            return base::fail(ErrorCode::kOutOfRange, "thirteen");
          }
          return emit(call, Value::integer(state.value));
        },
        {"x"},
        true}},
      {"test.tensor",
       {[](const Value& params, Call& call) -> Result<Step> {
          PENSTOCK_ASSIGN_OR_RETURN(
              Value tensor,
              make_tensor(param(params, "elements", 1000),
                          static_cast<double>(input(call, 0).as_int()), param(params, "arena", 0)));
          return emit(call, std::move(tensor));
        },
        {"x"}}},
      {"test.total",
       {[](const Value&, Call& call) {
          const core::Tensor& tensor = *input(call, 0).as_tensor();
          const auto* const data = reinterpret_cast<const double*>(tensor.data());
          double total = 0;
          for (std::int64_t i = 0; i < tensor.num_elements(); ++i) {
            total += data[i];
          }
          return emit(call, Value::real(total));
        },
        {"x"}}},
      {"test.text",
       {[](const Value& params, Call& call) {
          return emit(call, Value::list(std::vector<Value>(
                                static_cast<std::size_t>(param(params, "count", 1)),
                                Value::text(std::string(100, 'x')))));
        },
        {"x"}}},
      {"test.touch",
       {[](const Value& params, Call& call) {
          const std::string bytes(static_cast<std::size_t>(param(params, "mib", 1)) << 20U, 'x');
          return emit(call, Value::integer(static_cast<std::int64_t>(bytes.size())));
        },
        {"x"}}},
      {"test.pid",
       {[](const Value&, Call& call) { return emit(call, Value::integer(::getpid())); }, {"x"}}},
      {"test.log",
       {[](const Value&, Call& call) {
          call.context->log("line " + std::to_string(input(call, 0).as_int()));
          return emit(call, input(call, 0));
        },
        {"x"}}},
      {"test.fail",
       {[](const Value&, Call&) -> Result<Step> {
          return base::fail(base::Error(ErrorCode::kOutOfRange, "too far: x=9 limit=3")
                                .with_id("PS0999")
                                .with_help("go less far")
                                .with_trace("File \"a.py\", line 1"));
        },
        {"x"}}},
      {"test.throw",
       {[](const Value&, Call&) -> Result<Step> { throw std::runtime_error("thrown"); }, {"x"}}},
      {"test.kill",
       {[](const Value& params, Call& call) {
          if (input(call, 0).as_int() == param(params, "at", 0)) {
            ::raise(SIGKILL);
          }
          return emit(call, input(call, 0));
        },
        {"x"}}},
      {"test.kill_once",
       {[](const Value& params, Call& call) {
          if (input(call, 0).as_int() == param(params, "at", 0) && first_at(params)) {
            ::raise(SIGKILL);
          }
          return emit(call, input(call, 0));
        },
        {"x"}}},
      {"test.sleep",
       {[](const Value& params, Call& call) -> Result<Step> {
          const bool obey = param(params, "obey", 0) != 0;
          PENSTOCK_RETURN_IF_ERROR(wait_ms(param(params, "ms", 10), obey ? call.context : nullptr));
          return emit(call, input(call, 0));
        },
        {"x"}}},
  };
  return all;
}

class BodyOperator final : public core::Operator {
 public:
  BodyOperator(const Body& body, Value params) : body_(body), params_(std::move(params)) {}
  Result<Step> call(Call& call) const override { return body_.call(params_, call); }
  Result<std::unique_ptr<core::State>> make_state() const override {
    return body_.stateful ? std::make_unique<Sum>() : std::unique_ptr<core::State>();
  }

 private:
  const Body& body_;
  const Value params_;
};

class BodyType final : public core::NodeType {
 public:
  BodyType(std::string name, const Body& body, Value params)
      : name_(std::move(name)), body_(body), params_(std::move(params)) {
    for (const std::string& slot : body.slots) {
      signature_.slots.push_back({.name = slot});
    }
    signature_.stateful = body.stateful;
    signature_.source = body.source;
  }
  const core::Signature& signature() const override { return signature_; }
  Result<std::shared_ptr<const core::Operator>> bind(
      std::span<const core::Binding>) const override {
    return std::make_shared<BodyOperator>(body_, params_);
  }
  std::string identity() const override { return name_; }

 private:
  const std::string name_;
  const Body& body_;
  const Value params_;
  core::Signature signature_;
};

class BodyResolver final : public flow::Resolver {
 public:
  Result<std::unique_ptr<core::NodeType>> resolve(const flow::NodeSpec& node,
                                                  const Value& params) const override {
    const auto found = bodies().find(node.type);
    if (found == bodies().end()) {
      return std::unique_ptr<core::NodeType>();
    }
    return std::make_unique<BodyType>(node.type, found->second,
                                      params.is_absent() ? Value::map({}) : params);
  }
};

}  // namespace

Result<std::shared_ptr<const flow::Plan>> compile(std::string_view yaml) {
  auto spec = flow::parse_spec(yaml);
  if (!spec.has_value()) {
    return base::fail(flow::to_error(spec.error()));
  }
  const BodyResolver resolver;
  const flow::Resolver* const resolvers[] = {&resolver};
  auto plan = flow::Plan::compile(*spec, resolvers);
  if (!plan.has_value()) {
    return base::fail(flow::to_error(plan.error()));
  }
  return *plan;
}

ProcessOptions options(std::string_view yaml, std::int32_t num_workers) {
  return {.command = {PENSTOCK_TEST_WORKER},
          .plan = std::string(yaml),
          .num_workers = num_workers,
          .start_timeout_ms = 60'000};
}

std::span<const Value* const> TableAccess::inputs(const flow::Task& task,
                                                  std::vector<const Value*>& scratch) const {
  scratch.clear();
  for (const Value& value : static_cast<const Row*>(task.activation)->inputs) {
    scratch.push_back(&value);
  }
  return scratch;
}

std::span<Value> TableAccess::outputs(const flow::Task& task) const {
  auto& row = *static_cast<Row*>(task.activation);
  row.outputs.resize(
      static_cast<std::size_t>(plan_->nodes()[static_cast<std::size_t>(task.node)].num_signals));
  return row.outputs;
}

std::int64_t TableAccess::epoch(const flow::Task& task, std::vector<std::int64_t>& path) const {
  path.clear();
  return static_cast<const Row*>(task.activation)->epoch;
}

void TableAccess::log(const core::Context& context, std::string_view line) {
  lines.push_back(*context.node_id + ": " + std::string(line));
}

}  // namespace penstock::exec::testing
