// History: the calls of stateful nodes, so that a new worker can rebuild what a dead one knew.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/exec/channel_link.h"
#include "penstock/exec/process_wire.h"

namespace penstock::exec {

/// A finished call with its inputs.
struct PastCall {
  std::int64_t epoch = 0;
  std::vector<std::int64_t> path;
  std::vector<core::Value> inputs;
};

/// Calls without inputs cost nothing: they are counted. Others are kept up to a bound over all
/// nodes; beyond it they are dropped, and a node that lost calls can no longer be rebuilt. Owner
/// thread only.
class History {
 public:
  explicit History(std::int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// `size_bytes`: about what keeping the inputs costs.
  void add(std::int32_t node, PastCall call, std::int64_t size_bytes);
  /// Sends the calls of `node`, in order, as replay frames. kFailedPrecondition (PS0506) when they
  /// are not all known. The number of answers (completions of kNoSlot) to expect.
  base::Result<std::int32_t> replay(std::int32_t node, const std::string& node_id,
                                    std::uint64_t seed, Link& link) const;
  bool has_calls(std::int32_t node) const { return nodes_.contains(node); }

 private:
  struct Node {
    std::vector<ReplayMany> counted;  ///< runs of consecutive epochs
    std::vector<PastCall> calls;
    std::int64_t size_bytes = 0;
    bool incomplete = false;
  };

  const std::int64_t limit_bytes_;
  std::int64_t size_bytes_ = 0;
  std::map<std::int32_t, Node> nodes_;
};

/// The frame of a task or a replay. `size_bytes`, if not null: what the inputs weigh, buffers
/// included.
base::Status write_task(const TaskHead& head, std::span<const std::int64_t> path,
                        std::span<const core::Value* const> inputs, Link& link, std::string& frame,
                        std::int64_t* size_bytes = nullptr);

}  // namespace penstock::exec
