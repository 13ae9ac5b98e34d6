// See sizes.h.
#include "penstock/cli/sizes.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace penstock::cli {
namespace {

struct Unit {
  std::string_view name;  ///< lower case
  double size_bytes;
};

constexpr std::array<Unit, 10> kUnits{{{"", 1},
                                       {"b", 1},
                                       {"kb", 1e3},
                                       {"mb", 1e6},
                                       {"gb", 1e9},
                                       {"tb", 1e12},
                                       {"kib", 1024.0},
                                       {"mib", 1024.0 * 1024},
                                       {"gib", 1024.0 * 1024 * 1024},
                                       {"tib", 1024.0 * 1024 * 1024 * 1024}}};
constexpr double kMaxBytes = 4611686018427387904.0;  // 2^62

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) {
  double number = 0;
  const auto [end, failed] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (failed != std::errc()) {
    return std::nullopt;
  }
  std::string name(end, text.data() + text.size());
  name.erase(0, name.find_first_not_of(' '));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto unit = std::ranges::find(kUnits, name, &Unit::name);
  if (unit == kUnits.end()) {
    return std::nullopt;
  }
  const double bytes = std::floor(number * unit->size_bytes);
  if (!(bytes >= 0 && bytes <= kMaxBytes)) {  // "inf" and "nan" are numbers here
    return std::nullopt;
  }
  return static_cast<std::int64_t>(bytes);
}

std::string size_text(std::int64_t size_bytes) {
  constexpr std::array<const char*, 5> kNames{"B", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(size_bytes);
  std::size_t unit = 0;
  for (; size >= 999.5 && unit + 1 < kNames.size(); ++unit) {
    size /= 1000;
  }
  const int decimals = unit == 0 || size >= 9.95 ? 0 : 1;
  return fmt::format("{:.{}f} {}", size, decimals, kNames[unit]);
}

}  // namespace penstock::cli
