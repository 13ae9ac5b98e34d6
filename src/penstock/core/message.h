// A value with long buffers as one piece of memory: a head, the root, the buffers.
//
// Byte by byte: docs/formats/message.md. The root is the transport form whose ["buffer", index,
// length] refer to the buffers behind it. A value without long buffers needs no such frame: its
// message is its canonical encoding, whose first byte is never that of a frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::core {

/// Buffers start at multiples of it.
inline constexpr std::size_t kMessageAlignment = 64;

/// True when `message` begins as a frame does.
bool is_framed(std::string_view message);

/// Bytes that the frame of these parts takes.
std::size_t framed_bytes(std::size_t root_bytes,
                         std::span<const std::span<const std::byte>> buffers);

/// Writes the frame to `out`, which has framed_bytes() of room at a multiple of kMessageAlignment.
/// Long buffers pass the cache by. Needs no lock of the host language.
void write_frame(std::byte* out, std::string_view root,
                 std::span<const std::span<const std::byte>> buffers);

/// The parts of a frame, in its memory.
struct FrameParts {
  std::string_view root;
  std::vector<std::span<const std::byte>> buffers;
};

/// Takes a frame apart. kDataLoss unless the lengths add up to the message and padding is zero.
base::Result<FrameParts> open_frame(std::string_view message);

}  // namespace penstock::core
