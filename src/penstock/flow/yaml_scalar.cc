// Resolution follows YAML 1.2.2, section 10.3.2 (core schema, tag resolution).
#include "penstock/flow/yaml_scalar.h"

#include <locale.h>

#include <algorithm>
#include <charconv>
#include <clocale>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <system_error>

namespace penstock::flow {
namespace {

using core::Value;

// CPython's own limit for text to int; the conversion below is quadratic.
constexpr std::size_t kMaxIntegerDigits = 4300;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int digit_value(char c) {
  if (is_digit(c)) {
    return c - '0';
  }
  return (c | 0x20) - 'a' + 10;
}

bool all_digits(std::string_view text, int base) {
  return !text.empty() && std::ranges::all_of(text, [base](char c) {
    const bool known = is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
    return known && digit_value(c) < base;
  });
}

/// `digits` in `base`, checked before; any size.
Value integer_of(bool negative, std::string_view digits, int base) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  std::uint64_t small = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), small, base);
  if (digits.empty()) {
    return Value::integer(0);
  }
  constexpr auto kMaxPositive =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (error == std::errc() && small <= kMaxPositive) {
    const auto value = static_cast<std::int64_t>(small);
    return Value::integer(negative ? -value : value);
  }
  std::string magnitude;  // little-endian while it grows
  for (const char c : digits) {
    auto carry = static_cast<unsigned>(digit_value(c));
    for (char& byte : magnitude) {
      carry +=
          static_cast<unsigned>(static_cast<unsigned char>(byte)) * static_cast<unsigned>(base);
      byte = static_cast<char>(carry & 0xFFU);
      carry >>= 8U;
    }
    if (carry != 0) {
      magnitude.push_back(static_cast<char>(carry));
    }
  }
  std::ranges::reverse(magnitude);
  return Value::big_integer(negative, std::move(magnitude));
}

/// [0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)? or \.[0-9]+(...)?
bool is_decimal_float(std::string_view text) {
  std::size_t i = 0;
  const auto skip_digits = [&] {
    const std::size_t begin = i;
    while (i < text.size() && is_digit(text[i])) {
      ++i;
    }
    return i - begin;
  };
  std::size_t digits = skip_digits();
  if (i < text.size() && text[i] == '.') {
    ++i;
    digits += skip_digits();
  }
  if (digits == 0) {
    return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
      ++i;
    }
    if (skip_digits() == 0) {
      return false;
    }
  }
  return i == text.size();
}

double parse_decimal(std::string_view text) {
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc()) {
    return value;
  }
  // Too large or too small: strtod gives infinity or zero, in the C locale whatever the host set.
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(std::string(text).c_str(), nullptr, c_locale);
}

Value resolve_number(std::string_view text) {
  if (text.starts_with("0o") && all_digits(text.substr(2), 8) && text.size() <= kMaxIntegerDigits) {
    return integer_of(false, text.substr(2), 8);
  }
  if (text.starts_with("0x") && all_digits(text.substr(2), 16) &&
      text.size() <= kMaxIntegerDigits) {
    return integer_of(false, text.substr(2), 16);
  }
  const bool negative = text.front() == '-';
  const std::string_view body = negative || text.front() == '+' ? text.substr(1) : text;
  if (body.size() <= kMaxIntegerDigits && all_digits(body, 10)) {
    return integer_of(negative, body, 10);
  }
  if (body == ".inf" || body == ".Inf" || body == ".INF") {
    const double infinity = std::numeric_limits<double>::infinity();
    return Value::real(negative ? -infinity : infinity);
  }
  if (is_decimal_float(body) && !all_digits(body, 10)) {
    const double value = parse_decimal(body);
    return Value::real(negative ? -value : value);
  }
  return {};
}

/// The meaning of a plain scalar; absent when it is plain text.
Value resolve(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return Value::null();
  }
  const char first = text.front();
  if (first == 't' || first == 'T') {
    const bool is_true = text == "true" || text == "True" || text == "TRUE";
    return is_true ? Value::boolean(true) : Value();
  }
  if (first == 'f' || first == 'F') {
    const bool is_false = text == "false" || text == "False" || text == "FALSE";
    return is_false ? Value::boolean(false) : Value();
  }
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    return Value::real(std::numeric_limits<double>::quiet_NaN());
  }
  if (is_digit(first) || first == '-' || first == '+' || first == '.') {
    return resolve_number(text);
  }
  return {};
}

}  // namespace

Value resolve_plain_scalar(std::string_view text) {
  Value value = resolve(text);
  return value.is_absent() ? Value::text(std::string(text)) : value;
}

bool resolves_to_other_than_text(std::string_view text) {
  return !resolve(text).is_absent();
}

}  // namespace penstock::flow
