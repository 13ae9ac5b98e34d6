// EventRecorder: keeps every event of a run in an event store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "penstock/events/event_store.h"
#include "penstock/flow/observer.h"

namespace penstock::flow {

/// An observer. The ends of epochs ("meta") are not recorded.
class EventRecorder : public Observer {
 public:
  /// Into a store that somebody else reads, maybe at the same time. A failure ends the run.
  explicit EventRecorder(std::shared_ptr<events::EventStore> store) : store_(std::move(store)) {}
  /// Into a log of the run's own: event_folder(home, run id). A failure never disturbs the run;
  /// error() tells of the first one. Values that have no encoding are left out and counted.
  explicit EventRecorder(std::string home) : home_(std::move(home)) {}

  std::uint32_t detail() const override { return kEvents; }
  void on_start(const Plan& plan, const RunInfo& info) override;
  base::Status on_event(const Event& event) override;
  void on_tick(const RunMetrics& metrics) override;
  void on_finish(const RunSummary& summary, const RunMetrics& metrics) override;

  const std::optional<base::Error>& error() const { return error_; }
  std::int64_t num_left_out() const { return num_left_out_; }

 protected:
  /// What is kept for a value.
  virtual core::Value keep(const core::Value& value) const { return value; }

 private:
  base::Result<events::Series> series_of(const Event& event);
  bool is_log() const { return !home_.empty(); }
  void note(const base::Status& status);

  const std::string home_;
  std::shared_ptr<events::EventStore> store_;
  std::unordered_map<std::string, events::Series> series_;  ///< by SeriesName::key_of()
  std::optional<base::Error> error_;
  std::int64_t num_left_out_ = 0;
};

/// Where the events of a run are.
std::string event_folder(const std::string& home, const std::string& run_id);

}  // namespace penstock::flow
