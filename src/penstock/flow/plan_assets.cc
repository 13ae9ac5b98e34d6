// Assets: objects that nodes share.
//
//   scope runner, process   a node `assets.ID` gives the object; who depends on it runs on the
//   runner's
//                           own thread, one after the other in the order of the plan
//   scope runner            a node `assets.ID.end` waits for all of them: the object is given to
//   the
//                           next epoch only then, perhaps replaced by what `depends` names
//   scope node              no node: the object is made for each call, where the call is made
#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "penstock/flow/plan_builder.h"

namespace penstock::flow {

core::Value PlanBuilder::asset_params(const AssetSpec& asset) {
  const bool is_list = !asset.params.empty() && asset.params.front().name.empty();
  const core::Value named = resolve_params(fmt::format("asset '{}'", asset.id), asset.params);
  if (named.is_absent() || !is_list) {
    return named;
  }
  std::vector<core::Value> items;
  for (const auto& [name, value] : named.as_map()) {
    items.push_back(value);
  }
  return core::Value::list(std::move(items));
}

std::shared_ptr<const core::NodeType> PlanBuilder::find_asset_type(const AssetSpec& asset) {
  const core::Value params = asset_params(asset);
  if (params.is_absent()) {
    return nullptr;
  }
  for (const Resolver* resolver : resolvers_) {
    auto type = resolver->resolve_asset(asset, params);
    if (!type.has_value()) {
      report(asset.mark, type.error(), "PS0206");
      return nullptr;
    }
    if (*type != nullptr) {
      return std::move(*type);
    }
  }
  report(asset.mark, "PS0201", fmt::format("unknown type '{}' of asset '{}'", asset.type, asset.id),
         "name a Python class or function");
  return nullptr;
}

void PlanBuilder::collect_assets(TubeScope& scope) {
  for (const AssetSpec& spec : scope.spec->assets) {
    TubeAsset asset{.spec = &spec, .type = find_asset_type(spec)};
    if (asset.type != nullptr && spec.scope != Scope::kNode) {
      asset.draft = static_cast<std::int32_t>(drafts_.size());
      Draft draft{.scope = &scope, .asset_spec = &spec};
      draft.kind = NodeKind::kAsset;
      draft.type = asset.type;
      draft.signals = {"value"};
      draft.stateful = spec.scope == Scope::kRunner;
      draft.needs_host = asset.type->signature().needs_host;
      draft.native = asset.type->signature().native;
      draft.is_local = true;
      drafts_.push_back(std::move(draft));
      if (spec.scope == Scope::kRunner) {
        asset.end = static_cast<std::int32_t>(drafts_.size());
        Draft end{.scope = &scope, .asset_spec = &spec, .asset = asset.draft};
        end.kind = NodeKind::kAssetEnd;
        end.is_local = true;
        drafts_.push_back(std::move(end));
      }
    }
    scope.assets.push_back(std::move(asset));
  }
}

bool PlanBuilder::find_asset(const Draft& draft, const Dependency& dependency, DraftEdge& edge) {
  std::vector<std::string> names;
  for (const TubeAsset& asset : draft.scope->assets) {
    names.push_back(asset.spec->id);
  }
  const auto found = std::ranges::find(names, dependency.signal);
  if (found == names.end()) {
    const std::string nearest = core::nearest_name(dependency.signal, names);
    report(dependency.mark, "PS0118",
           fmt::format("unknown asset '{}' in depends of node '{}'", dependency.signal,
                       draft.spec->id),
           nearest.empty() ? "" : fmt::format("did you mean 'assets.{}'?", nearest));
    return false;
  }
  const TubeAsset& asset = draft.scope->assets[static_cast<std::size_t>(found - names.begin())];
  if (asset.type == nullptr) {
    return false;  // its own problem is reported
  }
  if (asset.draft != kNone) {
    edge.producer = asset.draft;
    edge.signal = 0;
    return true;
  }
  if (draft.kind != NodeKind::kOperator) {
    report(dependency.mark, "PS0119",
           fmt::format("asset '{}' has scope node, so it is made for calls: a {} makes none",
                       asset.spec->id, draft.spec->type),
           "give the asset the scope process or runner");
    return false;
  }
  edge.own_asset = asset.type;
  return true;
}

// Those that take it as an input of their nested tube too: there it is the same object.
std::vector<std::int32_t> PlanBuilder::users_of(std::int32_t asset) const {
  std::set<std::int32_t> users;
  std::vector<std::pair<std::int32_t, std::int32_t>> sources{{asset, 0}};  // producer, signal
  for (std::size_t at = 0; at < sources.size(); ++at) {
    const auto [producer, signal] = sources[at];
    for (std::size_t i = 1; i < drafts_.size(); ++i) {
      const Draft& draft = drafts_[i];
      for (std::size_t slot = 0; slot < draft.edges.size(); ++slot) {
        const DraftEdge& edge = draft.edges[slot];
        if (edge.producer != producer || edge.signal != signal || edge.hidden ||
            draft.kind == NodeKind::kAssetEnd) {
          continue;
        }
        users.insert(static_cast<std::int32_t>(i));
        if (draft.kind == NodeKind::kTube) {  // its edges are its signals, in order
          sources.emplace_back(static_cast<std::int32_t>(i), static_cast<std::int32_t>(slot));
        }
      }
    }
  }
  return {users.begin(), users.end()};
}

void PlanBuilder::wire_assets() {
  for (const auto& scope : scopes_) {
    scope_ = scope.get();
    for (TubeAsset& asset : scope->assets) {
      if (asset.draft == kNone) {
        continue;
      }
      Draft& draft = drafts_[static_cast<std::size_t>(asset.draft)];
      if (scope->depth > 0) {
        hold_back(draft);
      }
      asset.users = users_of(asset.draft);
      for (const std::int32_t user : asset.users) {
        drafts_[static_cast<std::size_t>(user)].is_local = true;
      }
      if (asset.end != kNone) {
        wire_asset_end(asset);
        if (scope->depth > 0) {
          hold_back(drafts_[static_cast<std::size_t>(asset.end)]);
        }
      }
    }
  }
}

void PlanBuilder::wire_asset_end(const TubeAsset& asset) {
  Draft& end = drafts_[static_cast<std::size_t>(asset.end)];
  if (asset.spec->depends) {
    NodeSpec stand_in;
    stand_in.id = asset.spec->id;
    Draft asking{.spec = &stand_in, .scope = end.scope};
    DraftEdge edge;
    if (!find_producer(asking, *asset.spec->depends, edge)) {
      return;
    }
    const auto reads = [&](const DraftEdge& other) {
      return other.producer == edge.producer && other.signal == edge.signal;
    };
    end.copies = std::ranges::any_of(
        drafts_, [&](const Draft& draft) { return std::ranges::any_of(draft.edges, reads); });
    edge.required = false;
    end.edges.push_back(std::move(edge));
  }
  const auto wait_for = [&](std::int32_t producer) {
    if (drafts_[static_cast<std::size_t>(producer)].signals.empty()) {
      return;  // a return: it gives the object to the caller
    }
    DraftEdge edge;
    edge.producer = producer;
    edge.required = false;
    edge.hidden = true;
    end.edges.push_back(std::move(edge));
  };
  wait_for(asset.draft);
  std::ranges::for_each(asset.users, wait_for);
}

// What updates an asset must be the last to use it: a node behind it would see the old object in
// one order of events and the new one in another.
void PlanBuilder::check_asset_order(const TubeAsset& asset) {
  const Draft& end = drafts_[static_cast<std::size_t>(asset.end)];
  if (!asset.spec->depends || end.edges.empty() || end.edges.front().hidden) {
    return;
  }
  const std::int32_t updating = end.edges.front().producer;
  std::vector<std::int32_t> generation(drafts_.size(), 0);
  for (const std::int32_t index : topological_) {
    for (const DraftEdge& edge : drafts_[static_cast<std::size_t>(index)].edges) {
      if (edge.producer != kNone && !edge.hidden) {
        auto& own = generation[static_cast<std::size_t>(index)];
        own = std::max(own, generation[static_cast<std::size_t>(edge.producer)] + 1);
      }
    }
  }
  for (const std::int32_t user : asset.users) {
    if (user != updating && generation[static_cast<std::size_t>(user)] >=
                                generation[static_cast<std::size_t>(updating)]) {
      const Draft& draft = drafts_[static_cast<std::size_t>(user)];
      const auto edge = std::ranges::find(draft.edges, asset.draft, &DraftEdge::producer);
      if (edge == draft.edges.end()) {
        continue;  // inside a nested tube; the tube itself is looked at
      }
      report(edge->mark, "PS0120",
             fmt::format("node '{}' uses asset '{}' beside or behind '{}', which updates it",
                         full_id(draft), asset.spec->id,
                         full_id(drafts_[static_cast<std::size_t>(updating)])),
             fmt::format("take the object from {}.{} instead", asset.spec->depends->node,
                         asset.spec->depends->signal));
    }
  }
}

// One user after the other, in the order of the plan, whatever becomes ready first.
void PlanBuilder::order_asset_users() {
  std::vector<std::size_t> place(drafts_.size());
  for (std::size_t i = 0; i < topological_.size(); ++i) {
    place[static_cast<std::size_t>(topological_[i])] = i;
  }
  for (const auto& scope : scopes_) {
    scope_ = scope.get();
    for (TubeAsset& asset : scope->assets) {
      if (asset.draft == kNone) {
        continue;
      }
      std::vector<std::int32_t>& users = asset.users;
      std::ranges::sort(users, {},
                        [&](std::int32_t user) { return place[static_cast<std::size_t>(user)]; });
      if (asset.end != kNone) {
        check_asset_order(asset);
      }
      for (std::size_t i = 0; i < users.size(); ++i) {
        Draft& user = drafts_[static_cast<std::size_t>(users[i])];
        if (user.region != drafts_[static_cast<std::size_t>(asset.draft)].region) {
          user.stateful = true;  // elements in order
        }
        const Draft* const before =
            i == 0 ? nullptr : &drafts_[static_cast<std::size_t>(users[i - 1])];
        if (before == nullptr || before->signals.empty() ||
            !is_ancestor_or_same(before->region, user.region)) {
          continue;
        }
        DraftEdge edge;
        edge.producer = users[i - 1];
        edge.required = false;
        edge.hidden = true;
        user.edges.push_back(std::move(edge));
      }
    }
  }
}

}  // namespace penstock::flow
