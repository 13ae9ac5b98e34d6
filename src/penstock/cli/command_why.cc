// penstock why: what a node's result depended on, and what of it had changed.
#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "penstock/cli/commands.h"
#include "penstock/flow/history.h"
#include "penstock/flow/reuse_history.h"
#include "penstock/report/json.h"

namespace penstock::cli {
namespace {

using flow::ReuseRecord;
using flow::RunRecord;

constexpr std::int64_t kRunsLookedAt = 1'000;
constexpr std::size_t kMaxLines = 20;

const flow::NodeRecord* find_node(const RunRecord& run, const std::string& id) {
  const auto at = std::ranges::find(run.nodes, id, &flow::NodeRecord::id);
  return at == run.nodes.end() ? nullptr : &*at;
}

bool has_call(const RunRecord& run, const std::string& node) {
  return std::ranges::find(run.reuse, node, &ReuseRecord::node) != run.reuse.end();
}

int fail_with(const base::Error& error, Session& session) {
  session.terminal.error(error);
  return kFailed;
}

base::Error unknown_node(const std::vector<RunRecord>& runs, const std::string& id) {
  std::vector<std::string> names;
  for (const RunRecord& run : runs) {
    for (const flow::NodeRecord& node : run.nodes) {
      names.push_back(node.id);
    }
  }
  const std::string nearest = core::nearest_name(id, names);
  return base::Error(base::ErrorCode::kNotFound, fmt::format("no recorded run has a node '{}'", id))
      .with_id("PS0421")
      .with_help(nearest.empty() ? "'penstock history' lists runs"
                                 : fmt::format("did you mean '{}'?", nearest));
}

/// "epoch 3, element 1.2 of its maps"; empty for the only call of a run.
std::string place_text(const ReuseRecord& call) {
  std::string out = call.epoch > 0 ? fmt::format("epoch {}", call.epoch) : "";
  if (!call.path.empty()) {
    out += fmt::format("{}element {}", out.empty() ? "" : ", ", fmt::join(call.path, "."));
  }
  return out;
}

struct Answer {
  std::string what;
  std::vector<std::string> because;

