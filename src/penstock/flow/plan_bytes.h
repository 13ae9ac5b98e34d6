// Bytes that digests of plans are made of. Internal to flow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/core/identity.h"

namespace penstock::flow {

inline void append_int(std::string& out, std::int64_t value) {
  for (int shift = 0; shift < 64; shift += 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

inline void append_text(std::string& out, std::string_view text) {
  append_int(out, static_cast<std::int64_t>(text.size()));
  out.append(text);
}

inline void append_digest(std::string& out, const core::Digest& digest) {
  out.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
}

}  // namespace penstock::flow
