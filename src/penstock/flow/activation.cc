#include "penstock/flow/activation.h"

#include <algorithm>
#include <bit>

namespace penstock::flow {

ActivationPool::ActivationPool(const Plan& plan, std::vector<ExpansionSizes> sizes)
    : plan_(plan), sizes_(std::move(sizes)), free_(plan.regions().size()) {
}

Slab* ActivationPool::take(std::int32_t region_index, std::int32_t count, Activation* parent,
                           std::int64_t epoch) {
  const auto r = static_cast<std::size_t>(region_index);
  const Region& region = plan_.regions()[r];
  auto& free = free_[r];
  // Best of the free ones: large enough, or the last one, grown. Lists are short (epochs in flight
  // times maps), so a scan is cheap.
  Slab* slab = nullptr;
  const auto fits = std::ranges::find_if(free, [&](Slab* s) { return s->capacity >= count; });
  if (fits != free.end()) {
    slab = *fits;
    free.erase(fits);
  } else if (!free.empty()) {
    slab = free.back();
    free.pop_back();
  } else {
    owned_.push_back(std::make_unique<Slab>());
    slab = owned_.back().get();
    slab->region = region_index;
  }
  const auto num_counts = static_cast<std::size_t>(region.num_nodes + sizes_[r].extra);
  const auto num_signals = static_cast<std::size_t>(region.num_signals);
  const std::size_t num_children = region.children.size();
  std::size_t turns = 0, pending = 0;
  for (const std::int32_t child : region.children) {
    turns += static_cast<std::size_t>(sizes_[static_cast<std::size_t>(child)].turns);
    pending += static_cast<std::size_t>(sizes_[static_cast<std::size_t>(child)].pending);
  }
  if (slab->capacity < count) {
    slab->capacity =
        count == 1 ? 1
                   : static_cast<std::int32_t>(std::bit_ceil(static_cast<std::uint32_t>(count)));
    const auto capacity = static_cast<std::size_t>(slab->capacity);
    slab->activations.resize(capacity);
    slab->remaining.resize(capacity * num_counts);
    slab->values.resize(capacity * num_signals);
    slab->expansions.resize(capacity * num_children);
    slab->turns.resize(capacity * turns);
    slab->pending.resize(capacity * pending);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    Activation& a = slab->activations[i];
    a.parent = parent;
    a.root = parent == nullptr ? &a : parent->root;
    a.remaining = slab->remaining.data() + i * num_counts;
    a.values = slab->values.data() + i * num_signals;
    a.expansions = slab->expansions.data() + i * num_children;
    a.epoch = epoch;
    a.region = region_index;
    a.index = static_cast<std::int32_t>(i);
    a.failed = false;
    std::uint8_t* turn = slab->turns.data() + i * turns;
    std::int32_t* waiting = slab->pending.data() + i * pending;
    for (std::size_t c = 0; c < num_children; ++c) {
      const ExpansionSizes& sizes = sizes_[static_cast<std::size_t>(region.children[c])];
      a.expansions[c] = {nullptr, nullptr, turn, waiting, 0, 0, Expansion::State::kWaiting};
      std::fill_n(turn, sizes.turns, std::uint8_t{0});
      turn += sizes.turns;
      waiting += sizes.pending;
    }
  }
  return slab;
}

void ActivationPool::give_back(Slab* slab, std::int32_t count) {
  const Region& region = plan_.regions()[static_cast<std::size_t>(slab->region)];
  const auto used = static_cast<std::size_t>(count) * static_cast<std::size_t>(region.num_signals);
  for (std::size_t i = 0; i < used; ++i) {
    slab->values[i].reset();
  }
  const std::size_t num_expansions = static_cast<std::size_t>(count) * region.children.size();
  for (std::size_t i = 0; i < num_expansions; ++i) {
    Expansion& expansion = slab->expansions[i];
    if (expansion.slab != nullptr) {
      give_back(expansion.slab, expansion.count);
      expansion.slab = nullptr;
    }
  }
  free_[static_cast<std::size_t>(slab->region)].push_back(slab);
}

}  // namespace penstock::flow
