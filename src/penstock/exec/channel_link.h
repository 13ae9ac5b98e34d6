// Link: frames of any length over one channel, and the buffers they refer to.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/exec/channel.h"
#include "penstock/exec/channel_socket.h"
#include "penstock/exec/process_wire.h"
#include "penstock/exec/shm_exchange.h"

namespace penstock::exec {

/// A received frame; valid until Link::done().
struct Frame {
  FrameType type = FrameType::kStop;
  std::span<const std::byte> bytes;
};

/// One side of the conversation. Owner thread only. Never waits: what the ring has no room for
/// stays in an outbox until flush(). The outbox is bounded by the tasks a run keeps out.
class Link {
 public:
  Link(std::unique_ptr<Channel> channel, ChannelSocket socket);

  Channel& channel() { return *channel_; }
  ChannelSocket& socket() { return socket_; }
  BufferExchange& exchange() { return exchange_; }

  /// Frames longer than half the ring go through the arena. kResourceExhausted, kUnavailable.
  base::Status send(FrameType type, std::string_view bytes);
  /// Moves the outbox into the ring; true when it is empty.
  bool flush();
  bool has_backlog() const { return !outbox_.empty(); }
  /// Tells the other side which buffers this side has let go.
  base::Status send_returned();

  /// The oldest frame that is not the link's own business, or none. kDataLoss: the other side is
  /// not to be believed any more.
  base::Result<std::optional<Frame>> next();
  /// Done with the frame of next().
  void done();

 private:
  base::Result<std::optional<Frame>> take(const FrameView& view);
  base::Status handle_returned(std::span<const std::byte> bytes);

  const std::unique_ptr<Channel> channel_;
  ChannelSocket socket_;
  BufferExchange exchange_;
  std::deque<std::pair<FrameType, std::string>> outbox_;
  std::shared_ptr<const core::Buffer> indirect_;  ///< holds the bytes of the present frame
  bool in_ring_ = false;                          ///< the present frame lies in the ring
  std::vector<std::uint64_t> loans_;              ///< scratch
};

}  // namespace penstock::exec
