// BLAKE3 of many blocks at once. Internal; users call core/identity.h.
#pragma once

#include <cstddef>
#include <span>

#include "penstock/core/identity.h"

namespace penstock::core {

/// digests[i] = BLAKE3 of blocks[i], on the calling thread and up to `num_threads` - 1 helpers.
/// Thread-safe. The helpers are started once and sleep between calls; a process that forked starts
/// its own.
void hash_blocks(std::span<const std::span<const std::byte>> blocks, std::span<Digest> digests,
                 int num_threads);

}  // namespace penstock::core
