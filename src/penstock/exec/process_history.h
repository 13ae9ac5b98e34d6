// History: the calls of stateful nodes, so that a new worker can rebuild what a dead one knew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/value.h"
#include "penstock/exec/channel_link.h"
#include "penstock/exec/process_wire.h"

namespace penstock::exec {

/// Bytes that stay where they are until all are dropped at once, in pieces of the shared pool.
/// Owner thread only.
class ByteStore {
 public:
  std::string_view add(std::string_view bytes);

 private:
  struct GiveBack {
    std::size_t size_bytes;
    void operator()(std::byte* memory) const;
  };

  std::vector<std::unique_ptr<std::byte, GiveBack>> chunks_;
  std::byte* at_ = nullptr;
  std::size_t left_bytes_ = 0;
  std::size_t chunk_bytes_ = 0;  ///< of the newest chunk
};

/// A call: noted when its task is sent, and known once it has been answered.
struct PastCall {
  std::int64_t epoch = 0;
  std::vector<std::int64_t> path;
  std::vector<core::Value> inputs;
};

/// Calls without inputs cost nothing: they are counted. Of the others the frames are kept, as they
/// were sent, or the inputs where these were lent or cost nothing to keep; up to a bound over all
/// nodes. Beyond it they are dropped, and a node that lost calls can no longer be rebuilt. Owner
/// thread only.
class History {
 public:
  explicit History(std::int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// A call of `node` is on its way, after all others of that node.
  void begin(std::int32_t node, std::string_view frame);
  /// The same for one whose inputs were lent, and weigh `size_bytes`.
  void begin(std::int32_t node, PastCall call, std::int64_t size_bytes);
  /// The oldest one on its way is answered. Not `called`: it left the state as it was.
  void end(std::int32_t node, bool called);
  /// What is on its way is lost with its worker, and will be sent again.
  void lose(std::int32_t node);
  void lose_all();
  /// A call without inputs and sub-epochs is answered.
  void count(std::int32_t node, std::int64_t epoch);

  /// Sends the calls of `node`, in order, as replay frames. kFailedPrecondition (PS0506) when they
  /// are not all known. The number of answers (completions of kNoSlot) to expect.
  base::Result<std::int32_t> replay(std::int32_t node, const std::string& node_id,
                                    std::uint64_t seed, Link& link) const;
  /// Whether calls of `node` are known, or were.
  bool has_calls(std::int32_t node) const;

 private:
  struct Call {
    std::string_view frame;                    ///< in `bytes`, or
    std::unique_ptr<const PastCall> unpacked;  ///< when empty
    bool called = true;
  };
  struct Node {
    std::vector<ReplayMany> counted;  ///< runs of consecutive epochs
    std::vector<Call> calls;
    std::size_t num_known = 0;  ///< of `calls`, from the front; the others are on their way
    ByteStore bytes;
    std::int64_t size_bytes = 0;
    bool incomplete = false;
  };

  bool has_room(Node& past, std::int64_t size_bytes);
  static base::Status send_call(std::int32_t node, const Call& call, std::uint64_t seed, Link& link,
                                FrameBuffer& frame);

  const std::int64_t limit_bytes_;
  std::int64_t size_bytes_ = 0;
  std::map<std::int32_t, Node> nodes_;
};

/// The frame of a task or a replay.
base::Status write_task(const TaskHead& head, std::span<const std::int64_t> path,
                        std::span<const core::Value* const> inputs, Link& link, FrameBuffer& frame);

}  // namespace penstock::exec
