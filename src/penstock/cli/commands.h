// The subcommands: options as data, and one function each. cli.cc declares them to CLI11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "penstock/cli/cli.h"
#include "penstock/cli/terminal.h"

namespace penstock::cli {

/// What every command is given.
struct Session {
  const CliHost& host;
  std::span<const std::string> args;  ///< the whole command line, to hand over to Python
  Terminal terminal;
};

struct RunCommand {
  std::string file;  ///< path, or "hello"
  ExecutorRequest executor;
  std::optional<std::int64_t> epochs;
  std::vector<std::string> inputs;  ///< "name=value"
  std::string report;               ///< path; empty = none
  bool json = false;
  bool quiet = false;
  std::vector<std::string> resources;  ///< "name=amount"
  std::vector<std::string> tags;       ///< empty: "local"
  bool no_history = false;
  bool events = false;      ///< record every event
  bool no_cache = false;    ///< neither use nor keep results
  std::string only;         ///< a node: call nothing else
  std::string inputs_from;  ///< beginning of the id of the run that gives its inputs
  bool dry_run = false;     ///< say what would run, and why
  std::uint64_t seed = 0;
};
int run(const RunCommand& command, Session& session);

struct CheckCommand {
  std::vector<std::string> files;
  std::string format = "text";  ///< "text", "json", "sarif", "github"
  bool types = false;           ///< import Python types and look at their signatures
};
int check(const CheckCommand& command, Session& session);

struct GraphCommand {
  std::string file;
  std::string format = "ascii";  ///< "ascii", "mermaid", "dot", "svg"
  std::string output;            ///< path; empty = standard output
};
int graph(const GraphCommand& command, Session& session);

struct FormatCommand {
  std::string file;
  std::string to;      ///< "yaml": functions as a tube; empty = the form it has
  std::string output;  ///< path, "-" = standard output; empty = the file itself
  bool check = false;  ///< only say whether it would change
};
int format(const FormatCommand& command, Session& session);

struct NewCommand {
  std::string file;
  bool python = false;  ///< a file of plain functions
};
int make_new(const NewCommand& command, Session& session);

/// Prints the JSON Schema of the tube format.
int schema(Session& session);

struct StubCommand {
  std::string file;
  std::string output;  ///< path; empty = standard output
};
int stub(const StubCommand& command, Session& session);

struct OpsCommand {
  std::string name;  ///< empty = list all
  bool json = false;
};
int ops(const OpsCommand& command, Session& session);

struct ExplainCommand {
  std::string id;  ///< empty = list all
};
int explain(const ExplainCommand& command, Session& session);

struct DoctorCommand {
  bool json = false;
};
int doctor(const DoctorCommand& command, Session& session);

struct HistoryCommand {
  std::int64_t limit = 20;
  std::string file;  ///< only runs of this tube file
  bool json = false;
  std::string events;  ///< a run whose events are wanted, or a beginning of its id
  std::string node, signal;
  std::optional<std::int64_t> epoch;
};
int history(const HistoryCommand& command, Session& session);

struct ShowCommand {
  std::string name;  ///< run id or CID, or a beginning of one
  bool json = false;
};
int show(const ShowCommand& command, Session& session);

struct WhyCommand {
  std::string node;
  std::string file;     ///< only runs of this tube file; empty = all
  std::string run;      ///< beginning of a run's id; empty = the newest that has the node
  std::string against;  ///< the same of the run to compare with; empty = the one before it
  bool json = false;
};
int why(const WhyCommand& command, Session& session);

struct CacheCommand {
  std::string key;   ///< rm: beginning of a key; empty = by node, or all
  std::string node;  ///< rm: all results of this node
  bool all = false;  ///< rm
  std::optional<std::int64_t> max_bytes, max_age_days;  ///< prune
  bool json = false;
};
int cache_list(const CacheCommand& command, Session& session);
int cache_remove(const CacheCommand& command, Session& session);
int cache_verify(const CacheCommand& command, Session& session);
int cache_prune(const CacheCommand& command, Session& session);

/// Prints a PS0901 and returns kUsage.
int usage_error(Session& session, std::string message, std::string help = {});

}  // namespace penstock::cli
