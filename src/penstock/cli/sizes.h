// Sizes as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::cli {

/// "500000000", "500MB", "1.5 GiB" as bytes: kB, MB, GB, TB count by 1000, KiB to TiB by 1024,
/// upper case or not. Nothing when it is no size, or one beyond 2^62.
std::optional<std::int64_t> parse_size(std::string_view text);

/// "512 B", "1.5 MB": three digits at most, by 1000.
std::string size_text(std::int64_t size_bytes);

}  // namespace penstock::cli
