#include "penstock/report/json_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace penstock::report {
namespace {

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0.
std::size_t sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || length > text.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  const bool overlong = (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xF0 && at(1) < 0x90);
  const bool surrogate_or_beyond = (lead == 0xED && at(1) > 0x9F) || (lead == 0xF4 && at(1) > 0x8F);
  return overlong || surrogate_or_beyond ? 0 : length;
}

}  // namespace

JsonText& JsonText::open(char bracket) {
  separate();
  out_ += bracket;
  comma_ = false;
  return *this;
}

JsonText& JsonText::close(char bracket) {
  out_ += bracket;
  comma_ = true;
  return *this;
}

void JsonText::separate() {
  if (comma_) {
    out_ += ',';
  }
  comma_ = true;
}

JsonText& JsonText::key(std::string_view name) {
  separate();
  append_quoted(name);
  out_ += ':';
  comma_ = false;
  return *this;
}

JsonText& JsonText::text(std::string_view value) {
  separate();
  append_quoted(value);
  return *this;
}

JsonText& JsonText::integer(std::int64_t value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return raw({digits.data(), end});
}

JsonText& JsonText::real(double value, int digits) {
  if (!std::isfinite(value)) {
    return null();
  }
  std::array<char, 40> text;
  char* const first = text.data();
  char* const last = first + text.size();
  const auto end = digits > 0
                       ? std::to_chars(first, last, value, std::chars_format::general, digits).ptr
                       : std::to_chars(first, last, value).ptr;
  const std::string_view number(first, end);
  separate();
  out_ += number;
  // A float stays a float for readers that tell 2 and 2.0 apart.
  if (digits == 0 && number.find_first_of(".e") == std::string_view::npos) {
    out_ += ".0";
  }
  return *this;
}

JsonText& JsonText::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

JsonText& JsonText::text_field(std::string_view name, std::string_view value) {
  return value.empty() ? *this : key(name).text(value);
}

void JsonText::append_quoted(std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out_ += '"';
  while (!value.empty()) {
    const char c = value[0];
    const std::size_t length = sequence_length(value);
    if (length == 0) {
      out_ += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (c == '\t') {
      out_ += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || (in_page_ && c == '<')) {
      out_ += "\\u00";
      out_ += kHex[static_cast<unsigned char>(c) >> 4];
      out_ += kHex[static_cast<unsigned char>(c) & 15];
    } else {
      out_ += value.substr(0, length);
    }
    value.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out_ += '"';
}

std::string to_base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::string to_decimal(std::string_view little_endian) {
  std::string magnitude(little_endian.rbegin(), little_endian.rend());
  const bool negative = !magnitude.empty() && (magnitude[0] & 0x80) != 0;
  if (negative) {  // two's complement: invert and add one
    int carry = 1;
    for (auto byte = magnitude.rbegin(); byte != magnitude.rend(); ++byte) {
      const int sum = (~*byte & 0xFF) + carry;
      *byte = static_cast<char>(sum & 0xFF);
      carry = sum >> 8;
    }
  }
  std::string digits;
  const auto is_zero = [&] { return magnitude.find_first_not_of('\0') == std::string::npos; };
  while (!is_zero()) {
    int rest = 0;
    for (char& byte : magnitude) {
      const int value = rest * 256 + static_cast<unsigned char>(byte);
      byte = static_cast<char>(value / 10);
      rest = value % 10;
    }
    digits += static_cast<char>('0' + rest);
  }
  if (digits.empty()) {
    return "0";
  }
  if (negative) {
    digits += '-';
  }
  return {digits.rbegin(), digits.rend()};
}

}  // namespace penstock::report
