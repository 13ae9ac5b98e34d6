// Small native operators, plans of them, and a bare TaskAccess: for the tests and the benchmark of
// the processes executor and for the worker program they start.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/core/value.h"
#include "penstock/exec/process_executor.h"
#include "penstock/flow/executor.h"
#include "penstock/flow/plan.h"

namespace penstock::exec::testing {

/// Compiles a tube whose types are test.* (process_test_support.cc lists them).
base::Result<std::shared_ptr<const flow::Plan>> compile(std::string_view yaml);

/// Options of an executor whose workers are the test worker program and compile `yaml`.
ProcessOptions options(std::string_view yaml, std::int32_t num_workers = 2);

/// What the task of a TableAccess points to.
struct Row {
  std::vector<core::Value> inputs;
  std::vector<core::Value> outputs;
  std::int64_t epoch = 0;
};

/// Tasks from rows, without a scheduler. Thread-compatible.
class TableAccess final : public flow::TaskAccess, public core::LogSink {
 public:
  explicit TableAccess(std::shared_ptr<const flow::Plan> plan) : plan_(std::move(plan)) {}

  static flow::Task task(std::int32_t node, Row& row) { return {.node = node, .activation = &row}; }

  const flow::Plan& plan() const override { return *plan_; }
  std::span<const core::Value* const> inputs(
      const flow::Task& task, std::vector<const core::Value*>& scratch) const override;
  std::span<core::Value> outputs(const flow::Task& task) const override;
  core::State* state(std::int32_t) const override { return nullptr; }
  std::int64_t epoch(const flow::Task& task, std::vector<std::int64_t>& path) const override;
  std::uint64_t seed() const override { return 7; }
  const core::CancelToken* cancel() const override { return &cancel_token; }
  core::LogSink* log_sink() const override { return const_cast<TableAccess*>(this); }
  core::HostLoop* loop() const override { return nullptr; }
  const core::Wiring* wiring() const override { return nullptr; }
  void log(const core::Context& context, std::string_view line) override;

  core::CancelToken cancel_token;
  std::vector<std::string> lines;  ///< "node: line"

 private:
  std::shared_ptr<const flow::Plan> plan_;
};

}  // namespace penstock::exec::testing
