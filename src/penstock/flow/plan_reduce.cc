// See plan_reduce.h.
#include "penstock/flow/plan_reduce.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "penstock/core/host.h"
#include "penstock/flow/plan_bytes.h"
#include "penstock/flow/reuse.h"

namespace penstock::flow {
namespace {

constexpr std::string_view kLineage = "penstock-lineage-1";

/// Gives values known beforehand.
class Given final : public core::Operator {
 public:
  explicit Given(std::vector<core::Value> values) : values_(std::move(values)) {}
  base::Result<core::Step> call(core::Call& call) const override {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      call.outputs[i] = values_[i];
    }
    return core::Step::kDone;
  }

 private:
  std::vector<core::Value> values_;
};

std::size_t at(std::int32_t index) {
  return static_cast<std::size_t>(index);
}

base::Error not_kept(const std::string& node, const std::string& wanted) {
  return base::Error(base::ErrorCode::kNotFound,
                     fmt::format("'{}' cannot run alone: that run kept no result of '{}', which it "
                                 "depends on",
                                 wanted, node))
      .with_id("PS0422")
      .with_help(fmt::format("give '{}' the key 'cache: true' and run the whole tube once", node));
}

}  // namespace

PlanReducer::PlanReducer(std::shared_ptr<const Plan> plan, std::span<const core::Value> inputs,
                         const ResultCache& cache)
    : plan_(std::move(plan)),
      inputs_(inputs),
      cache_(cache),
      lineage_(plan_->nodes().size()),
      input_digests_(plan_->inputs().size()),
      signal_digests_(plan_->signal_names().size()),
      known_(plan_->nodes().size()),
      given_(plan_->nodes().size()) {
}

std::shared_ptr<const Plan> PlanReducer::reduce() {
  if (plan_->reuse() == nullptr) {
    return plan_;
  }
  trace_inputs();
  for (const std::int32_t node : plan_->reuse()->order) {
    trace(node);
  }
  do {
    find_needed();
  } while (!load_given());
  return derived();
}

void PlanReducer::trace_inputs() {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].is_absent()) {
      continue;
    }
    const auto native = core::to_native(inputs_[i]);
    const auto sum = native.has_value() ? core::digest(*native)
                                        : base::Result<core::Digest>(base::fail(native.error()));
    if (sum.has_value()) {
      input_digests_[i] = *sum;
      if (plan_->inputs()[i].signal != kNone) {
        signal_digests_[at(plan_->inputs()[i].signal)] = *sum;
      }
    }
  }
}

void PlanReducer::trace(std::int32_t node) {
  if (node == Plan::kInputNode) {
    return;
  }
  lineage_[at(node)] = lineage_of(node);
  const PlanNode& facts = plan_->nodes()[at(node)];
  if (facts.is_kept && facts.enabled && facts.region == 0) {
    look_up(node);
  }
}

std::optional<core::Digest> PlanReducer::lineage_of(const InEdge& edge) const {
  const std::int32_t producer = plan_->producer(edge.signal);
  std::string bytes;
  if (producer == Plan::kInputNode) {
    const auto& sum = input_digests_[at(edge.signal)];
    if (!sum) {
      return std::nullopt;
    }
    append_digest(bytes, *sum);
  } else {
    if (!lineage_[at(producer)]) {
      return std::nullopt;
    }
    const PlanNode& from = plan_->nodes()[at(producer)];
    append_digest(bytes, *lineage_[at(producer)]);
    append_int(bytes, edge.signal == from.map_value ? -1 : edge.signal - from.first_signal);
  }
  append_int(bytes, edge.up);
  append_int(bytes, (edge.required ? 1 : 0) | (edge.collects ? 2 : 0));
  return core::hash_bytes(bytes);
}

