// BufferExchange: buffers as references, for one channel.
//
// Who sends a buffer keeps it (lends it) until the receiver has let go of its view; the receiver
// says so in batches. A buffer that lies in shared memory known to this process goes as it is, also
// when it came from a third process; any other is copied once into the arena.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/core/tensor.h"
#include "penstock/exec/channel_socket.h"
#include "penstock/exec/shm_copies.h"
#include "penstock/exec/shm_segment.h"

namespace penstock::exec {

/// A buffer on the wire.
struct BufferRef {
  SegmentId segment = 0;
  std::int64_t offset = 0;
  std::int64_t size_bytes = 0;
  std::uint64_t loan = 0;  ///< number to give back
};

/// Loans this side has finished with, to be told to the other side. Thread-safe; outlives the
/// exchange as long as a borrowed buffer does.
class ReturnedLoans {
 public:
  void add(std::uint64_t loan);
  /// Moves all of them into `out`; false when there are none.
  bool take(std::vector<std::uint64_t>& out);
  /// From now on nobody listens.
  void close();

 private:
  std::mutex mutex_;
  std::vector<std::uint64_t> loans_;  ///< guarded by mutex_
  bool closed_ = false;               ///< guarded by mutex_
};

/// Owner thread only; the buffers it hands out may go anywhere.
class BufferExchange {
 public:
  /// `socket` outlives this.
  explicit BufferExchange(ChannelSocket* socket);
  /// Copies into the arena are looked up here first; outlives this.
  void set_copies(CopyCache* copies) { copies_ = copies; }
  ~BufferExchange();
  BufferExchange(const BufferExchange&) = delete;
  BufferExchange& operator=(const BufferExchange&) = delete;

  /// Lends `bytes`, which `owner` keeps alive. kResourceExhausted, kUnavailable.
  base::Result<BufferRef> lend(const std::shared_ptr<const core::Buffer>& owner,
                               std::span<const std::byte> bytes);
  /// A view of the other side's buffer. kDataLoss when `ref` cannot be true.
  base::Result<std::shared_ptr<const core::Buffer>> borrow(const BufferRef& ref);
  /// Takes back the loans made since `mark` = loan_mark(): their frame was never sent.
  std::uint64_t loan_mark() const { return next_loan_; }
  void cancel_loans(std::uint64_t mark);
  /// The other side has let go.
  base::Status give_back(std::span<const std::uint64_t> loans);

  /// What this side has let go, to be sent; false when there is nothing.
  bool take_returned(std::vector<std::uint64_t>& out) { return returned_->take(out); }

  /// The segments received from the other side: when it is gone, third processes must forget them.
  std::vector<SegmentId> received_segments() const;
  /// Forgets that `segment` was sent; true if it was, and the other side must be told.
  bool unsend(SegmentId segment) { return sent_.erase(segment) != 0; }
  /// The other side was told to forget `segment`: its views stay until they go.
  void forget(SegmentId segment) { received_.erase(segment); }

  std::size_t num_lent() const { return lent_.size(); }
  /// Bytes lent since the start.
  std::int64_t lent_bytes() const { return lent_bytes_; }

 private:
  base::Result<std::shared_ptr<const Segment>> find_received(SegmentId id);

  ChannelSocket* const socket_;
  CopyCache* copies_ = nullptr;  ///< null: every foreign buffer is copied anew
  const std::shared_ptr<ReturnedLoans> returned_;
  std::unordered_set<SegmentId> sent_;
  std::unordered_map<SegmentId, std::shared_ptr<const Segment>> received_;
  std::unordered_map<std::uint64_t, std::shared_ptr<const core::Buffer>> lent_;
  std::uint64_t next_loan_ = 1;
  std::int64_t lent_bytes_ = 0;
};

}  // namespace penstock::exec
