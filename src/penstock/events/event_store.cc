#include "penstock/events/event_store.h"

#include <algorithm>
#include <new>
#include <string>
#include <thread>

#include "penstock/base/forks.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/events/stream_fill.h"

namespace penstock::events {
namespace {

constexpr std::size_t kFirstCapacity = 64;
constexpr int kSpins = 200;

base::Error too_many_rows() {
  return {
      base::ErrorCode::kResourceExhausted,
      "an event store cannot hold that many events: limit=" + std::to_string(EventIndex::kMaxRows)};
}

// From so many rows on a batch is written past the caches.
constexpr std::size_t kStreamed = 2048;

template <class T>
void fill(T* out, const EventColumns::Column<T>& column, std::size_t first, std::size_t count) {
  const bool streamed = count >= kStreamed;
  if (const T* one = std::get_if<T>(&column)) {
    streamed ? stream_fill(out, *one, count) : static_cast<void>(std::fill_n(out, count, *one));
  } else {
    const T* in = std::get<1>(column).data() + first;
    streamed ? stream_copy(out, in, count) : static_cast<void>(std::copy_n(in, count, out));
  }
}

template <class T, class Make>
void put_numbers(core::Value* out, const T* in, std::size_t count, Make make) {
  for (std::size_t i = 0; i < count; ++i) {
    new (out + i) core::Value(make(in[i]));
  }
}

void put_values(EventSegment& segment, core::Value* out, const EventColumns& columns,
                std::size_t first, std::size_t count) {
  const bool streamed = count >= kStreamed;
  if (const auto* reals = std::get_if<std::span<const double>>(&columns.values)) {
    streamed ? stream_values(out, reals->data() + first, count)
             : put_numbers(out, reals->data() + first, count, core::Value::real);
  } else if (const auto* integers = std::get_if<std::span<const std::int64_t>>(&columns.values)) {
    streamed ? stream_values(out, integers->data() + first, count)
             : put_numbers(out, integers->data() + first, count, core::Value::integer);
  } else if (const auto* flags = std::get_if<std::span<const bool>>(&columns.values)) {
    put_numbers(out, flags->data() + first, count, core::Value::boolean);
  } else {
    const auto& any = std::get<std::span<core::Value>>(columns.values);
    for (std::size_t i = 0; i < count; ++i) {
      new (out + i) core::Value(std::move(any[first + i]));
    }
    segment.has_objects.store(true, std::memory_order_relaxed);
  }
}

}  // namespace

EventStore::EventStore() : num_forks_(base::num_forks()), index_(nullptr) {
  std::unique_ptr<EventIndex> index = EventIndex::create(kFirstCapacity, 0);
  if (index == nullptr) {
    throw std::bad_alloc();
  }
  index_.store(index.release());
}

EventStore::~EventStore() {
  const std::int64_t end_row = published_.load();
  segments_.for_each([&](EventSegment& segment) { segment.destroy(end_row); });
  delete index_.load();
  delete cleared_.load();
}

base::Error EventStore::copied() const {
  return base::Error(base::ErrorCode::kFailedPrecondition,
                     "the event store was in use when fork() copied this process: the copy cannot "
                     "go on with it")
      .with_id("PS0480")
      .with_help("make the store after the fork, or fork while no thread uses it");
}

// The rows are claimed only when there is memory for them: a claim cannot be given back.
base::Result<std::int64_t> EventStore::claim(std::int64_t count) {
  std::int64_t row = claimed_.load(std::memory_order_relaxed);
  do {
    const std::int64_t end = row + count;
    if (end > prepared_.load(std::memory_order_acquire)) [[unlikely]] {
      if (count > EventIndex::kMaxRows || end > EventSegments::kMaxRows ||
          end - first_row_.load(std::memory_order_relaxed) > EventIndex::kMaxRows) {
        return base::fail(too_many_rows());
      }
      if (!segments_.prepare(row, end)) {
        return base::fail_out_of_memory();
      }
      const auto [first, size] = EventSegments::range_of(end - 1);
      std::int64_t prepared = prepared_.load(std::memory_order_relaxed);
      while (prepared < first + size &&
             !prepared_.compare_exchange_weak(prepared, first + size, std::memory_order_acq_rel)) {
      }
    }
  } while (!claimed_.compare_exchange_weak(row, row + count, std::memory_order_relaxed));
  return row;
}

// In the order of claims, so that what is visible has no gaps. Who came before has only to finish
// its copying; when its thread is not running this one makes room for it.
base::Status EventStore::publish(std::int64_t first_row, std::int64_t end_row) {
  for (int spin = 0; published_.load(std::memory_order_acquire) != first_row; ++spin) {
    if (spin < kSpins) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else if (base::num_forks() != num_forks_) {
      return base::fail(copied());
    } else {
      std::this_thread::yield();
    }
  }
  published_.store(end_row, std::memory_order_seq_cst);
  return {};
}

base::Result<std::int64_t> EventStore::add(EventKey key, core::Value value,
                                           std::int64_t timestamp_us) {
  return journal_ == nullptr ? add_row(key, std::move(value), timestamp_us)
                             : add_noted(key, std::move(value), timestamp_us);
}

base::Result<std::int64_t> EventStore::add_batch(const EventColumns& columns) {
  return journal_ == nullptr ? add_rows(columns) : add_noted(columns);
}

base::Result<std::int64_t> EventStore::add_row(EventKey key, core::Value value,
                                               std::int64_t timestamp_us) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::int64_t row, claim(1));
  EventSegment* segment = segments_.find(row);
  const std::int64_t at = row - segment->first_row;
  segment->epochs[at] = key.epoch;
  segment->series[at] = key.series;
  segment->timestamps[at] = timestamp_us;
  if (value.kind() >= core::Kind::kText && !segment->has_objects.load(std::memory_order_relaxed)) {
    segment->has_objects.store(true, std::memory_order_relaxed);
  }
  new (&segment->values[at]) core::Value(std::move(value));
  PENSTOCK_RETURN_IF_ERROR(publish(row, row + 1));
  return row;
}

base::Result<std::int64_t> EventStore::add_rows(const EventColumns& columns) {
  if (columns.count == 0) {
    return next_id();
  }
  const auto count = static_cast<std::int64_t>(columns.count);
  PENSTOCK_ASSIGN_OR_RETURN(const std::int64_t first_row, claim(count));
  for (std::int64_t done = 0; done < count;) {
    EventSegment* segment = segments_.find(first_row + done);
    const std::int64_t at = first_row + done - segment->first_row;
    const auto part = static_cast<std::size_t>(std::min(count - done, segment->num_rows - at));
    const auto first = static_cast<std::size_t>(done);
    put_values(*segment, segment->values + at, columns, first, part);
    fill(segment->epochs + at, columns.epochs, first, part);
    fill(segment->series + at, columns.series, first, part);
    fill(segment->timestamps + at, columns.timestamps_us, first, part);
    done += static_cast<std::int64_t>(part);
  }
  stream_fence();
  PENSTOCK_RETURN_IF_ERROR(publish(first_row, first_row + count));
  return first_row;
}

}  // namespace penstock::events
