// See history_record.h.
#include "penstock/flow/history_record.h"

#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace penstock::flow {
namespace {

using core::Kind;
using core::Value;

/// One list of fields for writing and reading, so that the two cannot drift apart.
template <class Record, class Visit>
void each_node_field(Record& node, Visit visit) {
  visit("id", node.id);
  visit("type", node.type);
  visit("runs", node.runs);
  visit("no_event", node.no_event);
  visit("skipped", node.skipped);
  visit("failed", node.failed);
  visit("retries", node.retries);
  visit("total_ns", node.total_ns);
  visit("p50_ns", node.p50_ns);
  visit("p95_ns", node.p95_ns);
  visit("max_ns", node.max_ns);
}

template <class Record, class Visit>
void each_run_field(Record& run, Visit visit) {
  visit("run_id", run.run_id);
  visit("file", run.file);
  visit("plan", run.plan);
  visit("runner", run.runner);
  visit("version", run.version);
  visit("backend", run.backend);
  visit("status", run.status);
  visit("error_id", run.error_id);
  visit("error", run.error);
  visit("origin", run.origin);
  visit("started_us", run.started_us);
  visit("pid", run.pid);
  visit("num_workers", run.num_workers);
  visit("epochs", run.epochs);
  visit("results", run.results);
  visit("retries", run.retries);
  visit("peak_rss_bytes", run.peak_rss_bytes);
  visit("elapsed_s", run.elapsed_s);
}

Value to_value(const ReuseRecord& record) {
  std::vector<Value> path, parts;
  for (const std::int64_t index : record.path) {
    path.push_back(Value::integer(index));
  }
  for (const core::Part& part : record.parts) {
    parts.push_back(Value::list({Value::text(part.name), Value::text(part.value)}));
  }
  return Value::map({{"node", Value::text(record.node)},
                     {"epoch", Value::integer(record.epoch)},
                     {"path", Value::list(std::move(path))},
                     {"reused", Value::boolean(record.is_reused)},
                     {"key", Value::text(record.key)},
                     {"parts", Value::list(std::move(parts))}});
}

/// False when `value` has another form.
bool read_reuse(const Value& value, ReuseRecord& record) {
  const auto get = [&value](std::string_view name, Kind kind) {
    const Value* const field = value.find(name);
    return field != nullptr && field->is(kind) ? field : nullptr;
  };
  const Value* const node = get("node", Kind::kText);
  const Value* const epoch = get("epoch", Kind::kInt);
  const Value* const path = get("path", Kind::kList);
  const Value* const reused = get("reused", Kind::kBool);
  const Value* const key = get("key", Kind::kText);
  const Value* const parts = get("parts", Kind::kList);
  if (node == nullptr || epoch == nullptr || path == nullptr || reused == nullptr ||
      key == nullptr || parts == nullptr) {
    return false;
  }
  record = {.node = node->as_text(),
            .epoch = epoch->as_int(),
            .path = {},
            .is_reused = reused->as_bool(),
            .key = key->as_text(),
            .parts = {}};
  for (const Value& index : path->as_list()) {
    record.path.push_back(index.is(Kind::kInt) ? index.as_int() : -1);
  }
  for (const Value& part : parts->as_list()) {
    if (!part.is(Kind::kList) || part.as_list().size() != 2 || !part.as_list()[0].is(Kind::kText) ||
        !part.as_list()[1].is(Kind::kText)) {
      return false;
    }
    record.parts.push_back({part.as_list()[0].as_text(), part.as_list()[1].as_text()});
  }
  return true;
}

class Writer {
 public:
  void operator()(std::string_view name, const std::string& text) {
    entries.emplace_back(std::string(name), Value::text(text));
  }
  void operator()(std::string_view name, std::int64_t number) {
    entries.emplace_back(std::string(name), Value::integer(number));
  }
  void operator()(std::string_view name, double number) {
    entries.emplace_back(std::string(name), Value::real(number));
  }
  std::vector<core::MapEntry> entries;
};

class Reader {
 public:
  explicit Reader(const Value& map) : map_(map) {}
  void operator()(std::string_view name, std::string& text) {
    if (const Value* value = get(name, Kind::kText)) {
      text = value->as_text();
    }
  }
  void operator()(std::string_view name, std::int64_t& number) {
    if (const Value* value = get(name, Kind::kInt)) {
      number = value->as_int();
    }
  }
  void operator()(std::string_view name, double& number) {
    if (const Value* value = get(name, Kind::kFloat)) {
      number = value->as_float();
    }
  }
  const Value* get(std::string_view name, Kind kind) {
    const Value* const value = map_.find(name);
    if (value == nullptr || !value->is(kind)) {
      missing = missing.empty() ? std::string(name) : missing;
      return nullptr;
    }
    return value;
  }
  std::string missing;  ///< name of the first field that was not there

