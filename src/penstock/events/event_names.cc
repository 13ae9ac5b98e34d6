#include "penstock/events/event_names.h"

#include <bit>
#include <functional>

#include "penstock/base/out_of_memory.h"

namespace penstock::events {
namespace {

void put_text(std::string& key, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  key.append(reinterpret_cast<const char*>(&size), sizeof size);
  key.append(text);
}

}  // namespace

std::string SeriesName::key_of(std::string_view node, std::string_view signal, const Path& path) {
  std::string key;
  put_text(key, node);
  put_text(key, signal);
  for (const auto& [map, index] : path) {
    put_text(key, map);
    key.append(reinterpret_cast<const char*>(&index), sizeof index);
  }
  return key;
}

EventNames::Table::Table(std::size_t capacity) : mask(capacity - 1), slots(capacity) {
}

const EventNames::Entry* EventNames::Table::find(std::string_view key, std::size_t hash) const {
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Entry* entry = slots[at].load(std::memory_order_acquire);
    if (entry == nullptr || (entry->hash == hash && entry->key == key)) {
      return entry;
    }
  }
}

void EventNames::Table::put(const Entry* entry) {
  std::size_t at = entry->hash & mask;
  while (slots[at].load(std::memory_order_relaxed) != nullptr) {
    at = (at + 1) & mask;
  }
  slots[at].store(entry, std::memory_order_release);
}

EventNames::EventNames() {
  tables_.push_back(std::make_unique<Table>(kFirstChunk));
  table_.store(tables_.back().get());
}

EventNames::~EventNames() = default;

std::pair<std::size_t, std::size_t> EventNames::place_of(Series series) {
  const std::size_t number = series + kFirstChunk;
  const auto chunk = static_cast<std::size_t>(std::bit_width(number / kFirstChunk)) - 1;
  return {chunk, number - (kFirstChunk << chunk)};
}

std::optional<Series> EventNames::find(const SeriesName& name) const {
  const std::string key = SeriesName::key_of(name.node, name.signal, name.path);
  const Entry* entry =
      table_.load(std::memory_order_acquire)->find(key, std::hash<std::string_view>{}(key));
  return entry != nullptr ? std::optional(entry->series) : std::nullopt;
}

const SeriesName& EventNames::name(Series series) const {
  const auto [chunk, place] = place_of(series);
  return chunks_[chunk]
      .load(std::memory_order_acquire)[place]
      .load(std::memory_order_acquire)
      ->name;
}

base::Result<Series> EventNames::add(const SeriesName& name) {
  return base::within_memory([&]() -> base::Result<Series> {
    auto entry = std::make_unique<Entry>();
    entry->name = name;
    entry->key = SeriesName::key_of(name.node, name.signal, name.path);
    entry->hash = std::hash<std::string_view>{}(entry->key);
    const std::lock_guard lock(mutex_);
    if (const Entry* known = tables_.back()->find(entry->key, entry->hash); known != nullptr) {
      return known->series;
    }
    const auto number = static_cast<Series>(entries_.size());
    if (number >= kMaxSeries) {
      return base::fail(base::ErrorCode::kResourceExhausted,
                        "too many signals in an event store: limit=" + std::to_string(kMaxSeries));
    }
    entry->series = number;
    const auto [chunk, place] = place_of(number);
    if (chunks_[chunk].load(std::memory_order_relaxed) == nullptr) {
      chunk_owners_.reserve(kNumChunks);
      chunk_owners_.push_back(std::make_unique<std::atomic<const Entry*>[]>(kFirstChunk << chunk));
      chunks_[chunk].store(chunk_owners_.back().get(), std::memory_order_release);
    }
    if (2 * entries_.size() >= tables_.back()->mask) {
      auto larger = std::make_unique<Table>(2 * (tables_.back()->mask + 1));
      for (const auto& known : entries_) {
        larger->put(known.get());
      }
      tables_.push_back(std::move(larger));
      table_.store(tables_.back().get(), std::memory_order_release);
    }
    entries_.push_back(std::move(entry));
    const Entry* made = entries_.back().get();
    chunks_[chunk].load(std::memory_order_relaxed)[place].store(made, std::memory_order_release);
    size_.store(number + 1, std::memory_order_release);
    tables_.back()->put(made);
    return number;
  });
}

}  // namespace penstock::events