std::optional<core::Digest> PlanReducer::lineage_of(std::int32_t node) const {
  const NodeReuse& reuse = plan_->reuse()->nodes[at(node)];
  if (!reuse.is_pure) {
    return std::nullopt;
  }
  const PlanNode& facts = plan_->nodes()[at(node)];
  std::string bytes(kLineage);
  append_digest(bytes, reuse.recipe);
  append_int(bytes, facts.enabled ? 1 : 0);
  for (const InEdge& edge : plan_->in_edges(facts)) {
    if (edge.signal == kNone) {
      append_int(bytes, kNone);
      continue;
    }
    const auto from = lineage_of(edge);
    if (!from) {
      return std::nullopt;
    }
    append_digest(bytes, *from);
  }
  if (!append_files(node, bytes)) {
    return std::nullopt;
  }
  return core::hash_bytes(bytes);
}

bool PlanReducer::append_files(std::int32_t node, std::string& bytes) const {
  const PlanNode& facts = plan_->nodes()[at(node)];
  for (const core::FileInput& file : plan_->reuse()->nodes[at(node)].files) {
    std::string path = file.path;
    const auto edges = plan_->input_edges(facts);
    for (std::size_t i = 0; path.empty() && i < edges.size(); ++i) {
      if (facts.bindings[i].name != file.slot || edges[i].signal == kNone) {
        continue;
      }
      if (plan_->producer(edges[i].signal) != Plan::kInputNode) {
        return false;  // known when that node has run
      }
      const core::Value& value = inputs_[at(edges[i].signal)];
      const auto native = core::to_native(value);
      if (!native.has_value() || !native->is(core::Kind::kText)) {
        return false;
      }
      path = native->as_text();
    }
    const auto sum = digest_of_files(path);
    if (!sum.has_value()) {
      return false;
    }
    append_digest(bytes, *sum);
  }
  return true;
}

// By lineage; else, when the values of all inputs are known, as the run itself would look.
void PlanReducer::look_up(std::int32_t node) {
  const PlanNode& facts = plan_->nodes()[at(node)];
  std::shared_ptr<const KeptResult> found;
  if (lineage_[at(node)]) {
    found = cache_.find(*lineage_[at(node)]);
  }
  if (found == nullptr) {
    if (const auto key = key_of(node)) {
      found = cache_.find(*key);
    }
  }
  if (found == nullptr || found->num_outputs() != at(facts.num_signals)) {
    return;
  }
  for (std::size_t i = 0; i < found->num_outputs(); ++i) {
    if (!found->is_absent(i)) {
      signal_digests_[at(facts.first_signal) + i] = found->digest(i);
    }
  }
  known_[at(node)] = std::move(found);
}

std::optional<core::Digest> PlanReducer::key_of(std::int32_t node) const {
  const PlanNode& facts = plan_->nodes()[at(node)];
  const NodeReuse& reuse = plan_->reuse()->nodes[at(node)];
  if (!reuse.files.empty()) {
    return std::nullopt;  // its lineage says the same
  }
  KeyMaker maker(reuse.recipe);
  const auto edges = plan_->input_edges(facts);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (edges[i].signal == kNone || !signal_digests_[at(edges[i].signal)]) {
      return std::nullopt;
    }
    maker.add_known_input(input_part_name(facts, i), *signal_digests_[at(edges[i].signal)]);
  }
  return maker.key();
}

void PlanReducer::find_needed() {
  const auto nodes = plan_->nodes();
  needed_.assign(nodes.size(), false);
  std::vector<bool> has_consumer(nodes.size(), false);
  for (const InEdge& edge : plan_->in_edges()) {
    if (edge.signal != kNone) {
      has_consumer[at(plan_->producer(edge.signal))] = true;
    }
  }
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    const NodeReuse& reuse = plan_->reuse()->nodes[i];
    const bool is_end = !has_consumer[i] || nodes[i].kind == NodeKind::kReturn;
    if (nodes[i].enabled && (is_end || !reuse.is_pure)) {
      need(static_cast<std::int32_t>(i));
    }
  }
}

void PlanReducer::need(std::int32_t first) {
  stack_.assign(1, first);
  while (!stack_.empty()) {
    const std::int32_t node = stack_.back();
    stack_.pop_back();
    if (needed_[at(node)]) {
      continue;
    }
    needed_[at(node)] = true;
    if (known_[at(node)] != nullptr) {
      continue;
    }
    const PlanNode& facts = plan_->nodes()[at(node)];
    for (const InEdge& edge : plan_->in_edges(facts)) {
      if (edge.signal != kNone) {
        stack_.push_back(plan_->producer(edge.signal));
      }
    }
    if (const std::int32_t map = plan_->regions()[at(facts.region)].map; map != kNone) {
      stack_.push_back(map);
    }
  }
}

