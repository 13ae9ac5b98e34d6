#include "penstock/exec/shm_exchange.h"

#include <utility>

#include <fmt/core.h>

#include "penstock/exec/shm_arena.h"

namespace penstock::exec {
namespace {

using base::ErrorCode;

/// A read-only view of another process's buffer; tells the lender when it goes.
class BorrowedBuffer final : public core::Buffer {
 public:
  BorrowedBuffer(std::shared_ptr<const Segment> segment, const BufferRef& ref,
                 std::shared_ptr<ReturnedLoans> returned)
      : Buffer(segment->base() + ref.offset, ref.size_bytes),
        segment_(std::move(segment)),
        returned_(std::move(returned)),
        loan_(ref.loan) {}
  ~BorrowedBuffer() override { returned_->add(loan_); }

 private:
  const std::shared_ptr<const Segment> segment_;
  const std::shared_ptr<ReturnedLoans> returned_;
  const std::uint64_t loan_;
};

}  // namespace

void ReturnedLoans::add(std::uint64_t loan) {
  const std::lock_guard lock(mutex_);
  if (!closed_) {
    loans_.push_back(loan);
  }
}

bool ReturnedLoans::take(std::vector<std::uint64_t>& out) {
  const std::lock_guard lock(mutex_);
  if (loans_.empty()) {
    return false;
  }
  out.clear();
  out.swap(loans_);
  return true;
}

void ReturnedLoans::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  loans_.clear();
}

BufferExchange::BufferExchange(ChannelSocket* socket)
    : socket_(socket), returned_(std::make_shared<ReturnedLoans>()) {
}

BufferExchange::~BufferExchange() {
  returned_->close();
}

base::Result<BufferRef> BufferExchange::lend(const std::shared_ptr<const core::Buffer>& owner,
                                             std::span<const std::byte> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  std::shared_ptr<const core::Buffer> kept = owner;
  const std::byte* data = bytes.data();
  std::shared_ptr<const Segment> segment = SegmentTable::instance().find(data, size);
  if (segment == nullptr) {
    kept = copies_ == nullptr ? nullptr : copies_->find(bytes);
    if (kept == nullptr) {
      PENSTOCK_ASSIGN_OR_RETURN(kept, SharedArena::instance().copy(bytes));
      if (copies_ != nullptr) {
        copies_->add(owner, bytes, kept);
      }
    }
    data = kept->data();
    segment = SegmentTable::instance().find(data, size);
  }
  if (!sent_.contains(segment->id())) {
    PENSTOCK_RETURN_IF_ERROR(
        socket_->send_segment({segment->id(), segment->size_bytes()}, segment->fd()));
    sent_.insert(segment->id());
  }
  const std::uint64_t loan = next_loan_++;
  lent_.emplace(loan, std::move(kept));
  lent_bytes_ += size;
  return BufferRef{segment->id(), data - segment->base(), size, loan};
}

base::Result<std::shared_ptr<const core::Buffer>> BufferExchange::borrow(const BufferRef& ref) {
  // Our own memory came back: the same address, and the loans may end at once.
  if (auto own = SharedArena::instance().adopt(ref.segment, ref.offset, ref.size_bytes)) {
    returned_->add(ref.loan);
    return own;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::shared_ptr<const Segment> segment,
                            find_received(ref.segment));
  if (ref.offset < 0 || ref.size_bytes < 0 || ref.offset > segment->size_bytes() - ref.size_bytes) {
    return base::fail(ErrorCode::kDataLoss,
                      fmt::format("a shared buffer lies outside its segment: offset={} size={} "
                                  "segment={}",
                                  ref.offset, ref.size_bytes, segment->size_bytes()));
  }
  return std::make_shared<BorrowedBuffer>(segment, ref, returned_);
}

void BufferExchange::cancel_loans(std::uint64_t mark) {
  while (next_loan_ > mark) {
    lent_.erase(--next_loan_);
  }
}

base::Status BufferExchange::give_back(std::span<const std::uint64_t> loans) {
  for (const std::uint64_t loan : loans) {
    if (lent_.erase(loan) == 0) {
      return base::fail(ErrorCode::kDataLoss,
                        fmt::format("a buffer was given back that was not lent: loan={}", loan));
    }
  }
  return {};
}

std::vector<SegmentId> BufferExchange::received_segments() const {
  std::vector<SegmentId> ids;
  ids.reserve(received_.size());
  for (const auto& [id, segment] : received_) {
    ids.push_back(id);
  }
  return ids;
}

base::Result<std::shared_ptr<const Segment>> BufferExchange::find_received(SegmentId id) {
  for (;;) {
    const auto found = received_.find(id);
    if (found != received_.end()) {
      return found->second;
    }
    PENSTOCK_ASSIGN_OR_RETURN(auto received, socket_->receive_segment());
    auto& [notice, fd] = received;
    PENSTOCK_ASSIGN_OR_RETURN(auto segment,
                              Segment::import(notice.id, std::move(fd), notice.size_bytes));
    received_[notice.id] = std::move(segment);
  }
}

}  // namespace penstock::exec
