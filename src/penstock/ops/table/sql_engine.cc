#include "penstock/ops/table/sql_engine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "penstock/core/host.h"
#include "penstock/ops/table/arrow_bridge.h"
#include "penstock/ops/table/sql_text.h"
#include "penstock/ops/table/sql_value.h"

namespace penstock::ops::table {
namespace {

using base::ErrorCode;
using base::fail;

/// An error in DuckDB's words. `text` begins with the kind of error ("Binder Error: ...").
base::Error to_error(std::string_view text, const SqlCall& call) {
  static constexpr std::pair<std::string_view, ErrorCode> kKinds[] = {
      {"INTERRUPT", ErrorCode::kCancelled},  {"Out of Memory", ErrorCode::kResourceExhausted},
      {"IO Error", ErrorCode::kUnavailable}, {"Not implemented", ErrorCode::kUnimplemented},
      {"INTERNAL", ErrorCode::kInternal},    {"FATAL", ErrorCode::kInternal}};
  ErrorCode code = ErrorCode::kInvalidArgument;
  for (const auto& [kind, kind_code] : kKinds) {
    if (text.starts_with(kind)) {
      code = kind_code;
    }
  }
  if (code == ErrorCode::kCancelled) {
    return {code, "query interrupted"};
  }
  std::string message(text);
  const std::string nearest = suggestion(message);
  // The suggestion is ours to print; without it the message is one statement. DuckDB also offers
  // its own system tables, which help nobody.
  for (const std::string_view marker : {"\nDid you mean", "\nCandidate bindings"}) {
    const std::size_t begin = message.find(marker);
    if (begin != message.npos) {
      const std::size_t end = message.find('\n', begin + 1);
      message.erase(begin, end == message.npos ? message.npos : end - begin);
    }
  }
  base::Error error(code, "SQL: " + one_line(message, call.subject, call.lines_before));
  const bool is_system = nearest.starts_with("pg_") || nearest.starts_with("duckdb_") ||
                         nearest.starts_with("sqlite_") || nearest.starts_with("pragma_");
  return nearest.empty() || is_system ? error
                                      : error.with_help(fmt::format("did you mean '{}'?", nearest));
}

/// One database and its idle connections. Thread-safe.
class Database {
 public:
  explicit Database(duckdb_database database) : database_(database) {}
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() {
    for (duckdb_connection& connection : idle_) {
      duckdb_disconnect(&connection);
    }
    duckdb_close(&database_);
  }

  static base::Result<std::shared_ptr<Database>> open(SqlMode mode);

  base::Result<duckdb_connection> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        duckdb_connection connection = idle_.back();
        idle_.pop_back();
        return connection;
      }
    }
    duckdb_connection connection = nullptr;
    if (duckdb_connect(database_, &connection) != DuckDBSuccess) {
      return fail(ErrorCode::kResourceExhausted, "DuckDB gave no connection");
    }
    return connection;
  }

  void give_back(duckdb_connection connection) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(connection);
  }

 private:
  duckdb_database database_;
  std::mutex mutex_;
  std::vector<duckdb_connection> idle_;  // guarded by mutex_; at most one per calling thread
};

base::Result<std::shared_ptr<Database>> Database::open(SqlMode mode) {
  duckdb_config config = nullptr;
  duckdb_create_config(&config);
  const std::string threads =
      mode == SqlMode::kSerial ? "1"
                               : std::to_string(std::max(1U, std::thread::hardware_concurrency()));
  const std::pair<const char*, const char*> options[] = {
      {"threads", threads.c_str()},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
      {"allow_unsigned_extensions", "false"},
      {"preserve_insertion_order", "true"},
      {"temp_directory", ""},
      {"enable_external_access", mode == SqlMode::kFiles ? "true" : "false"},
      {"lock_configuration", "true"}};
  for (const auto& [name, value] : options) {
    if (duckdb_set_config(config, name, value) != DuckDBSuccess) {
      duckdb_destroy_config(&config);
      return fail(ErrorCode::kInternal, fmt::format("DuckDB has no option '{}'", name));
    }
  }
  duckdb_database handle = nullptr;
  char* why = nullptr;
  const duckdb_state state = duckdb_open_ext(nullptr, &handle, config, &why);
  duckdb_destroy_config(&config);
  if (state != DuckDBSuccess) {
    const std::string text = why != nullptr ? why : "no reason given";
    duckdb_free(why);
    return fail(ErrorCode::kInternal, fmt::format("DuckDB did not start: {}", text));
  }
  auto database = std::make_shared<Database>(handle);
  PENSTOCK_ASSIGN_OR_RETURN(duckdb_connection connection, database->take());
  const auto registered = register_scan(handle, connection);
  database->give_back(connection);
  PENSTOCK_RETURN_IF_ERROR(registered);
  return database;
}

