// Ring: a byte queue in shared memory for one writer and one reader, in two processes.
//
// Frames are contiguous: the ring's memory is mapped twice in a row, so none of them wraps. A frame
// becomes visible as a whole, also when the writer dies in the middle of writing it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace penstock::exec {

/// The shared part. Positions count bytes since the start and never wrap in practice.
struct RingControl {
  alignas(64) std::atomic<std::uint64_t> written{0};  ///< stored by the writer
  alignas(64) std::atomic<std::uint64_t> read{0};     ///< stored by the reader
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// What precedes the bytes of a frame. Frames start at multiples of 8.
struct FrameHeader {
  std::uint32_t size_bytes;
  std::uint32_t type;
};

/// A frame in place; valid until RingReader::pop().
struct FrameView {
  std::uint32_t type = 0;
  std::span<const std::byte> bytes;
};

/// Owner thread only.
class RingWriter {
 public:
  /// `data`: `capacity` bytes, a power of two, mapped twice.
  RingWriter(RingControl* control, std::byte* data, std::uint64_t capacity)
      : control_(control), data_(data), capacity_(capacity) {}

  /// False when there is no room now. The frame must fit max_frame().
  bool try_write(std::uint32_t type, std::span<const std::byte> bytes);
  /// Longer frames never go in: two of them must fit, so that writer and reader can overlap.
  std::uint64_t max_frame() const { return capacity_ / 2 - sizeof(FrameHeader); }
  bool has_room(std::uint64_t size_bytes);

 private:
  RingControl* control_;
  std::byte* data_;
  std::uint64_t capacity_;
  std::uint64_t written_ = 0;    ///< our own position
  std::uint64_t read_seen_ = 0;  ///< the reader's, as last looked at
};

/// Owner thread only.
class RingReader {
 public:
  RingReader(RingControl* control, const std::byte* data, std::uint64_t capacity)
      : control_(control), data_(data), capacity_(capacity) {}

  bool is_empty();
  /// The oldest frame, or none. A header that cannot be true sets is_corrupt().
  std::optional<FrameView> peek();
  /// Gives the room of the peeked frame back.
  void pop();
  bool is_corrupt() const { return corrupt_; }

 private:
  RingControl* control_;
  const std::byte* data_;
  std::uint64_t capacity_;
  std::uint64_t read_ = 0;          ///< our own position
  std::uint64_t written_seen_ = 0;  ///< the writer's, as last looked at
  std::uint64_t frame_bytes_ = 0;   ///< of the peeked frame
  bool corrupt_ = false;
};

}  // namespace penstock::exec
