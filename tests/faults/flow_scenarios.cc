// Tubes read, compiled and written; results kept, runs recorded.
#include <algorithm>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sweep.h"
#include "tubes.h"
#include <fmt/format.h>

#include "penstock/core/identity.h"
#include "penstock/flow/history.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/result_cache.h"
#include "penstock/flow/spec_yaml.h"
#include "penstock/flow/yaml_comments.h"

namespace penstock::faults {
namespace {

using core::Value;

/// The error, or the YAML of what was read.
Answer yaml_of(const std::expected<flow::Spec, flow::Diagnostics>& spec) {
  const Paused pause;
  if (!spec.has_value()) {
    return base::fail(flow::to_error(spec.error()));
  }
  return flow::to_yaml(*spec);
}

Answer digest_of(const std::expected<std::shared_ptr<const flow::Plan>, flow::Diagnostics>& plan) {
  const Paused pause;
  if (!plan.has_value()) {
    return base::fail(flow::to_error(plan.error()));
  }
  return (*plan)->digest().to_hex();
}

Scenario parse() {
  return {.name = "flow/parse", .set_up = [](const std::string&) {
            return stage_of([] { return yaml_of(flow::parse_spec(kWholeTube)); });
          }};
}

/// Every problem is told, or there is no memory for that.
Scenario parse_with_problems() {
  return {.name = "flow/parse-with-problems", .set_up = [](const std::string&) {
            return stage_of([]() -> Answer {
              const auto spec = flow::parse_spec(kBadTube);
              const Paused pause;
              if (spec.has_value()) {
                return "no problem";
              }
              std::string out;
              for (const flow::Diagnostic& problem : spec.error()) {
                if (problem.id == "PS0440" || problem.id == "PS0019") {
                  return base::fail(flow::to_error(spec.error()));
                }
                out += flow::render(problem, false) + "\n";
              }
              return out;
            });
          }};
}

Scenario load_with_extends() {
  return {.name = "flow/load-with-extends", .set_up = [](const std::string& folder) {
            write_file(folder + "/base.yaml", kBaseTube);
            write_file(folder + "/child.yaml", kChildTube);
            return stage_of([path = folder + "/child.yaml"]() -> Answer {
              const auto spec = flow::load_spec(path);
              if (!spec.has_value()) {
                return yaml_of(spec);
              }
              return digest_of(flow::Plan::compile(*spec, resolvers()));
            });
          }};
}

Scenario compile() {
  return {.name = "flow/compile", .set_up = [](const std::string&) {
            return stage_of([spec = *flow::parse_spec(kWholeTube)] {
              return digest_of(flow::Plan::compile(spec, resolvers()));
            });
          }};
}

Scenario compile_nested() {
  return {.name = "flow/compile-nested", .set_up = [](const std::string& folder) {
            write_file(folder + "/inner.yaml", kInnerTube);
            write_file(folder + "/outer.yaml", kOuterTube);
            return stage_of([path = folder + "/outer.yaml"]() -> Answer {
              const auto spec = flow::load_spec(path);
              if (!spec.has_value()) {
                return yaml_of(spec);
              }
              return digest_of(flow::Plan::compile(*spec, resolvers()));
            });
          }};
}

Scenario write_yaml() {
  return {.name = "flow/write-yaml", .set_up = [](const std::string&) {
            return stage_of([spec = *flow::parse_spec(kWholeTube)] {
              return answer(flow::to_yaml(spec), [](const std::string& text) { return text; });
            });
          }};
}

std::vector<Value> outputs() {
  std::vector<Value> out;
  out.push_back(Value::list({Value::integer(1), Value::text(std::string(100, 't'))}));
  out.emplace_back();
  out.push_back(Value::bytes(std::string(10'000, 'b')));
  return out;
}

flow::KeptFacts facts() {
  return {.node = "blur",
          .type = "image.blur",
          .made_us = 1,
          .took_ns = 5,
          .parts = {{"input x", "3"}, {"code", std::string(64, 'c')}}};
}

core::Digest key_of(std::string_view text) {
  return core::hash_bytes(text);
}

/// Digests of what is kept under `key`; "nothing" when there is nothing.
std::string kept(const flow::ResultCache& cache, std::string_view key) {
  const auto result = cache.find(key_of(key));
  if (result == nullptr) {
    return "nothing";
  }
  std::string out;
  for (std::size_t i = 0; i < result->num_outputs(); ++i) {
    out += result->digest(i).to_hex() + " ";
  }
  return out;
}

Scenario cache_keep() {
  return {.name = "flow/cache-keep",
          .set_up =
              [](const std::string& folder) {
                return stage_of([folder, values = outputs(), about = facts(), key = key_of("k")] {
                  const auto cache = flow::ResultCache::open(folder);
                  if (!cache.has_value()) {
                    return answer(cache, [](const auto&) { return std::string(); });
                  }
                  const auto digests = (*cache)->keep(key, about, values);
                  return answer(digests, [&](const auto&) { return kept(**cache, "k"); });
                });
              },
          .scratch_folders = {"cache/tmp"}};
}

/// A cache that cannot be read is one that has nothing: the call is made.
Scenario cache_read() {
  return {.name = "flow/cache-read", .set_up = [](const std::string& folder) {
            auto cache = *flow::ResultCache::open(folder);
            std::ignore = cache->keep(key_of("k"), facts(), outputs());
            return stage_of([cache, key = key_of("k")]() -> Answer {
              const auto result = cache->find(key);
              if (result == nullptr) {
                const Paused pause;
                return base::fail(base::ErrorCode::kNotFound, "nothing is kept");
              }
              const auto first = result->load(0);
              const auto third = result->load(2);
              const auto& failed = first.has_value() ? third : first;
              return answer(failed, [&](const Value&) {
                return *core::encode(*first) + *core::encode(*third);
              });
            });
          }};
}

std::string names_of(const std::vector<flow::ResultCache::Item>& items) {
  std::string out;
  for (const flow::ResultCache::Item& item : items) {
    out += fmt::format("{} {} {} {} {}\n", item.key.to_hex(), item.other_keys.size(),
                       item.size_bytes, item.damage, item.facts.node);
  }
  return out;
}

std::shared_ptr<flow::ResultCache> filled_cache(const std::string& folder) {
  auto cache = *flow::ResultCache::open(folder);
  for (int i = 0; i < 5; ++i) {
    std::ignore = cache->keep(key_of(std::to_string(i)), facts(), outputs());
  }
  cache->also_under(key_of("other"), key_of("3"));
  return cache;
}

Scenario cache_list() {
  return {.name = "flow/cache-list", .set_up = [](const std::string& folder) {
            return stage_of([cache = filled_cache(folder)] {
              return answer(cache->list(true), [](auto items) {
                std::ranges::sort(items, {}, &flow::ResultCache::Item::key);
                return names_of(items);
              });
            });
          }};
}

/// All or nothing of what it says: what is counted as left must be there.
Scenario cache_prune() {
  return {.name = "flow/cache-prune", .set_up = [](const std::string& folder) {
            return stage_of([cache = filled_cache(folder)] {
              const auto pruned = cache->prune({.max_bytes = 25'000, .max_age_days = 30});
              return answer(pruned, [&](const flow::ResultCache::Pruned& done) {
                return fmt::format("{} {}, there {}", done.removed, done.left,
                                   cache->list()->size());
              });
            });
          }};
}

flow::RunRecord record(int number) {
  flow::RunRecord out{.run_id = fmt::format("run-{}", number),
                      .file = "/somewhere/tube.yaml",
                      .plan = std::string(64, 'a'),
                      .runner = "sync",
                      .version = "0",
                      .backend = "native",
                      .status = "ok",
                      .started_us = 4'000'000'000'000'000 + number};
  out.inputs.emplace_back("x", "3");
  for (int i = 0; i < 3; ++i) {
    out.nodes.push_back({.id = fmt::format("node {}", i), .type = "test.add", .runs = i});
    out.cids.push_back(
        {.epoch = i, .cid = fmt::format("bafy{}{}", number, i), .root = std::string(200, 'r')});
  }
  return out;
}

std::string text_of(const flow::RunRecord& run) {
  std::string out =
      fmt::format("{} {} {} {}", run.run_id, run.status, run.nodes.size(), run.cids.size());
  for (const flow::NodeRecord& node : run.nodes) {
    out += fmt::format(" {}:{}", node.id, node.runs);
  }
  return out + "\n";
}

Answer runs_of(const base::Result<std::vector<flow::RunRecord>>& runs) {
  return answer(runs, [](const std::vector<flow::RunRecord>& found) {
    std::string out;
    for (const flow::RunRecord& run : found) {
      out += text_of(run);
    }
    return out;
  });
}

std::string copy_of(const std::string& text) {
  const Paused pause;
  return text;
}

Scenario history_write() {
  return {.name = "flow/history-write", .set_up = [](const std::string& folder) {
            return stage_of([home = folder + "/home", run = record(1)]() -> Answer {
              const auto history = flow::History::open(copy_of(home));
              if (!history.has_value()) {
                return answer(history, [](const auto&) { return std::string(); });
              }
              const base::Status put = (*history)->put(run);
              if (!put.has_value()) {
                return base::fail(put.error());
              }
              const Paused pause;
              return runs_of((*history)->list(10, ""));
            });
          }};
}

Scenario history_read() {
  return {.name = "flow/history-read", .set_up = [](const std::string& folder) {
            {
              const auto history = *flow::History::open(folder);
              for (int i = 0; i < 4; ++i) {
                std::ignore = history->put(record(i));
              }
            }
            return stage_of([folder]() -> Answer {
              const auto history = flow::History::open(copy_of(folder));
              if (!history.has_value()) {
                return answer(history, [](const auto&) { return std::string(); });
              }
              std::int64_t damaged = 0;
              const auto runs = (*history)->list(10, "", &damaged);
              const auto found = (*history)->find_runs("run-2", 3);
              const auto cids = (*history)->find_cids("bafy3", 9);
              if (!found.has_value()) {
                return runs_of(found);
              }
              if (!cids.has_value()) {
                return answer(cids, [](const auto&) { return std::string(); });
              }
              Answer out = runs_of(runs);
              const Paused pause;
              if (out.has_value()) {
                *out += fmt::format("{} damaged, {} found, {} cids", damaged, found->size(),
                                    cids->size());
              }
              return out;
            });
          }};
}

Scenario history_prune() {
  return {.name = "flow/history-prune", .set_up = [](const std::string& folder) {
            std::shared_ptr<flow::History> history = *flow::History::open(folder);
            for (int i = 0; i < 5; ++i) {
              std::ignore = history->put(record(i));
            }
            return stage_of([history]() -> Answer {
              const base::Status pruned = history->prune({.max_runs = 2});
              if (!pruned.has_value()) {
                return base::fail(pruned.error());
              }
              const Paused pause;
              return runs_of(history->list(10, ""));
            });
          }};
}

}  // namespace

std::vector<Scenario> flow_scenarios() {
  std::vector<Scenario> all = {parse(), parse_with_problems(), load_with_extends(), compile(),
                               compile_nested()};
  for (Scenario& load : all) {
    load.needs_memory_to_fail = true;
  }
  for (const Scenario& other : {write_yaml(), cache_keep(), cache_read(), cache_list(),
                                cache_prune(), history_write(), history_read(), history_prune()}) {
    all.push_back(other);
  }
  return all;
}

}  // namespace penstock::faults
