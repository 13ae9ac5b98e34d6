// Channel: the shared memory between a run and one worker: a ring each way, and how to sleep.
//
// Who waits sets its flag, looks again, and sleeps on its eventfd; who has news looks at the flag
// after publishing and writes to that eventfd only if it is set. Both sides do store-then-load on
// two variables (Dekker), so all four accesses are seq_cst and no wake-up is ever lost.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "penstock/base/result.h"
#include "penstock/core/operator.h"
#include "penstock/exec/channel_ring.h"
#include "penstock/exec/process_fd.h"

namespace penstock::exec {

/// What a side sleeps for.
enum class Sleep : std::uint32_t { kAwake = 0, kForFrames = 1, kForRoom = 2 };

/// First page of the channel's memory.
struct ChannelControl {
  core::CancelToken cancel;  ///< set by the run, read by the worker's operators
  alignas(64) std::atomic<std::uint32_t> run_sleeps{0};
  alignas(64) std::atomic<std::uint32_t> worker_sleeps{0};
  RingControl to_worker, to_run;
};

/// One side of a channel. Owner thread only, cancel() excepted (thread-safe).
class Channel {
 public:
  enum class Side { kRun, kWorker };

  /// The run's side, with fresh memory; `ring_bytes` is a power of two of at least a page.
  static base::Result<std::unique_ptr<Channel>> create(std::int64_t ring_bytes);
  /// The worker's side of a channel whose memory is `memory`.
  static base::Result<std::unique_ptr<Channel>> attach(UniqueFd memory, std::int64_t ring_bytes);

  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  /// The descriptors this side sleeps on and wakes the other side by. Not owned.
  void set_bells(int own, int peer) {
    own_bell_ = own;
    peer_bell_ = peer;
  }
  int memory_fd() const { return memory_.get(); }

  RingWriter& writer() { return writer_; }
  RingReader& reader() { return reader_; }
  core::CancelToken& cancel() { return control_->cancel; }

  /// Wakes the other side if it sleeps for `reason`: after writes (kForFrames) or pops (kForRoom).
  void wake_peer(Sleep reason);
  /// Announces that this side is about to sleep; then look once more, then wait on the bell.
  void announce_sleep(Sleep reason);
  void announce_awake();
  /// Takes back what was written to this side's bell.
  static void clear_bell(int bell);

 private:
  Channel(Side side, UniqueFd memory, std::byte* base, std::int64_t ring_bytes);
  static base::Result<std::unique_ptr<Channel>> map(Side side, UniqueFd memory,
                                                    std::int64_t ring_bytes);

  const Side side_;
  const UniqueFd memory_;
  std::byte* const base_;
  const std::int64_t ring_bytes_;
  ChannelControl* const control_;
  RingWriter writer_;
  RingReader reader_;
  int own_bell_ = -1, peer_bell_ = -1;
};

}  // namespace penstock::exec
