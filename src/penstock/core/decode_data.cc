// Data of byte strings, tensors and table columns: inside the encoding, linked, or out of band.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "penstock/core/decode.h"
#include "penstock/core/memory_size.h"

namespace penstock::core {
namespace {

// CIDv1, raw, blake3, 32 bytes, behind the zero byte that DAG-CBOR puts before a CID.
constexpr std::string_view kLinkPrefix("\x00\x01\x55\x1E\x20", 5);
constexpr std::uint64_t kLinkTag = 42;
constexpr std::size_t kDigestBytes = 32;

}  // namespace

std::int64_t machine_memory_bytes() {
  static const auto bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) *
                            static_cast<std::int64_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

bool Decoder::read_data(Data& out) {
  CborHead head;
  if (!in_.head(head)) {
    return false;
  }
  if (head.major == CborMajor::kBytes) {
    if (!transport_ && head.argument > kInlineBufferBytes) {
      return in_.fail("byte string longer than 65536 bytes, wanted links");
    }
    out.inside = in_.take(head.argument);
    return true;
  }
  std::string_view key;
  std::string_view name;
  std::uint64_t num_items = 0;
  if (head.major != CborMajor::kMap || head.argument != 1 || !in_.text(key) ||
      key != kReservedKey || !in_.array(num_items) || num_items == 0 || !in_.text(name)) {
    return in_.fail("wanted a byte string or what stands for a long one");
  }
  return read_data_form(name, num_items, out);
}

bool Decoder::read_data_form(std::string_view name, std::uint64_t num_items, Data& out) {
  if (!transport_ && name == "bytes" && num_items == 3) {
    return read_linked(out);
  }
  if (transport_ && name == "buffer" && num_items == 3) {
    return read_buffer_reference(out);
  }
  // At most 40 bytes of the name, and whole characters of it.
  std::size_t shown = std::min<std::size_t>(name.size(), 40);
  while (shown < name.size() && (static_cast<unsigned char>(name[shown]) & 0xC0) == 0x80) {
    --shown;
  }
  return in_.fail("unknown reserved form: form=" + std::string(name.substr(0, shown)) +
                  " num_items=" + std::to_string(num_items));
}

bool Decoder::read_buffer_reference(Data& out) {
  std::uint64_t index = 0;
  std::uint64_t length = 0;
  if (!in_.unsigned_integer(index) || !in_.unsigned_integer(length)) {
    return false;
  }
  if (index >= buffers_.size() || buffers_[index] == nullptr ||
      static_cast<std::uint64_t>(buffers_[index]->size_bytes()) != length) {
    return in_.fail(
        "buffer form refers to a buffer that is not there: index=" + std::to_string(index) +
        " length=" + std::to_string(length) + " num_buffers=" + std::to_string(buffers_.size()));
  }
  out.buffer = buffers_[index];
  return true;
}

bool Decoder::read_link(Digest& digest) {
  CborHead tag;
  std::string_view cid;
  if (!in_.head_of(CborMajor::kTag, tag, "wanted a link")) {
    return false;
  }
  if (tag.argument != kLinkTag) {
    return in_.fail("tag other than 42");
  }
  if (!in_.bytes(cid)) {
    return false;
  }
  if (cid.size() != kLinkPrefix.size() + kDigestBytes || !cid.starts_with(kLinkPrefix)) {
    return in_.fail("link is not a CIDv1 of a raw block with blake3-256");
  }
  std::memcpy(digest.bytes.data(), cid.data() + kLinkPrefix.size(), kDigestBytes);
  return true;
}

bool Decoder::read_linked(Data& out) {
  std::uint64_t length = 0;
  std::uint64_t num_links = 0;
  if (!in_.unsigned_integer(length) || !in_.array(num_links)) {
    return false;
  }
  constexpr std::uint64_t kBlock = kBlockBytes;
  if (length <= static_cast<std::uint64_t>(kInlineBufferBytes) ||
      num_links != length / kBlock + (length % kBlock != 0 ? 1 : 0)) {
    return in_.fail("bytes form: the number of links does not fit the length: length=" +
                    std::to_string(length) + " num_links=" + std::to_string(num_links));
  }
  // Links are short and buffers long: a small hostile input may claim more than the machine has.
  if (length > static_cast<std::uint64_t>(machine_memory_bytes())) {
    return in_.fail(
        "bytes form longer than this machine's memory: length=" + std::to_string(length),
        base::ErrorCode::kResourceExhausted);
  }
  if (source_ == nullptr || !*source_) {
    return in_.fail("encoding links to raw blocks, but there is no block store to read them from",
                    base::ErrorCode::kFailedPrecondition);
  }
  std::shared_ptr<Buffer> whole;
  for (std::uint64_t i = 0; i < num_links; ++i) {
    Digest digest;
    if (!read_link(digest)) {
      return false;
    }
    base::Result<std::shared_ptr<const Buffer>> block = (*source_)(digest);
    if (!block.has_value()) {
      return in_.fail(block.error());
    }
    const std::uint64_t size = std::min(kBlock, length - i * kBlock);
    if (static_cast<std::uint64_t>((*block)->size_bytes()) != size) {
      return in_.fail("linked block of the wrong size: size=" +
                      std::to_string((*block)->size_bytes()) + " wanted=" + std::to_string(size));
    }
    if (num_links == 1) {
      out.buffer = std::move(*block);
      return true;
    }
    if (whole == nullptr) {
      whole = Buffer::allocate(static_cast<std::int64_t>(length));
    }
    std::memcpy(whole->mutable_data() + i * kBlock, (*block)->data(), size);
  }
  out.buffer = std::move(whole);
  return true;
}

bool Decoder::read_buffer(std::shared_ptr<const Buffer>& out) {
  Data data;
  if (!read_data(data)) {
    return false;
  }
  if (data.buffer == nullptr) {
    const std::shared_ptr<Buffer> copy =
        Buffer::allocate(static_cast<std::int64_t>(data.inside.size()));
    if (!data.inside.empty()) {
      std::memcpy(copy->mutable_data(), data.inside.data(), data.inside.size());
    }
    data.buffer = copy;
  }
  out = std::move(data.buffer);
  return true;
}

}  // namespace penstock::core
