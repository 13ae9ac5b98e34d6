// The history file. Its observer is in history_observer.cc.
#include "penstock/flow/history.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "penstock/base/folder.h"
#include "penstock/base/out_of_memory.h"
#include "penstock/core/identity.h"
#include "penstock/flow/history_record.h"

namespace penstock::flow {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

constexpr int kSchemaVersion = 1;
// SQLite wakes waiting writers in no order: of 16 that write all the time, one may wait for long.
constexpr int kBusyTimeoutMs = 30'000;
constexpr std::string_view kId = "PS0908";

base::Error database_error(sqlite3* db, std::string_view what) {
  return base::Error(ErrorCode::kUnavailable,
                     fmt::format("history: cannot {}: {}", what,
                                 db == nullptr ? "out of memory" : sqlite3_errmsg(db)))
      .with_id(kId);
}

struct DatabaseCloser {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};

/// A prepared statement; finalised on the way out.
class Statement {
 public:
  Statement(sqlite3* db, std::string_view sql) : db_(db) {
    ready_ = sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement_,
                                nullptr) == SQLITE_OK;
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& text(int at, std::string_view value) {
    ready_ =
        ready_ && sqlite3_bind_text(statement_, at, value.data(), static_cast<int>(value.size()),
                                    SQLITE_TRANSIENT) == SQLITE_OK;
    return *this;
  }
  Statement& blob(int at, std::string_view value) {
    ready_ =
        ready_ && sqlite3_bind_blob(statement_, at, value.data(), static_cast<int>(value.size()),
                                    SQLITE_TRANSIENT) == SQLITE_OK;
    return *this;
  }
  Statement& integer(int at, std::int64_t value) {
    ready_ = ready_ && sqlite3_bind_int64(statement_, at, value) == SQLITE_OK;
    return *this;
  }
  /// True: a row is there. False: done.
  base::Result<bool> step(std::string_view what) {
    const int code = ready_ ? sqlite3_step(statement_) : SQLITE_ERROR;
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
      return code == SQLITE_ROW;
    }
    return base::fail(database_error(db_, what));
  }
  base::Status run(std::string_view what) {
    PENSTOCK_ASSIGN_OR_RETURN([[maybe_unused]] const bool row, step(what));
    return {};
  }
  std::string_view column(int at) const {
    const void* const data = sqlite3_column_blob(statement_, at);
    const int size = sqlite3_column_bytes(statement_, at);
    return data == nullptr
               ? std::string_view()
               : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
  }
  std::int64_t number(int at) const { return sqlite3_column_int64(statement_, at); }

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
  bool ready_ = false;
};

base::Status execute(sqlite3* db, const char* sql, std::string_view what) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return base::fail(database_error(db, what));
  }
  return {};
}

/// The first text after all texts that begin with `prefix`: [prefix, after) is an index range.
std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) {
    prefix.pop_back();
  }
  if (!prefix.empty()) {
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  }
  return prefix;
}

std::string_view as_text(const core::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

base::Result<RunRecord> read_record(std::string_view bytes, std::string_view digest) {
  if (as_text(core::hash_bytes(bytes)) != digest) {
    return base::fail(ErrorCode::kDataLoss, "a record of the history does not fit its digest");
  }
  PENSTOCK_ASSIGN_OR_RETURN(const core::Value value, core::decode(bytes));
  return record_from_value(value);
}

}  // namespace

std::string user_data_folder() {
  const auto get = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string home = get("PENSTOCK_HOME"); !home.empty()) {
    return home;
  }
  if (const std::string data = get("XDG_DATA_HOME"); data.starts_with('/')) {
    return data + "/penstock";
  }
  return get("HOME") + "/.local/share/penstock";
}

