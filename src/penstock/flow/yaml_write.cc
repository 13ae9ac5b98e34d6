// See yaml_write.h.
#include "penstock/flow/yaml_write.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "penstock/core/identity.h"
#include "penstock/flow/yaml_scalar.h"

namespace penstock::flow {
namespace {

using core::Kind;
using core::Value;

constexpr int kMaxFlowColumn = 72;

/// Conservative: letters, digits and a few marks, with no meaning of their own in YAML.
bool is_plain_safe(std::string_view text, bool in_flow) {
  if (text.empty() || resolves_to_other_than_text(text) || text == "<<" || text == "=") {
    return false;
  }
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/' || c == '.';
  };
  if (!letter(text.front()) && !(text.front() >= '0' && text.front() <= '9')) {
    return false;
  }
  if (text.back() == ' ' || text.starts_with("...")) {
    return false;
  }
  return std::ranges::all_of(text, [&letter, in_flow](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == ' ' || c == '-' || c == '+' || c == '(' ||
           c == ')' || c == '*' || c == ';' || (!in_flow && (c == ',' || c == '=' || c == '<'));
  });
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xC2 && i + 1 < text.size() &&
               static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
    } else if (text.substr(i).starts_with("\xE2\x80\xA8")) {
      out += "\\L";
      i += 2;
    } else if (text.substr(i).starts_with("\xE2\x80\xA9")) {
      out += "\\P";
      i += 2;
    } else if (text.substr(i).starts_with("\xEF\xBB\xBF")) {
      out += "\\uFEFF";
      i += 2;
    } else if (text.substr(i).starts_with("\xEF\xBF\xBE") ||
               text.substr(i).starts_with("\xEF\xBF\xBF")) {
      out += text.substr(i).starts_with("\xEF\xBF\xBE") ? "\\uFFFE" : "\\uFFFF";
      i += 2;
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// True when `text` reads back from a literal block ("|"): several printable lines.
bool fits_literal_block(std::string_view text) {
  if (text.size() < 2 || !text.contains('\n') || text.front() == ' ' || text.front() == '\n' ||
      text.contains(" \n") || text.back() == ' ') {
    return false;
  }
  return std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7F); });
}

void append_literal_block(std::string& out, std::string_view text, int indent) {
  const bool ends = text.ends_with('\n');
  const bool keeps = text.ends_with("\n\n");
  out += keeps ? " |+\n" : ends ? " |\n" : " |-\n";
  std::string_view rest = ends ? text.substr(0, text.size() - 1) : text;
  for (;;) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (end > 0) {
      out.append(static_cast<std::size_t>(indent), ' ');
      out += rest.substr(0, end);
    }
    out += '\n';
    if (end == rest.size()) {
      return;
    }
    rest.remove_prefix(end + 1);
  }
}

std::string real_text(double value) {
  if (std::isnan(value)) {
    return ".nan";
  }
  if (std::isinf(value)) {
    return value < 0 ? "-.inf" : ".inf";
  }
  std::string out = fmt::format("{}", value);
  if (out.find_first_of(".e") == std::string::npos) {
    out += ".0";
  }
  return out;
}

std::string big_integer_text(const Value& value) {
  std::string magnitude = value.big_magnitude();
  std::string digits;
  std::size_t begin = 0;
  while (begin < magnitude.size()) {  // divide by 10, most significant byte first
    unsigned rest = 0;
    for (std::size_t i = begin; i < magnitude.size(); ++i) {
      const unsigned part = rest * 256 + static_cast<unsigned char>(magnitude[i]);
      magnitude[i] = static_cast<char>(part / 10);
      rest = part % 10;
    }
    digits += static_cast<char>('0' + rest);
    while (begin < magnitude.size() && magnitude[begin] == 0) {
      ++begin;
    }
  }
  if (value.big_negative()) {
    digits += '-';
  }
  std::ranges::reverse(digits);
  return digits;
}

/// "[a, b]" when all items are short scalars; empty otherwise.
std::string flow_list(const std::vector<Value>& items, int indent) {
  std::string out = "[";
  for (const Value& item : items) {
    const bool scalar = item.is_null() || item.is(Kind::kBool) || item.is(Kind::kInt) ||
                        item.is(Kind::kFloat) || item.is(Kind::kText);
    if (!scalar || out.size() > static_cast<std::size_t>(kMaxFlowColumn)) {
      return {};
    }
    std::string text;
    if (item.is(Kind::kText)) {
      text = is_plain_safe(item.as_text(), true) ? item.as_text() : quoted(item.as_text());
    } else if (append_yaml(text, item, 0).has_value()) {
      text = text.substr(1, text.size() - 2);  // " 5\n"
    }
    out += out.size() == 1 ? text : ", " + text;
  }
  out += ']';
  return static_cast<int>(out.size()) + indent <= kMaxFlowColumn ? out : std::string();
}

base::Status append_list(std::string& out, const std::vector<Value>& items, int indent) {
  if (items.empty()) {
    out += " []\n";
    return {};
  }
  if (const std::string flow = flow_list(items, indent); !flow.empty()) {
    out += fmt::format(" {}\n", flow);
    return {};
  }
  out += '\n';
  for (const Value& item : items) {
    out.append(static_cast<std::size_t>(indent), ' ');
    out += '-';
    const std::size_t begin = out.size();
    PENSTOCK_RETURN_IF_ERROR(append_yaml(out, item, indent + 2));
    if (out[begin] == '\n') {  // a block starts on the line of its dash
      out.erase(begin, static_cast<std::size_t>(indent) + 2);
    }
  }
  return {};
}

base::Status append_map(std::string& out, const std::vector<core::MapEntry>& entries, int indent) {
  if (entries.empty()) {
    out += " {}\n";
    return {};
  }
  out += '\n';
  for (const auto& [key, value] : entries) {
    out.append(static_cast<std::size_t>(indent), ' ');
    out += yaml_text(key);
    out += ':';
    PENSTOCK_RETURN_IF_ERROR(append_yaml(out, value, indent + 2));
  }
  return {};
}

}  // namespace

std::string yaml_text(std::string_view text) {
  return is_plain_safe(text, false) ? std::string(text) : quoted(text);
}

base::Status append_yaml(std::string& out, const Value& value, int indent) {
  if (indent > 2 * core::kMaxDepth) {  // no reader would take it back
    return base::fail(base::ErrorCode::kResourceExhausted,
                      fmt::format("value is nested too deeply: limit={}", core::kMaxDepth));
  }
  switch (value.kind()) {
    case Kind::kNull:
      out += " null\n";
      return {};
    case Kind::kBool:
      out += value.as_bool() ? " true\n" : " false\n";
      return {};
    case Kind::kInt:
      out += fmt::format(" {}\n", value.as_int());
      return {};
    case Kind::kBigInt:
      out += fmt::format(" {}\n", big_integer_text(value));
      return {};
    case Kind::kFloat:
      out += fmt::format(" {}\n", real_text(value.as_float()));
      return {};
    case Kind::kText:
      if (fits_literal_block(value.as_text())) {
        append_literal_block(out, value.as_text(), indent);
      } else {
        out += fmt::format(" {}\n", yaml_text(value.as_text()));
      }
      return {};
    case Kind::kList:
      return append_list(out, value.as_list(), indent);
    case Kind::kMap:
      return append_map(out, value.as_map(), indent);
    default:
      return base::fail(
          base::ErrorCode::kInvalidArgument,
          fmt::format("a {} cannot be written as YAML", core::to_string(value.kind())));
  }
}

}  // namespace penstock::flow