/// The databases of this process; opened when first asked for, dropped when DuckDB says that one is
/// beyond use.
class Databases {
 public:
  static Databases& instance() {
    // Never destroyed: a worker may still be in a query when the process ends.
    static auto* databases = new Databases();
    return *databases;
  }

  base::Result<std::shared_ptr<Database>> get(SqlMode mode) {
    const std::lock_guard lock(mutex_);
    auto& slot = slots_[static_cast<std::size_t>(mode)];
    if (slot == nullptr) {
      PENSTOCK_ASSIGN_OR_RETURN(slot, Database::open(mode));
    }
    return slot;
  }

  void drop(const std::shared_ptr<Database>& broken) {
    const std::lock_guard lock(mutex_);
    std::ranges::replace(slots_, broken, std::shared_ptr<Database>());
  }

 private:
  std::mutex mutex_;
  std::array<std::shared_ptr<Database>, 3> slots_;  // guarded by mutex_
};

/// A statement being run: everything DuckDB hands out, destroyed in order.
struct Statement {
  duckdb_connection connection = nullptr;
  duckdb_extracted_statements extracted = nullptr;
  duckdb_prepared_statement prepared = nullptr;
  duckdb_pending_result pending = nullptr;
  duckdb_result result{};
  bool has_result = false;

  ~Statement() {
    if (has_result) {
      duckdb_destroy_result(&result);
    }
    if (pending != nullptr) {
      duckdb_destroy_pending(&pending);
    }
    if (prepared != nullptr) {
      duckdb_destroy_prepare(&prepared);
    }
    if (extracted != nullptr) {
      duckdb_destroy_extracted(&extracted);
    }
  }
};

base::Status prepare(const SqlCall& call, Statement& statement) {
  const idx_t count =
      duckdb_extract_statements(statement.connection, call.query.c_str(), &statement.extracted);
  if (count != 1) {
    const char* why = duckdb_extract_statements_error(statement.extracted);
    if (count == 0 && why != nullptr && *why != '\0') {
      return fail(to_error(why, call));
    }
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("SQL: seen {} statements, wanted one SELECT", count));
  }
  if (duckdb_prepare_extracted_statement(statement.connection, statement.extracted, 0,
                                         &statement.prepared) != DuckDBSuccess) {
    const char* why = duckdb_prepare_error(statement.prepared);
    return fail(to_error(why != nullptr ? why : "DuckDB gave no reason", call));
  }
  if (duckdb_prepared_statement_type(statement.prepared) != DUCKDB_STATEMENT_TYPE_SELECT) {
    return fail(ErrorCode::kInvalidArgument, "SQL: wanted a SELECT, seen another statement");
  }
  return {};
}

