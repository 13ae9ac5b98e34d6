#include "penstock/exec/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include <fmt/core.h>

#include "penstock/base/out_of_memory.h"

namespace penstock::exec {
namespace {

constexpr std::int64_t kControlBytes = 4096;
static_assert(sizeof(ChannelControl) <= kControlBytes);

// Control page, then each ring twice in a row.
std::size_t mapped_bytes(std::int64_t ring_bytes) {
  return static_cast<std::size_t>(kControlBytes + 4 * ring_bytes);
}

std::unexpected<base::Error> no_channel(std::string_view step) {
  return base::fail(
      base::ErrorCode::kResourceExhausted,
      fmt::format("cannot make a channel to a worker: {}: {}", step, std::strerror(errno)));
}

bool map_part(std::byte* at, int fd, std::int64_t offset, std::int64_t size_bytes) {
  return ::mmap(at, static_cast<std::size_t>(size_bytes), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_FIXED, fd, offset) != MAP_FAILED;
}

}  // namespace

base::Result<std::unique_ptr<Channel>> Channel::create(std::int64_t ring_bytes) {
  UniqueFd memory(::memfd_create("penstock-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.is_valid()) {
    return no_channel("memfd_create");
  }
  if (::ftruncate(memory.get(), kControlBytes + 2 * ring_bytes) != 0) {
    return no_channel("ftruncate");
  }
  // A worker that shrank it would make this process fault.
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return no_channel("seal");
  }
  return map(Side::kRun, std::move(memory), ring_bytes);
}

base::Result<std::unique_ptr<Channel>> Channel::attach(UniqueFd memory, std::int64_t ring_bytes) {
  return map(Side::kWorker, std::move(memory), ring_bytes);
}

base::Result<std::unique_ptr<Channel>> Channel::map(Side side, UniqueFd memory,
                                                    std::int64_t ring_bytes) {
  void* const reserved = ::mmap(nullptr, mapped_bytes(ring_bytes), PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) {
    return no_channel("mmap");
  }
  auto* const start = static_cast<std::byte*>(reserved);
  bool mapped = map_part(start, memory.get(), 0, kControlBytes);
  for (int ring = 0; ring < 2; ++ring) {
    for (int copy = 0; copy < 2; ++copy) {
      mapped = mapped && map_part(start + kControlBytes + (2 * ring + copy) * ring_bytes,
                                  memory.get(), kControlBytes + ring * ring_bytes, ring_bytes);
    }
  }
  if (!mapped) {
    ::munmap(reserved, mapped_bytes(ring_bytes));
    return no_channel("mmap of a ring");
  }
  if (side == Side::kRun) {
    new (start) ChannelControl;
  }
  auto* const channel = new (std::nothrow) Channel(side, std::move(memory), start, ring_bytes);
  if (channel == nullptr) {
    ::munmap(reserved, mapped_bytes(ring_bytes));
    return base::fail_out_of_memory();
  }
  return std::unique_ptr<Channel>(channel);
}

Channel::Channel(Side side, UniqueFd memory, std::byte* base, std::int64_t ring_bytes)
    : side_(side),
      memory_(std::move(memory)),
      base_(base),
      ring_bytes_(ring_bytes),
      control_(std::launder(reinterpret_cast<ChannelControl*>(base))),
      writer_(side == Side::kRun ? &control_->to_worker : &control_->to_run,
              base + kControlBytes + (side == Side::kRun ? 0 : 2 * ring_bytes),
              static_cast<std::uint64_t>(ring_bytes)),
      reader_(side == Side::kRun ? &control_->to_run : &control_->to_worker,
              base + kControlBytes + (side == Side::kRun ? 2 * ring_bytes : 0),
              static_cast<std::uint64_t>(ring_bytes)) {
}

Channel::~Channel() {
  ::munmap(base_, mapped_bytes(ring_bytes_));
}

void Channel::wake_peer(Sleep reason) {
  auto& flag = side_ == Side::kRun ? control_->worker_sleeps : control_->run_sleeps;
  auto expected = static_cast<std::uint32_t>(reason);
  // seq_cst: follows the store of a ring position; pairs with announce_sleep().
  if (flag.load(std::memory_order_seq_cst) == expected &&
      flag.compare_exchange_strong(expected, 0, std::memory_order_seq_cst)) {
    const std::uint64_t one = 1;
    if (::write(peer_bell_, &one, sizeof one) != sizeof one) {
      // The counter is full, and then the other side is awake anyway; or it must be tried again
      // the next time, as if it had not been.
      flag.store(static_cast<std::uint32_t>(reason), std::memory_order_seq_cst);
    }
  }
}

void Channel::announce_sleep(Sleep reason) {
  auto& flag = side_ == Side::kRun ? control_->run_sleeps : control_->worker_sleeps;
  // seq_cst: the caller loads a ring position next; pairs with wake_peer().
  flag.store(static_cast<std::uint32_t>(reason), std::memory_order_seq_cst);
}

void Channel::announce_awake() {
  auto& flag = side_ == Side::kRun ? control_->run_sleeps : control_->worker_sleeps;
  // Relaxed: a wake-up written in between costs one needless look and nothing else.
  flag.store(0, std::memory_order_relaxed);
}

void Channel::clear_bell(int bell) {
  std::uint64_t count = 0;
  // Empty when a wake-up raced with another; the bell is non-blocking.
  (void)!::read(bell, &count, sizeof count);
}

}  // namespace penstock::exec
