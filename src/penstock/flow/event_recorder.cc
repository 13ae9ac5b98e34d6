#include "penstock/flow/event_recorder.h"

#include "penstock/base/out_of_memory.h"

namespace penstock::flow {

std::string event_folder(const std::string& home, const std::string& run_id) {
  return home + "/events/" + run_id;
}

void EventRecorder::note(const base::Status& status) {
  if (!status.has_value() && !error_.has_value()) {
    error_ = status.error().with_context("recording events");
  }
}

void EventRecorder::on_start(const Plan& /*plan*/, const RunInfo& info) {
  if (!is_log()) {
    return;
  }
  auto opened = events::EventStore::open(event_folder(home_, info.run_id),
                                         events::EventJournal::Mode::kWrite);
  if (!opened.has_value()) {
    note(base::fail(opened.error()));
    return;
  }
  series_.clear();
  store_ = std::move(*opened);
}

base::Result<events::Series> EventRecorder::series_of(const Event& event) {
  std::string key = events::SeriesName::key_of(event.node_id, event.signal, event.epoch->path);
  if (const auto it = series_.find(key); it != series_.end()) {
    return it->second;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const events::Series series,
                            store_->names().add({std::string(event.node_id),
                                                 std::string(event.signal), event.epoch->path}));
  series_.emplace(std::move(key), series);
  return series;
}

base::Status EventRecorder::on_event(const Event& event) {
  if (store_ == nullptr || event.node_id == "meta") {
    return {};
  }
  const base::Status status = base::within_memory([&]() -> base::Status {
    PENSTOCK_ASSIGN_OR_RETURN(const events::Series series, series_of(event));
    PENSTOCK_RETURN_IF_ERROR(
        store_->add({series, event.epoch->root}, keep(*event.value), event.timestamp_us));
    return {};
  });
  if (status.has_value() || !is_log()) {
    return status;
  }
  if (status.error().code() == base::ErrorCode::kInvalidArgument) {
    ++num_left_out_;
  } else {
    note(status);
    store_ = nullptr;
  }
  return {};
}

void EventRecorder::on_tick(const RunMetrics& /*metrics*/) {
  if (is_log() && store_ != nullptr) {
    note(store_->flush());
  }
}

void EventRecorder::on_finish(const RunSummary& /*summary*/, const RunMetrics& /*metrics*/) {
  if (is_log() && store_ != nullptr) {
    note(store_->close());
    store_ = nullptr;
  }
}

}  // namespace penstock::flow
