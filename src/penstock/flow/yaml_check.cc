// See yaml_check.h.
#include "penstock/flow/yaml_check.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include "penstock/core/value.h"

namespace penstock::flow {
namespace {

struct Magic {
  std::string_view bytes;
  std::string_view name;
};

constexpr auto kMagics = std::to_array<Magic>({
    {"PAR1", "a Parquet file"},
    {"ARROW1", "an Arrow file"},
    {"SQLite format 3", "an SQLite database"},
    {"PK\x03\x04", "a zip archive"},
    {"\x1F\x8B", "a gzip file"},
    {"\x89PNG", "a PNG image"},
    {"%PDF-", "a PDF file"},
    {"\x7F"
     "ELF",
     "an executable"},
});

/// Offset of the first byte that is not part of valid UTF-8. `text` is known to be invalid.
std::size_t first_invalid(std::string_view text) {
  std::size_t low = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (!core::is_valid_utf8(text.substr(begin, end - begin))) {
      low = begin;
      break;
    }
    begin = end + 1;
  }
  std::size_t good = low;  // text[low, good) is valid
  while (good < text.size()) {
    std::size_t step = 1;
    while (step <= 4 && good + step <= text.size() &&
           !core::is_valid_utf8(text.substr(good, step))) {
      ++step;
    }
    if (step > 4 || good + step > text.size()) {
      break;
    }
    good += step;
  }
  return good;
}

Mark place_of(std::string_view text, std::size_t offset) {
  Mark mark{.line = 1, .column = 1};
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++mark.line;
      mark.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++mark.column;
    }
  }
  return mark;
}

}  // namespace

bool check_text(std::string_view text, Problems& problems) {
  if (text.size() > kMaxTextBytes) {
    problems.add({}, "PS0019",
                 fmt::format("text is too large: {} bytes, limit {}", text.size(), kMaxTextBytes));
    return false;
  }
  for (const Magic& magic : kMagics) {
    if (text.starts_with(magic.bytes)) {
      problems.add({}, "PS0003", fmt::format("this is {}, wanted a YAML text", magic.name));
      return false;
    }
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    problems.add({}, "PS0002", "text is UTF-16, wanted UTF-8", "save the file as UTF-8");
    return false;
  }
  if (text.contains('\0')) {
    problems.add({}, "PS0003", "this is a binary file (it has NUL bytes), wanted a YAML text");
    return false;
  }
  if (!core::is_valid_utf8(text)) {
    const std::size_t at = first_invalid(text);
    problems.add(place_of(text, at), "PS0002",
                 fmt::format("byte 0x{:02x} is not UTF-8", static_cast<unsigned char>(text[at])),
                 "save the file as UTF-8");
    return false;
  }
  return true;
}

}  // namespace penstock::flow
