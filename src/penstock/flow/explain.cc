// See explain.h. The topics are in explain_topics.cc.
#include "penstock/flow/explain.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace penstock::flow {
namespace {

// tests/test_error_pages.py compares this with the folder docs/errors.
constexpr auto kPages = std::to_array<std::string_view>({
    "PS0001", "PS0004", "PS0008", "PS0013", "PS0015", "PS0016", "PS0017", "PS0101", "PS0102",
    "PS0103", "PS0105", "PS0106", "PS0108", "PS0110", "PS0112", "PS0115", "PS0116", "PS0117",
    "PS0118", "PS0121", "PS0130", "PS0201", "PS0202", "PS0206", "PS0301", "PS0302", "PS0401",
    "PS0402", "PS0403", "PS0404", "PS0413", "PS0420", "PS0426", "PS0431", "PS0501", "PS0504",
});

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += fmt::format("\n    {}", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// Breaks `text` at blanks so that no line is longer than `width`.
std::string wrapped(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (column > 0 && column + 1 + word.size() > width) {
      out += '\n';
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

}  // namespace

const ErrorTopic* find_error_topic(std::string_view id) {
  std::string number(id);
  if (number.size() >= 2 && (number[0] | 0x20) == 'p' && (number[1] | 0x20) == 's') {
    number.erase(0, 2);
  }
  const bool digits = std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
  if (number.empty() || number.size() > 4 || !digits) {
    return nullptr;
  }
  const std::string full = fmt::format("PS{:0>4}", number);
  const auto topics = error_topics();
  const auto found = std::ranges::find(topics, std::string_view(full), &ErrorTopic::id);
  return found == topics.end() ? nullptr : &*found;
}

std::span<const std::string_view> error_pages() {
  return kPages;
}

std::string to_text(const ErrorTopic& topic) {
  constexpr std::size_t kWidth = 96;
  std::string out = fmt::format("{}: {}\n\n{}", topic.id, topic.title, wrapped(topic.text, kWidth));
  if (!topic.wrong.empty()) {
    out += "\n\nCause:\n" + indented(topic.wrong);
  }
  if (!topic.right.empty()) {
    out += "\n\nCure:\n" + indented(topic.right);
  }
  if (std::ranges::find(kPages, topic.id) != kPages.end()) {
    out += fmt::format("\n\nFrom cause to cure, with examples: docs/errors/{}.md", topic.id);
  }
  return out;
}

}  // namespace penstock::flow