base::Status bind(const SqlCall& call, Statement& statement) {
  const idx_t count = duckdb_nparams(statement.prepared);
  for (idx_t i = 1; i <= count; ++i) {
    const char* raw_name = duckdb_parameter_name(statement.prepared, i);
    const std::string name = raw_name != nullptr ? raw_name : "";
    duckdb_free(const_cast<char*>(raw_name));
    const auto at = std::ranges::find_if(call.parameters, [&name](const auto& parameter) {
      return to_lower(parameter.first) == to_lower(name);
    });
    if (at == call.parameters.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("SQL: parameter ${} has no value; bind it by an input or in "
                              "'parameters'",
                              name));
    }
    PENSTOCK_ASSIGN_OR_RETURN(SqlValue value, to_sql_value(at->second, at->first));
    if (value == nullptr ||
        duckdb_bind_value(statement.prepared, i, value.get()) != DuckDBSuccess) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("SQL: cannot bind parameter ${} to a {}", name,
                              core::to_string(at->second.kind())));
    }
  }
  return {};
}

/// Says whether the user or the run wants the query to end. Looks often at the run's flag, seldom
/// at the host's signals, which only its main thread gets and which cost the interpreter lock.
class StopCheck {
 public:
  explicit StopCheck(const core::Context* context) : context_(context) {}

  base::Status look() {
    if (context_ != nullptr && context_->is_cancelled()) {
      return fail(ErrorCode::kCancelled, "query interrupted");
    }
    const auto now = std::chrono::steady_clock::now();
    const core::HostBridge* bridge = core::host_bridge();
    if (bridge == nullptr || now - last_ < std::chrono::milliseconds(100)) {
      return {};
    }
    last_ = now;
    const core::HostLock lock;
    return bridge->check_signals();
  }

 private:
  const core::Context* context_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Runs the query's tasks on this thread (in `parallel`, DuckDB's own threads help) and looks for a
/// cancellation between them.
base::Status execute(const SqlCall& call, Statement& statement) {
  if (duckdb_pending_prepared(statement.prepared, &statement.pending) != DuckDBSuccess) {
    return fail(to_error(duckdb_pending_error(statement.pending), call));
  }
  StopCheck stop(call.context);
  base::Status stopped;
  while (true) {
    if (stopped.has_value()) {
      stopped = stop.look();
      if (!stopped.has_value()) {
        duckdb_interrupt(statement.connection);
      }
    }
    const duckdb_pending_state state = duckdb_pending_execute_task(statement.pending);
    if (!stopped.has_value() && state != DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
      return stopped;  // the query ends with the statement, whether or not it noticed
    }
    if (state == DUCKDB_PENDING_ERROR) {
      return fail(to_error(duckdb_pending_error(statement.pending), call));
    }
    if (duckdb_pending_execution_is_finished(state)) {
      break;
    }
    if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
      // Another thread has the last tasks; there is nothing to wait on in the C API.
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }
  statement.has_result = true;
  if (duckdb_execute_pending(statement.pending, &statement.result) != DuckDBSuccess) {
    const char* why = duckdb_result_error(&statement.result);
    return fail(to_error(why != nullptr ? why : "DuckDB gave no reason", call));
  }
  return {};
}

}  // namespace

base::Status run_sql(const SqlCall& call, const SqlSink& sink) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::shared_ptr<Database> database,
                            Databases::instance().get(call.mode));
  PENSTOCK_ASSIGN_OR_RETURN(duckdb_connection connection, database->take());
  base::Status status;
  {
    const ScanScope scope(call.tables);
    Statement statement{.connection = connection};
    status = prepare(call, statement);
    if (status.has_value()) {
      status = bind(call, statement);
    }
    if (status.has_value()) {
      status = execute(call, statement);
    }
    if (status.has_value()) {
      status = sink(statement.result);
    }
  }
  if (!status.has_value() && status.error().code() == ErrorCode::kInternal) {
    // A database that met its own bug refuses all further work: the next call opens a new one.
    Databases::instance().drop(database);
  }
  database->give_back(connection);
  return status;
}

base::Result<std::shared_ptr<const core::Table>> run_sql_table(const SqlCall& call) {
  std::shared_ptr<const core::Table> table;
  PENSTOCK_RETURN_IF_ERROR(run_sql(call, [&table](duckdb_result& result) -> base::Status {
    PENSTOCK_ASSIGN_OR_RETURN(table, to_table(result));
    return {};
  }));
  return table;
}

}  // namespace penstock::ops::table
