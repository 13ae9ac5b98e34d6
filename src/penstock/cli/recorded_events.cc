#include "penstock/cli/recorded_events.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "penstock/cli/results.h"
#include "penstock/events/event_store.h"
#include "penstock/flow/epoch.h"
#include "penstock/flow/event_recorder.h"
#include "penstock/report/json.h"

namespace penstock::cli {
namespace {

using events::EventStore;
using events::SeriesName;
using events::StoredEvent;

constexpr std::size_t kAtOnce = 1'000;
constexpr std::size_t kMaxShown = 60, kMaxValueBytes = 4'000;

int fail_with(const base::Error& error, Session& session) {
  session.terminal.error(error);
  return kFailed;
}

base::Result<std::string> run_named(const flow::History& history, const std::string& prefix) {
  constexpr std::int64_t kCandidates = 6;
  PENSTOCK_ASSIGN_OR_RETURN(const auto runs, history.find_runs(prefix, kCandidates));
  if (runs.size() == 1) {
    return runs.front().run_id;
  }
  std::string names;
  for (const flow::RunRecord& run : runs) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", run.run_id);
  }
  return base::fail(
      base::Error(base::ErrorCode::kNotFound,
                  runs.empty() ? fmt::format("no run begins with '{}'", prefix)
                               : fmt::format("'{}' begins more than one name", prefix))
          .with_id("PS0907")
          .with_help(runs.empty() ? "'penstock history' lists runs" : "one of: " + names));
}

bool is_wanted(const HistoryCommand& command, const SeriesName& name, const StoredEvent& event) {
  return (command.node.empty() || command.node == name.node) &&
         (command.signal.empty() || command.signal == name.signal) &&
         (!command.epoch.has_value() || *command.epoch == event.key.epoch);
}

std::string json_of(const SeriesName& name, const StoredEvent& event) {
  report::JsonText json;
  json.begin_object().integer_field("id", event.id).key("node_id").text(name.node);
  json.key("signal").text(name.signal).key("epoch");
  json.text(flow::Epoch{event.key.epoch, name.path}.to_string());
  json.integer_field("timestamp_us", event.timestamp_us);
  json.key("value").raw(report::to_json(event.value)).end_object();
  return json.take();
}

}  // namespace

int show_events(const flow::History& history, const HistoryCommand& command, Session& session) {
  const auto run = run_named(history, command.events);
  if (!run.has_value()) {
    return fail_with(run.error(), session);
  }
  const auto store =
      EventStore::open(flow::event_folder(history.home(), *run), events::EventJournal::Mode::kRead);
  if (!store.has_value()) {
    return store.error().code() == base::ErrorCode::kNotFound
               ? fail_with(base::Error(base::ErrorCode::kNotFound,
                                       fmt::format("run {} recorded no events", *run))
                               .with_id("PS0907")
                               .with_help("'penstock run --events' records them"),
                           session)
               : fail_with(store.error(), session);
  }
  const EventStore& events = **store;
  if (!command.json) {
    session.terminal.out(
        fmt::format("{:>8}  {:<12}  {:<24}  {}", "id", "epoch", "signal", "value"));
  }
  std::int64_t num_shown = 0;
  for (std::int64_t next = 0; num_shown < command.limit;) {
    const auto found = events.scan(next, kAtOnce);
    if (!found.has_value()) {
      return fail_with(found.error(), session);
    }
    if (found->empty()) {
      break;
    }
    for (const StoredEvent& event : *found) {
      const SeriesName& name = events.names().name(event.key.series);
      if (num_shown == command.limit || !is_wanted(command, name, event)) {
        continue;
      }
      ++num_shown;
      session.terminal.out(command.json
                               ? json_of(name, event)
                               : fmt::format("{:>8}  {:<12}  {:<24}  {}", event.id,
                                             flow::Epoch{event.key.epoch, name.path}.to_string(),
                                             name.node + "." + name.signal,
                                             one_line(event.value, kMaxShown)));
    }
    next = found->back().id + 1;
  }
  if (num_shown == command.limit) {
    session.terminal.note(fmt::format("note: the first {}; -n shows more", num_shown));
  }
  return kOk;
}

}  // namespace penstock::cli
