// Which nodes keep their results, and what those depend on.
#include "penstock/flow/plan_reuse.h"

#include <utility>

#include <fmt/format.h>

#include "penstock/flow/plan_builder.h"
#include "penstock/flow/plan_bytes.h"

namespace penstock::flow {
namespace {

// Part of every recipe: a change of what is written below makes all kept results unknown.
constexpr std::string_view kRecipe = "penstock-recipe-1";

/// Maps and the like give the same for the same inputs; assets are objects that change.
bool is_pure_structure(NodeKind kind) {
  return kind != NodeKind::kOperator && kind != NodeKind::kAsset && kind != NodeKind::kAssetEnd;
}

}  // namespace

std::string PlanBuilder::reuse_obstacle(const Draft& draft) const {
  if (draft.kind != NodeKind::kOperator) {
    return "it computes nothing";
  }
  if (draft.source) {
    return "it is a source, which gives something else each time";
  }
  if (draft.stateful) {
    return "it keeps state from call to call";
  }
  for (const DraftEdge& edge : draft.edges) {
    const bool shared = edge.producer != kNone &&
                        drafts_[static_cast<std::size_t>(edge.producer)].kind == NodeKind::kAsset;
    if (edge.own_asset != nullptr || shared) {
      return "it uses an asset, which may change";
    }
  }
  if (draft.type->purity() == core::Purity::kNever) {
    return "they depend on more than its inputs, or it does more than give them";
  }
  return {};
}

void PlanBuilder::resolve_reuse() {
  for (Draft& draft : drafts_) {
    const core::Value* const cache = draft.spec != nullptr ? &draft.spec->policy.cache : nullptr;
    const bool refused = cache != nullptr && cache->is(core::Kind::kBool) && !cache->as_bool();
    const bool wanted = cache != nullptr && !cache->is_absent() && !refused;
    if (wanted && draft.kind != NodeKind::kTubeReturn) {  // a tube's kTube speaks for both
      if (const std::string why = reuse_obstacle(draft); !why.empty()) {
        scope_ = draft.scope;
        report(draft.spec->mark, "PS0130",
               fmt::format("results of node '{}' cannot be kept: {}", draft.spec->id, why),
               "remove its key 'cache'; nodes before and after it may have one");
        continue;
      }
    }
    if (draft.kind != NodeKind::kOperator) {
      draft.is_pure = is_pure_structure(draft.kind);
      continue;
    }
    const core::Purity purity = draft.type->purity();
    if ((!wanted && purity < core::Purity::kPure) || !reuse_obstacle(draft).empty()) {
      continue;
    }
    draft.is_pure = true;
    draft.is_kept = wanted || (purity == core::Purity::kKept && !refused);
    keeps_results_ |= draft.is_kept && draft.enabled;
  }
}

void PlanBuilder::hash_recipes() {
  if (!keeps_results_) {
    return;
  }
  reuse_.resize(drafts_.size());
  std::string bytes;
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    const Draft& draft = drafts_[i];
    NodeReuse& node = reuse_[i];
    node.is_pure = draft.is_pure;
    node.is_kept = draft.is_kept;
    if (!draft.is_pure) {
      continue;
    }
    if (draft.type != nullptr) {
      auto parts = draft.type->parts();
      if (!parts.has_value()) {
        scope_ = draft.scope;
        report(draft.spec->type_mark, parts.error(), "PS0131");
        continue;
      }
      node.parts = std::move(*parts);
      node.files = draft.type->files();
    }
    bytes.assign(kRecipe);
    append_int(bytes, static_cast<std::int64_t>(draft.kind));
    for (const core::Part& part : node.parts) {
      append_text(bytes, part.name);
      append_text(bytes, part.value);
    }
    append_shape(bytes, draft);
    for (const DraftEdge& edge : draft.edges) {
      append_int(bytes, edge.binding.position);
      append_text(bytes, edge.binding.name);
    }
    node.recipe = core::hash_bytes(bytes);
  }
}

void PlanBuilder::lay_out_reuse(std::span<const std::int32_t> order,
                                std::span<const std::int32_t> new_index) {
  if (!keeps_results_) {
    return;
  }
  PlanReuse reuse;
  reuse.nodes.reserve(order.size());
  for (const std::int32_t draft : order) {
    reuse.nodes.push_back(std::move(reuse_[static_cast<std::size_t>(draft)]));
  }
  reuse.order.reserve(topological_.size());
  for (const std::int32_t draft : topological_) {
    reuse.order.push_back(new_index[static_cast<std::size_t>(draft)]);
  }
  plan_->reuse_ = std::make_shared<const PlanReuse>(std::move(reuse));
}

}  // namespace penstock::flow
