#include "penstock/exec/channel_ring.h"

#include <cstring>

#include "penstock/base/result.h"

namespace penstock::exec {
namespace {

constexpr std::uint64_t padded(std::uint64_t size_bytes) {
  return (sizeof(FrameHeader) + size_bytes + 7) / 8 * 8;
}

}  // namespace

bool RingWriter::has_room(std::uint64_t size_bytes) {
  const std::uint64_t wanted = padded(size_bytes);
  if (written_ + wanted - read_seen_ > capacity_) {
    // Pairs with the store in RingReader::pop(): the reader is done with the bytes before it.
    // seq_cst for the same reason as there.
    read_seen_ = control_->read.load(std::memory_order_seq_cst);
  }
  return written_ + wanted - read_seen_ <= capacity_;
}

bool RingWriter::try_write(std::uint32_t type, std::span<const std::byte> bytes) {
  PENSTOCK_CHECK(bytes.size() <= max_frame());
  if (!has_room(bytes.size())) {
    return false;
  }
  std::byte* const at = data_ + (written_ & (capacity_ - 1));
  const FrameHeader header{static_cast<std::uint32_t>(bytes.size()), type};
  std::memcpy(at, &header, sizeof header);
  if (!bytes.empty()) {
    std::memcpy(at + sizeof header, bytes.data(), bytes.size());
  }
  written_ += padded(bytes.size());
  // seq_cst, not release: a Doorbell reads the other side's sleep flag next, and that load must not
  // move before this store (see Doorbell). Pairs with the load in RingReader::is_empty().
  control_->written.store(written_, std::memory_order_seq_cst);
  return true;
}

bool RingReader::is_empty() {
  if (read_ != written_seen_) {
    return false;
  }
  // seq_cst: pairs with the store in RingWriter::try_write(), both ways of the sleep protocol.
  written_seen_ = control_->written.load(std::memory_order_seq_cst);
  return read_ == written_seen_;
}

std::optional<FrameView> RingReader::peek() {
  if (corrupt_ || is_empty()) {
    return std::nullopt;
  }
  const std::byte* const at = data_ + (read_ & (capacity_ - 1));
  FrameHeader header;
  std::memcpy(&header, at, sizeof header);
  frame_bytes_ = padded(header.size_bytes);
  if (frame_bytes_ > written_seen_ - read_ || written_seen_ - read_ > capacity_) {
    corrupt_ = true;
    return std::nullopt;
  }
  return FrameView{header.type, {at + sizeof header, header.size_bytes}};
}

void RingReader::pop() {
  read_ += frame_bytes_;
  // seq_cst: a writer that waits for room is woken by a Doorbell next (as in try_write()). Pairs
  // with the load in RingWriter::has_room().
  control_->read.store(read_, std::memory_order_seq_cst);
}

}  // namespace penstock::exec
