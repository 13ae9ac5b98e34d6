// The frames between a run and its workers: tasks, completions and values as bytes.
//
// Only processes of one machine and one build talk like this, so numbers are in machine order. A
// reader still believes nothing: a worker may have been killed or may have gone wild.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "penstock/base/result.h"
#include "penstock/core/cbor_writer.h"
#include "penstock/core/value.h"
#include "penstock/exec/shm_exchange.h"

namespace penstock::exec {

enum class FrameType : std::uint32_t {
  // run -> worker
  kTask = 1,    ///< TaskFrame
  kReplay,      ///< TaskFrame whose outputs nobody wants: rebuilds a node's state
  kReplayMany,  ///< ReplayMany: the same for calls without inputs; answered when all is done
  kForget,      ///< SegmentId of a segment that is going
  kStop,        ///< end cleanly
  kStartNode,   ///< int32 node: start its core::Lifecycle; answered by a completion of kNoSlot
  kStopNode,    ///< the same for its end
  // worker -> run
  kReady,   ///< the plan is compiled
  kFailed,  ///< error: cannot start
  kDone,    ///< DoneFrame
  kLog,     ///< node, line
  // both
  kReturned,  ///< loans given back
  kIndirect,  ///< a frame that is too long for the ring: type and BufferRef
};

/// The bytes of one frame. What the codec writes goes straight into it.
using FrameBuffer = core::CborWriter;

/// Writes a frame: plain numbers, texts, values. Owner thread only.
class WireWriter {
 public:
  explicit WireWriter(FrameBuffer& out) : out_(out) { out_.clear(); }

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void put(const T& value) {
    out_.raw(&value, sizeof value);
  }
  void put_text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    out_.raw(text);
  }
  void put_error(const base::Error& error);
  /// Buffers of `value` are lent through `exchange`. Fails for a value that cannot leave the
  /// process.
  base::Status put_value(const core::Value& value, BufferExchange& exchange);

 private:
  bool put_plain(core::Kind kind, std::string_view content);
  bool put_host(const core::HostObject& object);
  base::Status put_message(const core::Value& value, BufferExchange& exchange);

  FrameBuffer& out_;
};

/// Reads what WireWriter wrote. After the first read beyond the end all reads give zeros and
/// is_ok() is false. Owner thread only.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes)
      : rest_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}

  template <class T>
    requires std::is_trivially_copyable_v<T>
  T get() {
    T value{};
    take(sizeof value).copy(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  }
  std::string_view get_text() { return take(get<std::uint32_t>()); }
  base::Error get_error();
  /// kDataLoss for bytes that are no value.
  base::Result<core::Value> get_value(BufferExchange& exchange);

  bool is_ok() const { return ok_; }
  std::size_t num_left() const { return rest_.size(); }
  /// Success, or kDataLoss when a read went beyond the end.
  base::Status status() const;

 private:
  std::string_view take(std::size_t size);

  std::string_view rest_;
  bool ok_ = true;
};

/// The slot of a completion that answers kReplayMany, kStartNode or kStopNode.
inline constexpr std::uint32_t kNoSlot = 0xffff'ffff;

/// What a worker needs to run a task besides its inputs.
struct TaskHead {
  std::uint32_t slot = 0;  ///< names the task in the run's table; comes back with the completion
  std::int32_t node = 0;
  std::int64_t epoch = 0;
  std::uint64_t seed = 0;
  std::uint32_t path_length = 0;  ///< int64 sub-epochs that follow
  std::uint32_t num_inputs = 0;   ///< values that follow the path
};

/// Calls of a node without inputs, one per root epoch from `first_epoch`; `count` may be 0.
struct ReplayMany {
  std::int32_t node = 0;
  std::uint64_t seed = 0;
  std::int64_t first_epoch = 0;
  std::int64_t count = 0;
};

/// The fixed part of a completion; an error or `num_outputs` values follow.
struct DoneHead {
  std::uint32_t slot = 0;
  std::uint8_t step = 0;
  bool failed = false;
  bool called = false;  ///< the operator was entered, so its state may have changed
  std::uint32_t num_outputs = 0;
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
};

}  // namespace penstock::exec
