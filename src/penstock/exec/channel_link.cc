#include "penstock/exec/channel_link.h"

#include <cstring>

#include <fmt/core.h>

#include "penstock/exec/shm_arena.h"

namespace penstock::exec {
namespace {

struct Indirect {
  FrameType type;
  BufferRef buffer;
};

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <class T>
std::string_view as_text(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

Link::Link(std::unique_ptr<Channel> channel, ChannelSocket socket)
    : channel_(std::move(channel)), socket_(std::move(socket)), exchange_(&socket_) {
}

base::Status Link::send(FrameType type, std::string_view bytes) {
  Indirect indirect{};
  if (bytes.size() > channel_->writer().max_frame()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::shared_ptr<const core::Buffer> copy,
                              SharedArena::instance().copy(as_bytes(bytes)));
    PENSTOCK_ASSIGN_OR_RETURN(
        indirect.buffer,
        exchange_.lend(copy, {copy->data(), static_cast<std::size_t>(copy->size_bytes())}));
    indirect.type = type;
    type = FrameType::kIndirect;
    bytes = as_text(indirect);
  }
  if (!flush() ||
      !channel_->writer().try_write(static_cast<std::uint32_t>(type), as_bytes(bytes))) {
    outbox_.emplace_back(type, std::string(bytes));
  }
  return {};
}

bool Link::flush() {
  while (!outbox_.empty()) {
    const auto& [type, bytes] = outbox_.front();
    if (!channel_->writer().try_write(static_cast<std::uint32_t>(type), as_bytes(bytes))) {
      return false;
    }
    outbox_.pop_front();
  }
  return true;
}

base::Status Link::send_returned() {
  if (!exchange_.take_returned(loans_)) {
    return {};
  }
  return send(FrameType::kReturned,
              {reinterpret_cast<const char*>(loans_.data()), loans_.size() * sizeof loans_[0]});
}

base::Result<std::optional<Frame>> Link::next() {
  for (;;) {
    const std::optional<FrameView> view = channel_->reader().peek();
    if (!view) {
      if (channel_->reader().is_corrupt()) {
        return base::fail(base::ErrorCode::kDataLoss, "the channel to another process is corrupt");
      }
      return std::nullopt;
    }
    PENSTOCK_ASSIGN_OR_RETURN(const std::optional<Frame> frame, take(*view));
    if (frame) {
      return frame;
    }
  }
}

void Link::done() {
  indirect_.reset();
  if (std::exchange(in_ring_, false)) {
    channel_->reader().pop();
  }
}

base::Result<std::optional<Frame>> Link::take(const FrameView& view) {
  Frame frame{static_cast<FrameType>(view.type), view.bytes};
  in_ring_ = true;
  if (frame.type == FrameType::kIndirect) {
    if (frame.bytes.size() != sizeof(Indirect)) {
      return base::fail(base::ErrorCode::kDataLoss, "an indirect frame has the wrong size");
    }
    Indirect indirect;
    std::memcpy(&indirect, frame.bytes.data(), sizeof indirect);
    done();
    PENSTOCK_ASSIGN_OR_RETURN(indirect_, exchange_.borrow(indirect.buffer));
    frame = {indirect.type, {indirect_->data(), static_cast<std::size_t>(indirect_->size_bytes())}};
  }
  if (frame.type == FrameType::kReturned) {
    PENSTOCK_RETURN_IF_ERROR(handle_returned(frame.bytes));
  } else if (frame.type == FrameType::kForget && frame.bytes.size() == sizeof(SegmentId)) {
    SegmentId id = 0;
    std::memcpy(&id, frame.bytes.data(), sizeof id);
    exchange_.forget(id);
  } else {
    return frame;
  }
  done();
  return std::nullopt;
}

base::Status Link::handle_returned(std::span<const std::byte> bytes) {
  loans_.resize(bytes.size() / sizeof loans_[0]);
  if (!loans_.empty()) {
    std::memcpy(loans_.data(), bytes.data(), loans_.size() * sizeof loans_[0]);
  }
  return exchange_.give_back(loans_);
}

}  // namespace penstock::exec
