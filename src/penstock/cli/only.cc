// See only.h.
#include "penstock/cli/only.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "penstock/core/identity.h"

namespace penstock::cli {

base::Result<flow::RunRecord> find_run(const std::string& name, const std::string& file) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto history, flow::History::open(flow::user_data_folder()));
  std::error_code failed;
  const auto path = std::filesystem::canonical(file, failed);
  PENSTOCK_ASSIGN_OR_RETURN(auto runs, name == "last"
                                           ? history->list(1, failed ? file : path.string())
                                           : history->find_runs(name, 2));
  if (runs.size() == 1) {
    return std::move(runs.front());
  }
  return base::fail(base::Error(base::ErrorCode::kNotFound,
                                runs.empty() ? fmt::format("no run begins with '{}'", name)
                                             : fmt::format("'{}' begins more than one run", name))
                        .with_id("PS0907")
                        .with_help("'penstock history' lists runs"));
}

base::Status add_inputs_of(const flow::RunRecord& run, const flow::Spec& spec, RunInputs& inputs) {
  const auto add = [](core::Value& map, const std::string& name, const core::Value& value) {
    std::vector<core::MapEntry> entries = map.as_map();
    entries.emplace_back(name, value);
    map = core::Value::map(std::move(entries));
  };
  for (const flow::InputSpec& input : spec.inputs) {
    if (inputs.all.find(input.id) != nullptr) {
      continue;
    }
    const bool had =
        std::ranges::find(run.inputs, input.id, &std::pair<std::string, std::string>::first) !=
        run.inputs.end();
    if (!had) {
      continue;  // its default
    }
    const core::Value* const value =
        run.input_values.is_absent() ? nullptr : run.input_values.find(input.id);
    if (value == nullptr) {
      return base::fail(base::Error(base::ErrorCode::kNotFound,
                                    fmt::format("run {} kept no value of input '{}': too large",
                                                run.run_id, input.id))
                            .with_id("PS0422")
                            .with_help(fmt::format("give it: --input {}=...", input.id)));
    }
    add(inputs.all, input.id, *value);
    add(input.scope == flow::Scope::kProcess ? inputs.process : inputs.tube, input.id, *value);
  }
  return {};
}

flow::KeptCalls kept_calls(const flow::RunRecord& run, const flow::Plan& plan) {
  flow::KeptCalls out;
  for (const flow::ReuseRecord& call : run.reuse) {
    const std::int32_t node = plan.find_node(call.node);
    const auto key = core::Digest::from_hex(call.key);
    if (node != flow::kNone && key.has_value()) {
      out.try_emplace({node, call.path}, *key);
    }
  }
  return out;
}

void NodeAsResult::on_start(const flow::Plan& plan, const flow::RunInfo& /*info*/) {
  if (const std::int32_t index = plan.find_node(node_); index != flow::kNone) {
    const flow::PlanNode& node = plan.nodes()[static_cast<std::size_t>(index)];
    is_mapped_ = node.region != 0;
    has_one_signal_ = node.num_signals == 1;
  }
}

base::Status NodeAsResult::on_event(const flow::Event& event) {
  if (event.node_id == node_) {
    if (given_.empty() || !(given_.back().first == *event.epoch)) {
      given_.emplace_back(*event.epoch, std::vector<core::MapEntry>());
    }
    given_.back().second.emplace_back(std::string(event.signal), *event.value);
  } else if (event.node_id == "meta" && !given_.empty()) {
    const core::Value value = result();
    given_.clear();
    for (const auto& observer : waiting_) {
      observer->on_result(event.epoch->root, value);
    }
  }
  return {};
}

core::Value NodeAsResult::result() const {
  std::vector<core::Value> values;
  for (const auto& [epoch, signals] : given_) {
    values.push_back(has_one_signal_ ? signals.front().second : core::Value::map(signals));
  }
  return is_mapped_ ? core::Value::list(std::move(values)) : values.front();
}

}  // namespace penstock::cli