 private:
  const Value& map_;
};

}  // namespace

Value to_value(const RunRecord& record) {
  Writer run;
  each_run_field(record, std::ref(run));
  run("seed", std::to_string(record.seed));  // 64 bits without a sign
  std::vector<Value> nodes;
  for (const NodeRecord& node : record.nodes) {
    Writer fields;
    each_node_field(node, std::ref(fields));
    fields("reused", node.reused);
    nodes.push_back(Value::map(std::move(fields.entries)));
  }
  run.entries.emplace_back("nodes", Value::list(std::move(nodes)));
  std::vector<Value> reuse;
  for (const ReuseRecord& call : record.reuse) {
    reuse.push_back(to_value(call));
  }
  run.entries.emplace_back("reuse", Value::list(std::move(reuse)));
  std::vector<Value> cids;
  for (const ResultRecord& result : record.cids) {
    cids.push_back(Value::list({Value::integer(result.epoch), Value::text(result.cid)}));
  }
  run.entries.emplace_back("cids", Value::list(std::move(cids)));
  std::vector<core::MapEntry> inputs;
  for (const auto& [name, text] : record.inputs) {
    inputs.emplace_back(name, Value::text(text));
  }
  run.entries.emplace_back("inputs", Value::map(std::move(inputs)));
  if (!record.input_values.is_absent()) {
    run.entries.emplace_back("input_values", record.input_values);
  }
  return Value::map(std::move(run.entries));
}

base::Result<RunRecord> record_from_value(const Value& value) {
  const auto damaged = [](std::string_view field) {
    return base::fail(base::ErrorCode::kDataLoss,
                      fmt::format("a record of the history has no field '{}'", field));
  };
  RunRecord record;
  Reader run(value);
  each_run_field(record, std::ref(run));
  std::string seed;
  run("seed", seed);
  const Value* const nodes = run.get("nodes", Kind::kList);
  const Value* const cids = run.get("cids", Kind::kList);
  const Value* const inputs = run.get("inputs", Kind::kMap);
  if (!run.missing.empty()) {
    return damaged(run.missing);
  }
  record.seed = std::strtoull(seed.c_str(), nullptr, 10);
  for (const Value& entry : nodes->as_list()) {
    Reader fields(entry);
    each_node_field(record.nodes.emplace_back(), std::ref(fields));
    if (!fields.missing.empty()) {
      return damaged(fields.missing);
    }
    if (const Value* const reused = entry.find("reused");
        reused != nullptr && reused->is(Kind::kInt)) {  // records of 0.1.0 have none
      record.nodes.back().reused = reused->as_int();
    }
  }
  if (const Value* const reuse = value.find("reuse"); reuse != nullptr && reuse->is(Kind::kList)) {
    for (const Value& entry : reuse->as_list()) {
      if (!read_reuse(entry, record.reuse.emplace_back())) {
        return damaged("reuse");
      }
    }
  }
  for (const auto& [name, text] : inputs->as_map()) {
    if (!text.is(Kind::kText)) {
      return damaged("inputs");
    }
    record.inputs.emplace_back(name, text.as_text());
  }
  if (const Value* const values = value.find("input_values");
      values != nullptr && values->is(Kind::kMap)) {
    record.input_values = *values;
  }
  for (const Value& entry : cids->as_list()) {
    const bool is_pair = entry.is(Kind::kList) && entry.as_list().size() == 2 &&
                         entry.as_list()[0].is(Kind::kInt) && entry.as_list()[1].is(Kind::kText);
    if (!is_pair) {
      return damaged("cids");
    }
    record.cids.push_back(
        {.epoch = entry.as_list()[0].as_int(), .cid = entry.as_list()[1].as_text()});
  }
  return record;
}

}  // namespace penstock::flow
