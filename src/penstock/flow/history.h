// History: every run recorded in one SQLite file, its results kept by content address.
//
// $PENSTOCK_HOME/history.sqlite and, for large results, $PENSTOCK_HOME/blocks/; format and limits:
// docs/formats/history.md. Several processes may write; SQLite's lock makes them one writer at a
// time. A record carries a digest that is verified when it is read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/core/value.h"
#include "penstock/flow/observer.h"

struct sqlite3;

namespace penstock::flow {

/// Counts and times of one node in one run.
struct NodeRecord {
  std::string id, type;
  std::int64_t runs = 0, no_event = 0, skipped = 0, failed = 0, retries = 0;
  std::int64_t total_ns = 0, p50_ns = 0, p95_ns = 0, max_ns = 0;
  std::int64_t reused = 0;
};

/// One call of a node that keeps its results: what it depended on (ReuseFact).
struct ReuseRecord {
  std::string node;
  std::int64_t epoch = 0;
  std::vector<std::int64_t> path;
  bool is_reused = false;
  std::string key;  ///< hex
  std::vector<core::Part> parts;
};

struct ResultRecord {
  std::int64_t epoch = 0;
  std::string cid;
  std::string root;  ///< canonical bytes of a small result, to be written; empty when read
};

struct RunRecord {
  std::string run_id;
  std::string file;  ///< absolute path of the tube, or its name when it has no file
  std::string plan;  ///< digest of the plan, hex
  std::string runner, version, backend;
  std::string status;  ///< "running", "ok", "failed", "interrupted"
  std::string error_id, error, origin;
  std::int64_t started_us = 0;  ///< unix time
  std::int64_t pid = 0;
  std::int64_t num_workers = 1, epochs = 0, results = 0, retries = 0, peak_rss_bytes = 0;
  std::uint64_t seed = 0;
  double elapsed_s = 0;
  std::vector<std::pair<std::string, std::string>> inputs;  ///< name, value in one line
  core::Value input_values;  ///< a map, when small enough to keep; else absent
  std::vector<NodeRecord> nodes;
  std::vector<ReuseRecord> reuse;  ///< the first kMaxReuse
  std::vector<ResultRecord> cids;  ///< of the first kMaxCids results and of the last
};

struct HistoryLimits {
  std::int64_t max_runs = 1'000;
  std::int64_t max_age_days = 90;
  std::int64_t max_block_bytes = std::int64_t{512} << 20;  ///< of blocks/, oldest files go first
  std::int64_t max_event_bytes = std::int64_t{512} << 20;  ///< of events/, oldest runs go first
};

/// $PENSTOCK_HOME, else $XDG_DATA_HOME/penstock, else ~/.local/share/penstock.
std::string user_data_folder();

/// One open history. Owner thread only.
class History {
 public:
  static constexpr std::size_t kMaxCids = 1'000;
  static constexpr std::size_t kMaxReuse = 1'000;

  /// Makes the folder and the file when they are missing. kUnavailable when that fails,
  /// kFailedPrecondition for a history of a newer version.
  static base::Result<std::unique_ptr<History>> open(std::string home);
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  /// Inserts or replaces the record, with the CIDs as names to find it by.
  base::Status put(const RunRecord& record);
  /// Newest first; `file` empty = all. Damaged records are left out and counted in `num_damaged`.
  base::Result<std::vector<RunRecord>> list(std::int64_t limit, const std::string& file,
                                            std::int64_t* num_damaged = nullptr) const;
  /// Runs whose id begins with `prefix`, newest first, at most `limit`.
  base::Result<std::vector<RunRecord>> find_runs(std::string_view prefix, std::int64_t limit) const;
  /// Full CIDs that begin with `prefix`, at most `limit`.
  base::Result<std::vector<std::string>> find_cids(std::string_view prefix,
                                                   std::int64_t limit) const;
  /// Runs that gave the result `cid`, newest first.
  base::Result<std::vector<RunRecord>> runs_with(std::string_view cid, std::int64_t limit) const;
  /// Canonical bytes of a small result; kNotFound when it is not here (it may be a block).
  base::Result<std::string> root_of(std::string_view cid) const;
  /// Removes what is beyond the limits.
  base::Status prune(const HistoryLimits& limits);

  const std::string& home() const { return home_; }
  /// Where results are kept: a core::DirectoryBlockStore.
  std::string block_folder() const { return home_ + "/blocks"; }

 private:
  History(std::string home, sqlite3* db) : home_(std::move(home)), db_(db) {}
  base::Status create_tables();
  base::Result<std::vector<RunRecord>> select(std::string_view where, std::string_view text,
                                              std::int64_t limit, std::int64_t* num_damaged) const;

  std::string home_;
  sqlite3* db_;
};

/// Records a run. A failure to record never disturbs the run; error() tells of the first one.
class HistoryObserver final : public Observer {
 public:
  /// `home`: see user_data_folder(). `keep_values`: put results into the block store.
  explicit HistoryObserver(std::string home, bool keep_values = true, HistoryLimits limits = {});
  ~HistoryObserver() override;

  void on_start(const Plan& plan, const RunInfo& info) override;
  void on_reuse(const ReuseFact& fact) override;
  void on_result(std::int64_t root_epoch, const core::Value& value) override;
  void on_error(const base::Error& error) override;
  void on_finish(const RunSummary& summary, const RunMetrics& metrics) override;

  /// Inputs of the run, for the record; long values are cut. Before the run.
  void set_inputs(std::vector<core::MapEntry> inputs) { inputs_ = std::move(inputs); }

  const std::optional<base::Error>& error() const { return error_; }
  /// The last finished run of the same tube before this one.
  const std::optional<RunRecord>& before() const { return before_; }
  const RunRecord& record() const { return record_; }
  /// CID of the last result; empty when it has none.
  const std::string& last_cid() const { return last_cid_; }

 private:
  void note(const base::Status& status);
  void keep_large(const core::Value& value);
  ResultRecord address(std::int64_t epoch, const core::Value& value, bool keep);

  const std::string home_;
  const bool keep_values_;
  const HistoryLimits limits_;
  const Plan* plan_ = nullptr;
  std::vector<core::MapEntry> inputs_;
  RunRecord record_;
  std::optional<RunRecord> before_;
  core::Value last_;
  std::int64_t last_epoch_ = -1;
  std::string last_cid_;
  std::unique_ptr<History> history_;
  std::optional<base::Error> error_;
};

}  // namespace penstock::flow
