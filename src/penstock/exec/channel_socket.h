// ChannelSocket: the socket between a run and one worker. It carries descriptors, and its end tells
// each side that the other one is gone.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/identity.h"
#include "penstock/exec/process_fd.h"
#include "penstock/exec/shm_segment.h"

namespace penstock::exec {

/// Both sides must be built from the same sources; checked before anything else is believed.
inline constexpr std::uint32_t kWireVersion = 1;

/// The first message, run to worker; its descriptors are channel memory, worker's bell, run's bell,
/// life line, plan.
struct Hello {
  static constexpr std::size_t kNumFds = 5;
  std::uint32_t wire_version = kWireVersion;
  std::int32_t worker = 0;  ///< index, from 1, as in Completion::worker
  std::int64_t ring_bytes = 0;
  std::int64_t plan_bytes = 0;
  core::Digest plan_digest;
};

/// A segment the receiver has not seen yet; its one descriptor is the memfd.
struct SegmentNotice {
  SegmentId id = 0;
  std::int64_t size_bytes = 0;
};

/// Thread-compatible.
class ChannelSocket {
 public:
  explicit ChannelSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  /// Two connected ends.
  static base::Result<std::pair<UniqueFd, UniqueFd>> make_pair();

  int fd() const { return fd_.get(); }

  base::Status send_hello(const Hello& hello, std::span<const int> fds);
  base::Result<std::pair<Hello, std::vector<UniqueFd>>> receive_hello();

  /// Never waits: kResourceExhausted when too many notices are under way.
  base::Status send_segment(const SegmentNotice& notice, int fd);
  /// Never waits: the sender has sent it before the frame that names the segment.
  base::Result<std::pair<SegmentNotice, UniqueFd>> receive_segment();

 private:
  base::Status send(std::span<const std::byte> bytes, std::span<const int> fds);
  base::Result<std::vector<UniqueFd>> receive(std::span<std::byte> bytes, int flags);

  UniqueFd fd_;
};

}  // namespace penstock::exec
