// Records a run as it happens: one row at its start, the whole record at its end.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <new>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/out_of_memory.h"
#include "penstock/base/version.h"
#include "penstock/core/block_store.h"
#include "penstock/core/host.h"
#include "penstock/core/identity.h"
#include "penstock/flow/history.h"
#include "penstock/flow/metrics.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/yaml_write.h"

namespace penstock::flow {
namespace {

constexpr std::int64_t kMaxKeptBytes = 64 << 20;    // of one result
constexpr std::int64_t kMaxInlineBytes = 64 << 10;  // smaller ones stand in the history file
constexpr std::size_t kMaxKeptResults = 32;         // the first so many of a run, and the last

/// The tube's absolute path; its name when it came from no file.
std::string tube_path(const std::string& file) {
  std::error_code failed;
  const auto path = std::filesystem::canonical(file, failed);
  return failed ? file : path.string();
}

/// What of a value would go into blocks: stops when it is too large to keep.
class SizeCounter {
 public:
  base::Status operator()(const core::Digest&, std::span<const std::byte> block) {
    total += static_cast<std::int64_t>(block.size());
    if (total > kMaxKeptBytes) {
      return base::fail(base::ErrorCode::kResourceExhausted, "too large to keep");
    }
    return {};
  }
  std::int64_t total = 0;
};

/// A value as YAML on one line, cut to what a list can show.
std::string shown(const core::Value& value) {
  constexpr std::size_t kMaxBytes = 200;
  std::string text;
  if (value.is(core::Kind::kText)) {
    text = value.as_text();
  } else if (!append_yaml(text, value, 0).has_value()) {
    text = std::string(core::to_string(value.kind()));
  }
  std::ranges::replace(text, '\n', ' ');
  text.erase(0, text.find_first_not_of(' ') == std::string::npos ? 0 : text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  if (text.size() > kMaxBytes) {
    std::size_t end = kMaxBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
      --end;
    }
    text = text.substr(0, end) + "...";
  }
  return text;
}

}  // namespace

HistoryObserver::HistoryObserver(std::string home, bool keep_values, HistoryLimits limits)
    : home_(std::move(home)), keep_values_(keep_values), limits_(limits) {
}

HistoryObserver::~HistoryObserver() = default;

void HistoryObserver::note(const base::Status& status) {
  if (!status.has_value() && !error_) {
    error_ = status.error();
  }
}

void HistoryObserver::on_start(const Plan& plan, const RunInfo& info) try {
  plan_ = &plan;
  record_ = RunRecord{};
  last_.reset();
  last_epoch_ = -1;
  record_.run_id = info.run_id;
  record_.file = tube_path(plan.spec().file);
  record_.plan = plan.digest().to_hex();
  record_.runner = info.runner;
  record_.version = base::version();
  record_.status = "running";
  record_.started_us = info.started_unix_us;
  record_.pid = getpid();
  record_.num_workers = info.num_workers;
  record_.seed = info.seed;
  for (const auto& [name, value] : inputs_) {
    record_.inputs.emplace_back(name, shown(value));
  }
  core::Value values = core::Value::map(inputs_);
  if (const auto bytes = core::encode(values);
      bytes.has_value() && std::ssize(*bytes) <= kMaxInlineBytes) {
    record_.input_values = std::move(values);
  }
  auto history = History::open(home_);
  if (!history.has_value()) {
    note(base::fail(history.error()));
    return;
  }
  history_ = std::move(*history);
  if (auto runs = history_->list(8, record_.file); runs.has_value()) {
    const auto finished =
        std::ranges::find_if(*runs, [](const RunRecord& run) { return run.status != "running"; });
    before_ = finished == runs->end() ? std::nullopt : std::optional(std::move(*finished));
  }
  note(history_->put(record_));
} catch (const std::bad_alloc&) {
  note(base::fail_out_of_memory());
}

void HistoryObserver::keep_large(const core::Value& value) {
  const auto store = core::DirectoryBlockStore::open(history_->block_folder());
  if (!store.has_value()) {
    note(base::fail(store.error().with_id("PS0908")));
    return;
  }
  if (const auto cid = core::put_value(**store, value); !cid.has_value()) {
    note(base::fail(cid.error().with_id("PS0908")));
  }
}

/// The address of `value`, none (an empty CID) when it cannot be encoded. `keep`: the value too.
ResultRecord HistoryObserver::address(std::int64_t epoch, const core::Value& value, bool keep) {
  ResultRecord out{.epoch = epoch, .cid = {}, .root = {}};
  const auto no_address = [&](const base::Error& why) {
    note(base::fail(base::Error(why.code(), fmt::format("the result of epoch {} has no content "
                                                        "address: {}",
                                                        epoch, why.message()))
                        .with_id("PS0403")));
    return out;
  };
  const auto native = core::to_native(value);
  if (!native.has_value()) {
    return no_address(native.error());
  }
  if (keep && history_ != nullptr) {
    SizeCounter counter;
    auto root = core::encode(*native, std::ref(counter));
    if (root.has_value() && std::ssize(*root) <= kMaxKeptBytes) {
      const core::Cid cid{.codec = core::Codec::kDagCbor, .digest = core::hash_bytes(*root)};
      out.cid = cid.to_string();
      if (counter.total == 0 && std::ssize(*root) <= kMaxInlineBytes) {
        out.root = std::move(*root);
      } else {
        keep_large(*native);
      }
      return out;
    }
  }
  const auto cid = core::cid(*native);
  if (!cid.has_value()) {
    return no_address(cid.error());
  }
  out.cid = cid->to_string();
  return out;
}

void HistoryObserver::on_reuse(const ReuseFact& fact) try {
  if (record_.reuse.size() >= History::kMaxReuse) {
    return;
  }
  record_.reuse.push_back({.node = plan_->nodes()[static_cast<std::size_t>(fact.node)].id,
                           .epoch = fact.root_epoch,
                           .path = {fact.path.begin(), fact.path.end()},
                           .is_reused = fact.is_reused,
                           .key = fact.key.to_hex(),
                           .parts = fact.parts});
} catch (const std::bad_alloc&) {
  note(base::fail_out_of_memory());
}

void HistoryObserver::on_result(std::int64_t root_epoch, const core::Value& value) try {
  last_ = value;
  last_epoch_ = root_epoch;
  if (record_.cids.size() >= History::kMaxCids) {
    return;
  }
  const bool keep = keep_values_ && record_.cids.size() < kMaxKeptResults;
  if (ResultRecord result = address(root_epoch, value, keep); !result.cid.empty()) {
    record_.cids.push_back(std::move(result));
  }
} catch (const std::bad_alloc&) {
  note(base::fail_out_of_memory());
}

void HistoryObserver::on_error(const base::Error& error) try {
  record_.error = error.message();
  record_.error_id = error.id();
  record_.origin = error.origin();
} catch (const std::bad_alloc&) {
  note(base::fail_out_of_memory());
}

void HistoryObserver::on_finish(const RunSummary& summary, const RunMetrics& metrics) try {
  if (plan_ == nullptr) {
    return;
  }
  const bool has_last = !record_.cids.empty() && record_.cids.back().epoch == last_epoch_;
  const bool last_kept = has_last && record_.cids.size() <= kMaxKeptResults;
  if (!last_.is_absent() && !last_kept) {
    if (ResultRecord result = address(last_epoch_, last_, keep_values_); !result.cid.empty()) {
      if (has_last) {
        record_.cids.pop_back();  // its address was known, its value was not kept
      }
      record_.cids.push_back(std::move(result));
    }
  }
  last_.reset();
  last_cid_ = record_.cids.empty() ? "" : record_.cids.back().cid;
  record_.status = summary.status;
  record_.backend = summary.backend;
  record_.elapsed_s = summary.elapsed_s;
  record_.epochs = summary.epochs;
  record_.results = summary.results;
  record_.retries = summary.retries;
  record_.peak_rss_bytes = summary.peak_rss_bytes;
  record_.nodes.clear();
  const auto nodes = plan_->nodes();
  for (std::size_t i = 1; i < nodes.size(); ++i) {  // 0 is the virtual input node
    const NodeMetrics& counts = metrics.nodes()[i];
    record_.nodes.push_back({.id = nodes[i].id,
                             .type = nodes[i].type,
                             .runs = counts.runs,
                             .no_event = counts.no_event,
                             .skipped = counts.skipped,
                             .failed = counts.failed,
                             .retries = counts.retries,
                             .total_ns = counts.duration.total_ns(),
                             .p50_ns = counts.duration.quantile_ns(0.5),
                             .p95_ns = counts.duration.quantile_ns(0.95),
                             .max_ns = counts.duration.max_ns(),
                             .reused = counts.reused});
  }
  plan_ = nullptr;
  if (history_ != nullptr) {
    note(history_->put(record_));
    note(history_->prune(limits_));
    history_.reset();
  }
} catch (const std::bad_alloc&) {
  plan_ = nullptr;
  history_.reset();
  note(base::fail_out_of_memory());
}

}  // namespace penstock::flow