base::Result<std::unique_ptr<History>> History::open(std::string home) try {
  std::error_code failed;
  fs::create_directories(home, failed);
  if (failed) {
    return base::fail(
        base::Error(ErrorCode::kUnavailable,
                    fmt::format("history: cannot make the folder '{}': {}", home, failed.message()))
            .with_id(kId)
            .with_help("set PENSTOCK_HOME to a folder you may write, or --no-history"));
  }
  sqlite3* db = nullptr;
  const std::string path = home + "/history.sqlite";
  const int opened = sqlite3_open_v2(
      path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  // Owned from here on, also when opening failed: SQLite hands out a handle to ask what went wrong.
  std::unique_ptr<sqlite3, DatabaseCloser> owned(db);
  std::unique_ptr<History> history(new History(std::move(home), db));
  std::ignore = owned.release();
  if (opened != SQLITE_OK) {
    return base::fail(database_error(db, fmt::format("open '{}'", path)));
  }
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  // Each run is a process: emptying the log at every exit would cost it three disk syncs. SQLite
  // empties it when it has grown to 1,000 pages.
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  PENSTOCK_RETURN_IF_ERROR(history->create_tables());
  return history;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

History::~History() {
  sqlite3_close(db_);
}

base::Status History::create_tables() {
  std::int64_t version = 0;
  {
    Statement ask(db_, "PRAGMA user_version");
    PENSTOCK_ASSIGN_OR_RETURN(const bool row, ask.step("read the history"));
    version = row ? ask.number(0) : 0;
  }
  if (version == kSchemaVersion) {
    return {};
  }
  if (version > kSchemaVersion) {
    return base::fail(
        base::Error(ErrorCode::kFailedPrecondition,
                    fmt::format("history: version {} was written by a newer penstock, "
                                "this one knows {}",
                                version, kSchemaVersion))
            .with_id(kId)
            .with_help("upgrade penstock, or set PENSTOCK_HOME to another folder"));
  }
  PENSTOCK_RETURN_IF_ERROR(execute(db_, "PRAGMA journal_mode = WAL", "set the journal"));
  return execute(db_,
                 "BEGIN IMMEDIATE;"
                 "CREATE TABLE IF NOT EXISTS runs("
                 "  run_id TEXT PRIMARY KEY, started_us INTEGER NOT NULL, file TEXT NOT NULL,"
                 "  status TEXT NOT NULL, record BLOB NOT NULL, digest BLOB NOT NULL) STRICT;"
                 "CREATE INDEX IF NOT EXISTS runs_by_start ON runs(started_us);"
                 "CREATE TABLE IF NOT EXISTS results("
                 "  cid TEXT NOT NULL, run_id TEXT NOT NULL, epoch INTEGER NOT NULL, root BLOB,"
                 "  PRIMARY KEY(cid, run_id, epoch)) STRICT, WITHOUT ROWID;"
                 "CREATE INDEX IF NOT EXISTS results_by_run ON results(run_id);"
                 "PRAGMA user_version = 1;"
                 "COMMIT",
                 "make the tables");
}

base::Status History::put(const RunRecord& record) try {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes, core::encode(to_value(record)));
  PENSTOCK_RETURN_IF_ERROR(execute(db_, "BEGIN IMMEDIATE", "write"));
  const auto write = [&]() -> base::Status {
    const core::Digest digest = core::hash_bytes(bytes);
    Statement insert(db_, "INSERT OR REPLACE INTO runs VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
    insert.text(1, record.run_id).integer(2, record.started_us).text(3, record.file);
    insert.text(4, record.status).blob(5, bytes).blob(6, as_text(digest));
    PENSTOCK_RETURN_IF_ERROR(insert.run("write"));
    for (const ResultRecord& result : record.cids) {
      Statement name(db_, "INSERT OR IGNORE INTO results VALUES(?1, ?2, ?3, ?4)");
      name.text(1, result.cid).text(2, record.run_id).integer(3, result.epoch);
      if (!result.root.empty()) {
        name.blob(4, result.root);
      }
      PENSTOCK_RETURN_IF_ERROR(name.run("write"));
    }
    return execute(db_, "COMMIT", "write");
  };
  const base::Status written = write();
  if (!written.has_value()) {
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return written;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::vector<RunRecord>> History::select(std::string_view where, std::string_view text,
                                                     std::int64_t limit,
                                                     std::int64_t* num_damaged) const try {
  Statement ask(db_, fmt::format("SELECT record, digest FROM runs {} ORDER BY started_us DESC, "
                                 "run_id DESC LIMIT ?3",
                                 where));
  ask.integer(3, limit);
  if (!where.empty()) {
    ask.text(1, text);
  }
  if (where.contains("?2")) {
    ask.text(2, after_prefix(std::string(text)));
  }
  std::vector<RunRecord> out;
  for (;;) {
    PENSTOCK_ASSIGN_OR_RETURN(const bool row, ask.step("read"));
    if (!row) {
      return out;
    }
    auto record = read_record(ask.column(0), ask.column(1));
    if (record.has_value()) {
      out.push_back(std::move(*record));
      continue;
    }
    base::rethrow_out_of_memory(record.error());
    if (num_damaged != nullptr) {
      ++*num_damaged;
    }
  }
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::vector<RunRecord>> History::list(std::int64_t limit, const std::string& file,
                                                   std::int64_t* num_damaged) const {
  return select(file.empty() ? "" : "WHERE file = ?1", file, limit, num_damaged);
}

base::Result<std::vector<RunRecord>> History::find_runs(std::string_view prefix,
                                                        std::int64_t limit) const {
  return select("WHERE run_id >= ?1 AND run_id < ?2", prefix, limit, nullptr);
}

base::Result<std::vector<RunRecord>> History::runs_with(std::string_view cid,
                                                        std::int64_t limit) const {
  return select("WHERE run_id IN (SELECT run_id FROM results WHERE cid = ?1)", cid, limit, nullptr);
}

base::Result<std::string> History::root_of(std::string_view cid) const try {
  Statement ask(db_, "SELECT root FROM results WHERE cid = ?1 AND root IS NOT NULL LIMIT 1");
  PENSTOCK_ASSIGN_OR_RETURN(const bool row, ask.text(1, cid).step("read"));
  if (!row) {
    return base::fail(ErrorCode::kNotFound, fmt::format("no result '{}' in the history", cid));
  }
  std::string root(ask.column(0));
  const core::Cid seen{.codec = core::Codec::kDagCbor, .digest = core::hash_bytes(root)};
  if (seen.to_string() != cid) {
    return base::fail(ErrorCode::kDataLoss,
                      fmt::format("the result '{}' in the history is damaged: "
                                  "its address is {}",
                                  cid, seen.to_string()));
  }
  return root;
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

base::Result<std::vector<std::string>> History::find_cids(std::string_view prefix,
                                                          std::int64_t limit) const try {
  Statement ask(db_, "SELECT DISTINCT cid FROM results WHERE cid >= ?1 AND cid < ?2 LIMIT ?3");
  ask.text(1, prefix).text(2, after_prefix(std::string(prefix))).integer(3, limit);
  std::vector<std::string> out;
  for (;;) {
    PENSTOCK_ASSIGN_OR_RETURN(const bool row, ask.step("read"));
    if (!row) {
      return out;
    }
    out.emplace_back(ask.column(0));
  }
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

namespace {

/// Deletes the oldest blocks until the rest fits. Another process may delete the same ones.
void prune_blocks(const std::string& folder, std::int64_t max_bytes) {
  struct Block {
    fs::file_time_type time;
    std::int64_t size;
    std::string path;
  };
  std::vector<Block> blocks;
  std::int64_t total = 0;
  auto files = base::files_below(folder);
  if (!files.has_value()) {
    return;  // the next run prunes what this one cannot
  }
  for (std::string& path : *files) {
    std::error_code gone;
    const auto size = static_cast<std::int64_t>(fs::file_size(path, gone));
    const auto time = gone ? fs::file_time_type() : fs::last_write_time(path, gone);
    if (!gone) {
      blocks.push_back({time, size, std::move(path)});
      total += size;
    }
  }
  if (total <= max_bytes) {
    return;
  }
  std::ranges::sort(blocks, {}, &Block::time);
  for (const Block& block : blocks) {
    if (total <= max_bytes) {
      return;
    }
    ::unlink(block.path.c_str());
    total -= block.size;
  }
}

/// Logs of events (penstock run --events), the oldest first: run ids sort by their start. The
/// newest stays, whatever its size: it may be this run's.
void prune_events(const std::string& folder, std::int64_t max_bytes) {
  auto runs = base::list_folder(folder);
  if (!runs.has_value()) {
    return;  // there are none, as a rule
  }
  std::ranges::sort(*runs, std::ranges::greater{}, &base::FolderEntry::name);
  std::int64_t total = 0;
  for (const base::FolderEntry& run : *runs) {
    const auto files = base::files_below(run.path);
    for (const std::string& path : files.value_or(std::vector<std::string>())) {
      std::error_code gone;
      const auto size = fs::file_size(path, gone);
      total += gone ? 0 : static_cast<std::int64_t>(size);
    }
    if (total > max_bytes && run.name != runs->front().name) {
      std::error_code ignored;
      fs::remove_all(run.path, ignored);
    }
  }
}

}  // namespace

base::Status History::prune(const HistoryLimits& limits) try {
  prune_events(home_ + "/events", limits.max_event_bytes);
  const auto now = std::chrono::system_clock::now() - std::chrono::hours(24 * limits.max_age_days);
  const auto oldest_us =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  std::int64_t excess = 0;
  {
    Statement count(db_, "SELECT count(*), min(started_us) FROM runs");
    PENSTOCK_ASSIGN_OR_RETURN(const bool row, count.step("read"));
    if (row && count.number(0) <= limits.max_runs && count.number(1) >= oldest_us) {
      prune_blocks(block_folder(), limits.max_block_bytes);
      return {};
    }
    excess = row ? std::max<std::int64_t>(0, count.number(0) - limits.max_runs) : 0;
  }
  Statement remove(db_,
                   "DELETE FROM runs WHERE started_us < ?1 OR run_id IN "
                   "(SELECT run_id FROM runs ORDER BY started_us, run_id LIMIT ?2)");
  PENSTOCK_RETURN_IF_ERROR(remove.integer(1, oldest_us).integer(2, excess).run("prune"));
  PENSTOCK_RETURN_IF_ERROR(
      execute(db_, "DELETE FROM results WHERE run_id NOT IN (SELECT run_id FROM runs)", "prune"));
  prune_blocks(block_folder(), limits.max_block_bytes);
  return {};
} catch (const std::bad_alloc&) {
  return base::fail_out_of_memory();
}

}  // namespace penstock::flow
