// penstock cache: the results that nodes have kept.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/cli/commands.h"
#include "penstock/cli/sizes.h"
#include "penstock/flow/history.h"
#include "penstock/flow/result_cache.h"
#include "penstock/report/json_text.h"

namespace penstock::cli {
namespace {

using flow::ResultCache;
using report::JsonText;

constexpr std::size_t kKeyShown = 12;
constexpr std::size_t kMaxNamed = 6;

std::string time_text(std::int64_t unix_us) {
  const auto seconds = static_cast<std::time_t>(unix_us / 1'000'000);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string count_text(std::int64_t count) {
  return fmt::format("{} result{}", count, count == 1 ? "" : "s");
}

int fail_with(const base::Error& error, Session& session) {
  session.terminal.error(error);
  return kFailed;
}

int no_result(std::string message, std::string help, Session& session) {
  session.terminal.error(flow::Diagnostic{.id = "PS0425",
                                          .message = std::move(message),
                                          .location = {},
                                          .excerpt = {},
                                          .help = std::move(help)});
  return kFailed;
}

std::string json_of(const ResultCache::Item& item) {
  JsonText json;
  json.begin_object().key("key").text(item.key.to_hex()).key("other_keys").begin_array();
  for (const core::Digest& key : item.other_keys) {
    json.text(key.to_hex());
  }
  json.end_array().integer_field("size_bytes", item.size_bytes);
  json.integer_field("used_us", item.used_us);
  if (!item.damage.empty()) {
    json.key("damage").text(item.damage).end_object();
    return json.take();
  }
  json.key("node").text(item.facts.node).key("type").text(item.facts.type);
  json.integer_field("made_us", item.facts.made_us);
  json.key("took_ms").real(static_cast<double>(item.facts.took_ns) * 1e-6, 6);
  json.key("parts").begin_object();
  for (const core::Part& part : item.facts.parts) {
    json.key(part.name).text(part.value);
  }
  json.end_object().end_object();
  return json.take();
}

void print_table(const std::vector<ResultCache::Item>& items, Session& session) {
  std::size_t node_width = 4, type_width = 4;
  for (const ResultCache::Item& item : items) {
    node_width = std::max(node_width, item.facts.node.size());
    type_width = std::max(type_width, item.facts.type.size());
  }
  constexpr std::string_view kLine = "{:<{}}  {:<{}}  {:>7}  {:<19}  {:<19}  {}";
  session.terminal.out(fmt::format(kLine, "node", node_width, "type", type_width, "size", "made",
                                   "last used", "key"));
  for (const ResultCache::Item& item : items) {
    const bool is_whole = item.damage.empty();
    session.terminal.out(fmt::format(
        kLine, is_whole ? item.facts.node : "?", node_width, is_whole ? item.facts.type : "damaged",
        type_width, size_text(item.size_bytes), is_whole ? time_text(item.facts.made_us) : "?",
        time_text(item.used_us), item.key.to_hex().substr(0, kKeyShown)));
  }
}

bool begins(const ResultCache::Item& item, std::string_view beginning) {
  return item.key.to_hex().starts_with(beginning) ||
         std::ranges::any_of(item.other_keys, [beginning](const core::Digest& key) {
           return key.to_hex().starts_with(beginning);
         });
}

/// What `command` names, out of `items`.
std::vector<ResultCache::Item> chosen(const CacheCommand& command,
                                      std::vector<ResultCache::Item> items) {
  std::erase_if(items, [&command](const ResultCache::Item& item) {
    const bool is_meant = command.all ||
                          (!command.node.empty() && item.facts.node == command.node) ||
                          (!command.key.empty() && begins(item, command.key));
    return !is_meant;
  });
  return items;
}

int nothing_chosen(const CacheCommand& command, const std::vector<ResultCache::Item>& items,
                   Session& session) {
  if (command.node.empty()) {
    return no_result(fmt::format("no kept result has a key that begins with '{}'", command.key),
                     "'penstock cache ls' lists keys", session);
  }
  std::vector<std::string> names;
  names.reserve(items.size());
  for (const ResultCache::Item& item : items) {
    names.push_back(item.facts.node);
  }
  const std::string nearest = core::nearest_name(command.node, names);
  return no_result(fmt::format("no result of a node '{}' is kept", command.node),
                   nearest.empty() ? "'penstock cache ls' lists nodes"
                                   : fmt::format("did you mean '{}'?", nearest),
                   session);
}

}  // namespace

int cache_list(const CacheCommand& command, Session& session) {
  const auto cache = flow::open_cache_folder();
  if (!cache.has_value()) {
    return fail_with(cache.error(), session);
  }
  const auto items = (*cache)->list();
  if (!items.has_value()) {
    return fail_with(items.error(), session);
  }
  if (command.json) {
    for (const ResultCache::Item& item : *items) {
      session.terminal.out(json_of(item));
    }
    return kOk;
  }
  if (items->empty()) {
    session.terminal.note("no results are kept yet");
    return kOk;
  }
  print_table(*items, session);
  std::int64_t size = 0;
  for (const ResultCache::Item& item : *items) {
    size += item.size_bytes;
  }
  session.terminal.note(fmt::format("{}, {} of at most {}", count_text(std::ssize(*items)),
                                    size_text(size), size_text((*cache)->limits().max_bytes)));
  return kOk;
}

int cache_remove(const CacheCommand& command, Session& session) {
  if (command.key.empty() && command.node.empty() && !command.all) {
    return usage_error(session, "nothing named to remove",
                       "penstock cache rm KEY, --node NAME or --all");
  }
  const auto cache = flow::open_cache_folder();
  if (!cache.has_value()) {
    return fail_with(cache.error(), session);
  }
  const auto items = (*cache)->list();
  if (!items.has_value()) {
    return fail_with(items.error(), session);
  }
  const std::vector<ResultCache::Item> out = chosen(command, *items);
  if (out.empty() && !command.all) {
    return nothing_chosen(command, *items, session);
  }
  if (!command.key.empty() && out.size() > 1) {
    std::string names;
    for (std::size_t i = 0; i < std::min(out.size(), kMaxNamed); ++i) {
      names += fmt::format("{}{} ({})", names.empty() ? "" : ", ",
                           out[i].key.to_hex().substr(0, kKeyShown), out[i].facts.node);
    }
    return no_result(fmt::format("'{}' begins the keys of {} results", command.key, out.size()),
                     fmt::format("one of: {}", names), session);
  }
  std::int64_t size = 0;
  for (const ResultCache::Item& item : out) {
    if (const auto removed = (*cache)->remove(item); !removed.has_value()) {
      return fail_with(removed.error(), session);
    }
    size += item.size_bytes;
  }
  session.terminal.note(
      fmt::format("removed {}, {}", count_text(std::ssize(out)), size_text(size)));
  return kOk;
}

int cache_verify(const CacheCommand& command, Session& session) {
  const auto cache = flow::open_cache_folder();
  if (!cache.has_value()) {
    return fail_with(cache.error(), session);
  }
  const auto items = (*cache)->list(/*verify=*/true);
  if (!items.has_value()) {
    return fail_with(items.error(), session);
  }
  std::int64_t damaged = 0, size = 0;
  for (const ResultCache::Item& item : *items) {
    size += item.size_bytes;
    if (!item.damage.empty()) {
      ++damaged;
      session.terminal.out(command.json ? json_of(item)
                                        : fmt::format("{}  {}", item.key.to_hex(), item.damage));
    }
  }
  if (damaged == 0) {
    session.terminal.note(
        fmt::format("{}, {}: all whole", count_text(std::ssize(*items)), size_text(size)));
    return kOk;
  }
  session.terminal.error(flow::Diagnostic{
      .id = "PS0426",
      .message = fmt::format("{} of {} damaged", damaged, count_text(std::ssize(*items))),
      .location = {},
      .excerpt = {},
      .help = "'penstock cache prune' removes them"});
  return kCheckFailed;
}

int cache_prune(const CacheCommand& command, Session& session) {
  const auto cache = flow::open_cache_folder();
  if (!cache.has_value()) {
    return fail_with(cache.error(), session);
  }
  flow::CacheLimits limits = (*cache)->limits();
  limits.max_bytes = command.max_bytes.value_or(limits.max_bytes);
  limits.max_age_days = command.max_age_days.value_or(limits.max_age_days);
  const auto pruned = (*cache)->prune(limits);
  if (!pruned.has_value()) {
    return fail_with(pruned.error(), session);
  }
  session.terminal.note(fmt::format("removed {}, {}; left {}, {}", count_text(pruned->removed),
                                    size_text(pruned->removed_bytes), count_text(pruned->left),
                                    size_text(pruned->left_bytes)));
  return kOk;
}

}  // namespace penstock::cli
