// `penstock run --only NODE --inputs-from RUN`: one node of a recorded run, again.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/cli/run_inputs.h"
#include "penstock/flow/history.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/plan.h"

namespace penstock::cli {

/// The run whose id begins with `name`; for "last" the newest of the tube in `file`. PS0907 when
/// there is none, or more than one.
base::Result<flow::RunRecord> find_run(const std::string& name, const std::string& file);

/// Takes the values of inputs that are not given from the run; PS0422 when it kept none.
base::Status add_inputs_of(const flow::RunRecord& run, const flow::Spec& spec, RunInputs& inputs);

/// What the run kept, for the nodes of `plan`.
flow::KeptCalls kept_calls(const flow::RunRecord& run, const flow::Plan& plan);

/// Makes what one node gives the result of the run, for those who wait for one: the value of its
/// only signal, or a map of signals; a list of those for a node inside maps.
class NodeAsResult final : public flow::Observer {
 public:
  NodeAsResult(std::string node, std::vector<std::shared_ptr<flow::Observer>> waiting)
      : node_(std::move(node)), waiting_(std::move(waiting)) {}

  std::uint32_t detail() const override { return kEvents; }
  void on_start(const flow::Plan& plan, const flow::RunInfo& info) override;
  base::Status on_event(const flow::Event& event) override;

 private:
  core::Value result() const;

  const std::string node_;
  const std::vector<std::shared_ptr<flow::Observer>> waiting_;
  bool is_mapped_ = false, has_one_signal_ = true;
  std::vector<std::pair<flow::Epoch, std::vector<core::MapEntry>>> given_;
};

}  // namespace penstock::cli
