// Reuse: calls of nodes that keep their results, looked up before and kept after. Internal to flow.
//
// A call's key is the digest of the node's recipe (plan_reuse.h), the digests of its inputs' values
// and of the files it reads. So an equal value upstream, however it came about, ends a rerun there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "penstock/core/identity.h"
#include "penstock/flow/executor.h"
#include "penstock/flow/observer.h"
#include "penstock/flow/plan.h"
#include "penstock/flow/result_cache.h"
#include "penstock/flow/run_state.h"

namespace penstock::flow {

/// Digest of what the file at `path` holds, of the list of what a pattern matches and holds; of a
/// folder none.
base::Result<core::Digest> digest_of_files(const std::string& path);

/// The name of input `edge` of `node` in a Part.
std::string input_part_name(const PlanNode& node, std::size_t edge);

/// Makes the key of one call from what it depends on, in order.
class KeyMaker {
 public:
  explicit KeyMaker(const core::Digest& recipe);
  /// The next input: its value, and the digest of it when it is known.
  base::Status add_input(std::string name, const core::Value& value,
                         std::optional<core::Digest> digest);
  /// The same of a value that is not at hand.
  void add_known_input(std::string name, const core::Digest& digest);
  base::Status add_file(const std::string& slot, const std::string& path);

  core::Digest key() const;
  std::vector<core::Part>& parts() { return parts_; }

 private:
  std::string bytes_;
  std::vector<core::Part> parts_;
};

/// Owner thread only (the runner's).
class Reuse {
 public:
  Reuse(const Plan& plan, std::shared_ptr<ResultCache> cache)
      : plan_(plan), cache_(std::move(cache)) {}

  /// True: `task`'s outputs are written, it need not run. False: it must; then keep() or forget().
  base::Result<bool> find(const RunState& state, const Task& task);
  /// From now on `only` is called whatever is known of it, and all others give what they gave in
  /// the run that kept `calls`.
  void replay(std::int32_t only, KeptCalls calls);
  /// True: fact() tells of it.
  bool keep(const RunState& state, const Task& task, std::int64_t took_ns);
  void forget(const Task& task) { pending_.erase({task.activation, task.node}); }
  /// `epoch` has closed.
  void close(std::int64_t epoch) { digests_.erase(epoch); }
  void end_run();

  /// What the last find(), keep() or given() found, for observers. Its `path` is the caller's to
  /// fill.
  const ReuseFact& fact() const { return fact_; }
  /// A node whose results stand in the plan has run.
  void given(const Task& task);
  /// What could not be kept since the last time, one line each; the first few of a run.
  std::vector<std::pair<std::int32_t, std::string>> take_notes() {
    return std::exchange(notes_, {});
  }

 private:
  struct Pending {
    core::Digest key;
    std::vector<core::Part> parts;
  };
  /// Writes what is kept under `key`, if it is there and whole.
  bool load(const RunState& state, const Task& task, const core::Digest& key);
  std::optional<Pending> key_of(const RunState& state, const Task& task);
  base::Status add_inputs(const RunState& state, const Task& task, KeyMaker& maker);
  base::Result<core::Digest> digest_of(const Activation& at, std::int32_t signal,
                                       const core::Value& value, const RunState& state);
  void remember(const RunState& state, const Task& task, std::size_t output,
                const core::Digest& digest);
  void note(std::int32_t node, const base::Error& why);
  void link_lineage(const Task& task, const core::Digest& key);

  const Plan& plan_;
  std::shared_ptr<ResultCache> cache_;
  std::map<std::pair<void*, std::int32_t>, Pending> pending_;  ///< calls that run
  /// By epoch, then by the path of the activation and the signal: digests known already.
  std::map<std::int64_t, std::map<std::pair<std::vector<std::int64_t>, std::int32_t>, core::Digest>>
      digests_;
  std::optional<KeptCalls> replayed_;
  std::int32_t only_ = kNone;
  std::vector<std::int64_t> path_;
  std::vector<const core::Value*> inputs_;
  ReuseFact fact_;
  std::vector<std::pair<std::int32_t, std::string>> notes_;
  std::size_t num_notes_ = 0;
};

}  // namespace penstock::flow