  friend bool operator==(const Answer&, const Answer&) = default;
};

Answer answer(const ReuseRecord& call, const RunRecord* before, bool asked_for) {
  const ReuseRecord* const old =
      before == nullptr ? nullptr : flow::find_call(*before, call.node, call.path);
  if (call.is_reused && !asked_for) {
    return {"its kept result was used: all it depends on is as it was", {}};
  }
  if (old == nullptr) {
    return {call.is_reused ? "its kept result was used" : "it ran",
            {"no run before has this call"}};
  }
  auto changes = flow::differences(old->parts, call.parts);
  if (changes.empty()) {
    return {call.is_reused ? "its kept result was used: all it depends on is as it was"
                           : "it ran although all it depends on is as it was: its kept result "
                             "was gone",
            {}};
  }
  return {call.is_reused ? "a kept result was used, not the one of that run" : "it ran",
          std::move(changes)};
}

void append_json(const ReuseRecord& call, const Answer& answer, report::JsonText& json) {
  json.begin_object().integer_field("epoch", call.epoch).key("path").begin_array();
  for (const std::int64_t index : call.path) {
    json.raw(std::to_string(index));
  }
  json.end_array().key("reused").raw(call.is_reused ? "true" : "false");
  json.key("because").begin_array();
  for (const std::string& reason : answer.because) {
    json.text(reason);
  }
  json.end_array().key("depends_on").begin_object();
  for (const core::Part& part : call.parts) {
    json.key(part.name).text(part.value);
  }
  json.end_object().end_object();
}

base::Result<std::vector<RunRecord>> load_runs(const flow::History& history,
                                               const WhyCommand& command) {
  std::error_code failed;
  const auto path = std::filesystem::canonical(command.file, failed);
  return history.list(kRunsLookedAt, command.file.empty() || failed ? command.file : path.string());
}

/// The newest run that `wanted` accepts, and whose id begins with `prefix`.
template <class Wanted>
const RunRecord* pick(const std::vector<RunRecord>& runs, const std::string& prefix,
                      Wanted wanted) {
  const auto at = std::ranges::find_if(
      runs, [&](const RunRecord& run) { return run.run_id.starts_with(prefix) && wanted(run); });
  return at == runs.end() ? nullptr : &*at;
}

void print_text(const RunRecord& now, const RunRecord* before, const WhyCommand& command,
                Session& session) {
  session.terminal.out(
      fmt::format("run {}{}", now.run_id,
                  before == nullptr ? "" : fmt::format(", against {}", before->run_id)));
  std::vector<std::pair<Answer, std::vector<std::string>>> groups;  // answer, places
  for (const ReuseRecord& call : now.reuse) {
    if (call.node != command.node) {
      continue;
    }
    Answer found = answer(call, before, !command.against.empty());
    auto at = std::ranges::find_if(groups, [&](const auto& group) { return group.first == found; });
    if (at == groups.end()) {
      groups.push_back({std::move(found), {}});
      at = std::prev(groups.end());
    }
    at->second.push_back(place_text(call));
  }
  for (std::size_t i = 0; i < std::min(groups.size(), kMaxLines); ++i) {
    const auto& [found, places] = groups[i];
    const std::string where = places.size() > 1   ? fmt::format(" ({} calls)", places.size())
                              : places[0].empty() ? ""
                                                  : fmt::format(" ({})", places[0]);
    session.terminal.out(fmt::format("{}{}: {}", command.node, where, found.what));
    for (const std::string& reason : found.because) {
      session.terminal.out(fmt::format("  {}", reason));
    }
  }
  if (groups.size() > kMaxLines) {
    session.terminal.out(fmt::format("... and {} more", groups.size() - kMaxLines));
  }
}

}  // namespace

int why(const WhyCommand& command, Session& session) {
  const auto history = flow::History::open(flow::user_data_folder());
  if (!history.has_value()) {
    return fail_with(history.error(), session);
  }
  const auto runs = load_runs(**history, command);
  if (!runs.has_value()) {
    return fail_with(runs.error(), session);
  }
  const RunRecord* const now = pick(*runs, command.run, [&](const RunRecord& run) {
    return find_node(run, command.node) != nullptr;
  });
  if (now == nullptr) {
    return fail_with(unknown_node(*runs, command.node), session);
  }
  const RunRecord* const before = pick(*runs, command.against, [&](const RunRecord& run) {
    const bool is_earlier = run.started_us < now->started_us && run.file == now->file;
    return &run != now && has_call(run, command.node) && (is_earlier || !command.against.empty());
  });
  if (!command.against.empty() && before == nullptr) {
    return fail_with(base::Error(base::ErrorCode::kNotFound,
                                 fmt::format("no run whose id begins with '{}' has a call of '{}'",
                                             command.against, command.node))
                         .with_id("PS0421")
                         .with_help("'penstock history' lists runs"),
                     session);
  }
  if (!has_call(*now, command.node)) {
    const flow::NodeRecord& node = *find_node(*now, command.node);
    const bool ran = node.runs > 0;
    session.terminal.out(fmt::format(
        "run {}\n{}: {}", now->run_id, command.node,
        ran ? "it ran: it keeps no results ('cache: true' on the node keeps them), or the run used "
              "no cache"
            : "it did not run: nothing needed it"));
    return kOk;
  }
  if (!command.json) {
    print_text(*now, before, command, session);
    return kOk;
  }
  for (const ReuseRecord& call : now->reuse) {
    if (call.node == command.node) {
      report::JsonText json;
      append_json(call, answer(call, before, !command.against.empty()), json);
      session.terminal.out(json.take());
    }
  }
  return kOk;
}

}  // namespace penstock::cli
