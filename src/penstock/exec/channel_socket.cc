#include "penstock/exec/channel_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <type_traits>

#include <fmt/core.h>

namespace penstock::exec {

using base::ErrorCode;

static_assert(std::is_trivially_copyable_v<Hello> && std::is_trivially_copyable_v<SegmentNotice>);

base::Result<std::pair<UniqueFd, UniqueFd>> ChannelSocket::make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return base::fail(ErrorCode::kResourceExhausted,
                      fmt::format("cannot make a socket pair: {}", std::strerror(errno)));
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

base::Status ChannelSocket::send_hello(const Hello& hello, std::span<const int> fds) {
  return send(std::as_bytes(std::span(&hello, 1)), fds);
}

base::Result<std::pair<Hello, std::vector<UniqueFd>>> ChannelSocket::receive_hello() {
  Hello hello;
  PENSTOCK_ASSIGN_OR_RETURN(std::vector<UniqueFd> fds,
                            receive(std::as_writable_bytes(std::span(&hello, 1)), 0));
  if (hello.wire_version != kWireVersion || fds.size() != Hello::kNumFds) {
    return base::fail(ErrorCode::kFailedPrecondition,
                      fmt::format("the worker was built from other sources than the run: wire "
                                  "version={} wanted={}",
                                  hello.wire_version, kWireVersion));
  }
  return std::pair(hello, std::move(fds));
}

base::Status ChannelSocket::send_segment(const SegmentNotice& notice, int fd) {
  return send(std::as_bytes(std::span(&notice, 1)), std::span(&fd, 1));
}

base::Result<std::pair<SegmentNotice, UniqueFd>> ChannelSocket::receive_segment() {
  SegmentNotice notice;
  PENSTOCK_ASSIGN_OR_RETURN(std::vector<UniqueFd> fds,
                            receive(std::as_writable_bytes(std::span(&notice, 1)), MSG_DONTWAIT));
  if (fds.size() != 1) {
    return base::fail(ErrorCode::kDataLoss, "a shared segment came without its descriptor");
  }
  return std::pair(notice, std::move(fds[0]));
}

base::Status ChannelSocket::send(std::span<const std::byte> bytes, std::span<const int> fds) {
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * Hello::kNumFds)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  while (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) {
      continue;
    }
    const bool full =
        errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM;
    return base::fail(
        full ? ErrorCode::kResourceExhausted : ErrorCode::kUnavailable,
        fmt::format("cannot send a descriptor to the other process: {}", std::strerror(errno)));
  }
  return {};
}

base::Result<std::vector<UniqueFd>> ChannelSocket::receive(std::span<std::byte> bytes, int flags) {
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * Hello::kNumFds)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC | flags);
  } while (got < 0 && errno == EINTR);
  std::vector<UniqueFd> fds;
  if (got >= 0) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
          int fd = -1;
          std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
          fds.emplace_back(fd);
        }
      }
    }
  }
  if (got != static_cast<ssize_t>(bytes.size())) {
    return base::fail(
        got <= 0 ? ErrorCode::kUnavailable : ErrorCode::kDataLoss,
        fmt::format("the other process is gone: received={} wanted={} bytes", got, bytes.size()));
  }
  return fds;
}

}  // namespace penstock::exec