bool PlanReducer::load_given() {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (known_[i] == nullptr || !needed_[i] || !given_[i].empty()) {
      continue;
    }
    for (std::size_t output = 0; output < known_[i]->num_outputs(); ++output) {
      auto value = known_[i]->load(output);
      if (!value.has_value()) {
        known_[i] = nullptr;
        given_[i].clear();
        return false;
      }
      given_[i].push_back(std::move(*value));
    }
  }
  return true;
}

base::Result<std::shared_ptr<const Plan>> PlanReducer::only(std::int32_t node,
                                                            const KeptCalls& calls) {
  needed_.assign(plan_->nodes().size(), false);
  const auto push_producers = [this](const PlanNode& facts) {
    for (const InEdge& edge : plan_->in_edges(facts)) {
      if (edge.signal != kNone) {
        stack_.push_back(plan_->producer(edge.signal));
      }
    }
    if (const std::int32_t map = plan_->regions()[at(facts.region)].map; map != kNone) {
      stack_.push_back(map);
    }
  };
  needed_[at(node)] = true;
  push_producers(plan_->nodes()[at(node)]);
  while (!stack_.empty()) {
    const std::int32_t before = stack_.back();
    stack_.pop_back();
    if (needed_[at(before)] || before == Plan::kInputNode) {
      continue;
    }
    needed_[at(before)] = true;
    const PlanNode& facts = plan_->nodes()[at(before)];
    if (facts.kind == NodeKind::kOperator && !plan_->reuse()->nodes[at(before)].is_pure) {
      return base::fail(not_kept(facts.id, plan_->nodes()[at(node)].id));
    }
    if (facts.is_kept) {
      PENSTOCK_RETURN_IF_ERROR(take_kept(before, node, calls));
      if (facts.region == 0) {
        continue;
      }
      stack_.push_back(plan_->regions()[at(facts.region)].map);
      continue;
    }
    push_producers(facts);
  }
  if (!load_given()) {
    return base::fail(not_kept(plan_->nodes()[at(node)].id, plan_->nodes()[at(node)].id));
  }
  lineage_.assign(lineage_.size(), std::nullopt);  // inputs may be of another code than today's
  return derived();
}

// The values of a node inside a map are looked up when its calls come.
base::Status PlanReducer::take_kept(std::int32_t node, std::int32_t wanted,
                                    const KeptCalls& calls) {
  const PlanNode& facts = plan_->nodes()[at(node)];
  const auto call = calls.lower_bound({node, {}});
  const bool has_call = call != calls.end() && call->first.first == node;
  if (has_call && facts.region == 0) {
    known_[at(node)] = cache_.find(call->second);
  }
  if (!has_call || (facts.region == 0 && known_[at(node)] == nullptr)) {
    return base::fail(not_kept(facts.id, plan_->nodes()[at(wanted)].id));
  }
  return {};
}

std::shared_ptr<const Plan> PlanReducer::derived() const {
  auto reuse = std::make_shared<PlanReuse>(*plan_->reuse());
  const std::shared_ptr<Plan> plan(new Plan(*plan_));
  for (std::size_t i = 1; i < plan->nodes_.size(); ++i) {
    PlanNode& node = plan->nodes_[i];
    NodeReuse& facts = reuse->nodes[i];
    facts.lineage = node.region == 0 ? lineage_[i] : std::nullopt;
    if (!needed_[i]) {
      node.enabled = false;
    } else if (known_[i] != nullptr) {
      facts.is_given = true;
      facts.parts = known_[i]->facts().parts;
      node.num_edges = node.num_hidden = 0;
      node.bindings.clear();
      node.needs_host = false;
      node.native = true;
      node.policy = nullptr;
      node.op = std::make_shared<Given>(given_[i]);
    }
  }
  plan->index_consumers();
  plan->reuse_ = std::move(reuse);
  return plan;
}

}  // namespace penstock::flow
