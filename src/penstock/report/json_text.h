// JsonText: writes JSON into a string, one token after the other. Owner thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::report {

/// Appends JSON to its own text. The caller keeps the order (key, value, ...); commas and escapes
/// are done here. Numbers: shortest text that reads back equal; NaN and infinities become null.
class JsonText {
 public:
  /// `in_page`: also escape "<", so that the text can stand inside a script element.
  explicit JsonText(bool in_page = false) : in_page_(in_page) {}

  JsonText& begin_object() { return open('{'); }
  JsonText& end_object() { return close('}'); }
  JsonText& begin_array() { return open('['); }
  JsonText& end_array() { return close(']'); }
  JsonText& key(std::string_view name);
  /// Ill-formed UTF-8 is replaced by U+FFFD.
  JsonText& text(std::string_view value);
  JsonText& integer(std::int64_t value);
  /// With `digits` > 0: that many significant digits at most.
  JsonText& real(double value, int digits = 0);
  JsonText& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonText& null() { return raw("null"); }
  /// A finished JSON value.
  JsonText& raw(std::string_view json);

  /// key() and text() in one; left out when `value` is empty.
  JsonText& text_field(std::string_view name, std::string_view value);
  JsonText& integer_field(std::string_view name, std::int64_t value) {
    return key(name).integer(value);
  }

  bool in_page() const { return in_page_; }
  std::size_t size() const { return out_.size(); }
  const std::string& str() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  JsonText& open(char bracket);
  JsonText& close(char bracket);
  void separate();
  void append_quoted(std::string_view value);

  const bool in_page_;
  std::string out_;
  bool comma_ = false;  ///< the next value or key needs a comma before it
};

/// Standard base64 with padding.
std::string to_base64(std::string_view bytes);

/// Decimal digits of an integer given as little-endian bytes, two's complement.
std::string to_decimal(std::string_view little_endian);

}  // namespace penstock::report
