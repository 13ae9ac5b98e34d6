// EventStore: a store with a log, and taking one up again.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "penstock/base/out_of_memory.h"
#include "penstock/events/event_store.h"

namespace penstock::events {
namespace {

template <class T>
std::vector<T> expand(const EventColumns::Column<T>& column, std::size_t count) {
  if (const T* one = std::get_if<T>(&column)) {
    return std::vector<T>(count, *one);
  }
  const std::span<const T> all = std::get<1>(column);
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

base::Result<std::string> record_of(const core::Value& value) {
  PENSTOCK_ASSIGN_OR_RETURN(const core::Value native, core::to_native(value));
  return make_record(native);
}

base::Status put_values(const EventColumns& columns, Step& step) {
  if (const auto* any = std::get_if<std::span<core::Value>>(&columns.values)) {
    for (std::size_t i = 0; i < columns.count; ++i) {
      PENSTOCK_ASSIGN_OR_RETURN(const std::string record, record_of((*any)[i]));
      step.values.append(record);
      step.ends.push_back(step.values.size());
    }
    return {};
  }
  const auto copy = [&](ValueForm form, const void* data, std::size_t item_bytes) {
    step.form = form;
    step.values.assign(static_cast<const char*>(data), columns.count * item_bytes);
  };
  if (const auto* reals = std::get_if<std::span<const double>>(&columns.values)) {
    copy(ValueForm::kFloat, reals->data(), sizeof(double));
  } else if (const auto* ints = std::get_if<std::span<const std::int64_t>>(&columns.values)) {
    copy(ValueForm::kInt, ints->data(), sizeof(std::int64_t));
  } else {
    copy(ValueForm::kBool, std::get<std::span<const bool>>(columns.values).data(), 1);
  }
  return {};
}

template <class T>
T number_at(std::string_view values, std::size_t i) {
  T value;
  std::memcpy(&value, values.data() + i * sizeof value, sizeof value);
  return value;
}

}  // namespace

/// What is known while a log is read.
struct EventStore::Loaded {
  std::shared_ptr<const MappedFile> file;
  std::vector<Series> series;  ///< of the file's numbers
};

base::Result<std::int64_t> EventStore::add_noted(EventKey key, core::Value value,
                                                 std::int64_t timestamp_us) {
  return base::within_memory([&]() -> base::Result<std::int64_t> {
    PENSTOCK_RETURN_IF_ERROR(journal_->check());
    PENSTOCK_ASSIGN_OR_RETURN(const std::string record, record_of(value));
    const std::lock_guard lock(journal_mutex_);
    journal_->make_room(record.size());
    PENSTOCK_ASSIGN_OR_RETURN(const std::int64_t id, add_row(key, std::move(value), timestamp_us));
    journal_->note_row(id, key.series, key.epoch, timestamp_us, record);
    return id;
  });
}

base::Result<std::int64_t> EventStore::add_noted(const EventColumns& columns) {
  return base::within_memory([&]() -> base::Result<std::int64_t> {
    PENSTOCK_RETURN_IF_ERROR(journal_->check());
    Step step;
    step.series = expand(columns.series, columns.count);
    step.epochs = expand(columns.epochs, columns.count);
    step.timestamps = expand(columns.timestamps_us, columns.count);
    PENSTOCK_RETURN_IF_ERROR(put_values(columns, step));
    const std::lock_guard lock(journal_mutex_);
    journal_->make_room_for_step();
    PENSTOCK_ASSIGN_OR_RETURN(step.first_id, add_rows(columns));
    const std::int64_t first_id = step.first_id;
    if (columns.count != 0) {
      journal_->note_step(std::move(step));
    }
    return first_id;
  });
}

base::Status EventStore::flush() {
  if (journal_ == nullptr) {
    return {};
  }
  PENSTOCK_RETURN_IF_ERROR(journal_->check());
  std::vector<Step> steps;
  {
    const std::lock_guard lock(journal_mutex_);
    steps = journal_->take();
  }
  return journal_->write(std::move(steps), names_);
}

base::Status EventStore::close() {
  if (journal_ == nullptr || journal_->is_closed()) {
    return {};
  }
  const base::Status status = journal_->is_read_only() ? base::Status() : flush();
  journal_->close();
  return status;
}

base::Result<std::unique_ptr<EventStore>> EventStore::open(const std::string& folder,
                                                           EventJournal::Mode mode) {
  return base::within_memory([&]() -> base::Result<std::unique_ptr<EventStore>> {
    auto store = std::make_unique<EventStore>();
    Loaded loaded;
    PENSTOCK_ASSIGN_OR_RETURN(
        store->journal_,
        EventJournal::open(
            folder, mode, [&](const StepView& view, const std::shared_ptr<const MappedFile>& file) {
              return store->replay(view, file, loaded);
            }));
    return store;
  });
}

// After a clear of all: the ids of events that were never written are not used again.
base::Status EventStore::skip_to(std::int64_t row) {
  if (row == next_id()) {
    return {};
  }
  if (row < next_id() || size() != 0 || row >= EventSegments::kMaxRows) {
    return base::fail(base::ErrorCode::kDataLoss,
                      "ids are not in order: seen=" + std::to_string(row) +
                          " wanted=" + std::to_string(next_id()));
  }
  const std::int64_t first = EventSegments::range_of(row).first;
  if (!segments_.prepare(row, row + 1)) {
    return base::fail_out_of_memory();
  }
  EventSegment* segment = segments_.find(row);
  // What was in the piece before stays: absent as well.
  for (std::int64_t at = std::max(first, next_id()); at < row; ++at) {
    new (&segment->values[at - first]) core::Value();
  }
  segment->num_cleared = row - first;
  claimed_.store(row);
  published_.store(row);
  first_row_.store(row);
  num_cleared_.store(row);
  return {};
}

base::Status EventStore::replay(const StepView& view, const std::shared_ptr<const MappedFile>& file,
                                Loaded& loaded) {
  if (loaded.file != file) {
    loaded = {file, {}};
  }
  const Step& step = view.step;
  if (step.kind == FrameKind::kClear) {
    Dropped dropped;
    PENSTOCK_RETURN_IF_ERROR(step.all ? forget_all(dropped)
                                      : forget_epoch(step.epoch, step.path, dropped));
    dropped.destroy();
    return step.all ? skip_to(step.first_id) : base::Status();
  }
  for (const SeriesName& name : view.names) {
    PENSTOCK_ASSIGN_OR_RETURN(const Series series, names_.add(name));
    loaded.series.push_back(series);
  }
  if (step.first_id != next_id()) {
    return base::fail(base::ErrorCode::kDataLoss,
                      "ids are not in order: seen=" + std::to_string(step.first_id) +
                          " wanted=" + std::to_string(next_id()));
  }
  for (std::size_t i = 0; i < step.series.size(); ++i) {
    if (step.series[i] >= loaded.series.size()) {
      return base::fail(base::ErrorCode::kDataLoss, "an event has no name");
    }
    core::Value value;
    switch (step.form) {
      case ValueForm::kEncoded: {
        const std::uint64_t begin = i == 0 ? 0 : step.ends[i - 1];
        const std::string_view record = view.values.substr(begin, step.ends[i] - begin);
        value = core::Value::host(new StoredValue(file, record));
        has_stored_values_ = true;
        break;
      }
      case ValueForm::kFloat:
        value = core::Value::real(number_at<double>(view.values, i));
        break;
      case ValueForm::kInt:
        value = core::Value::integer(number_at<std::int64_t>(view.values, i));
        break;
      case ValueForm::kBool:
        value = core::Value::boolean(view.values[i] != 0);
        break;
    }
    PENSTOCK_RETURN_IF_ERROR(add_row({loaded.series[step.series[i]], step.epochs[i]},
                                     std::move(value), step.timestamps[i]));
  }
  return {};
}

// Values that lie in the log, read now: without a pin, which reading must not hold.
base::Status EventStore::resolve(std::vector<StoredEvent>& events) const {
  if (!has_stored_values_) {
    return {};
  }
  for (StoredEvent& event : events) {
    if (event.value.is(core::Kind::kHost)) {
      if (const auto* stored = dynamic_cast<const StoredValue*>(event.value.as_host())) {
        PENSTOCK_ASSIGN_OR_RETURN(event.value, stored->read());
      }
    }
  }
  return {};
}

}  // namespace penstock::events
