// Writes to memory that nobody reads soon: past the caches, so that what is overwritten is not
// read first. Half the traffic of ordinary stores where columns are larger than the caches.
//
// Each function gives what its loop of plain assignments would. fence() before others may look.
#pragma once

#include <cstddef>
#include <cstdint>

#include "penstock/core/value.h"

namespace penstock::events {

void stream_copy(std::int64_t* out, const std::int64_t* in, std::size_t count);
void stream_copy(std::uint32_t* out, const std::uint32_t* in, std::size_t count);
void stream_fill(std::int64_t* out, std::int64_t value, std::size_t count);
void stream_fill(std::uint32_t* out, std::uint32_t value, std::size_t count);
/// Values of kind float and int, into raw memory.
void stream_values(core::Value* out, const double* in, std::size_t count);
void stream_values(core::Value* out, const std::int64_t* in, std::size_t count);
void stream_fence();

}  // namespace penstock::events
