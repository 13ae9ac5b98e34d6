// See yaml_problems.h.
#include "penstock/flow/yaml_problems.h"

#include <algorithm>
#include <utility>

namespace penstock::flow {

std::size_t LineFinder::break_length(std::size_t at) const {
  const auto byte = [&](std::size_t i) {
    return i < text_.size() ? static_cast<unsigned char>(text_[i]) : 0U;
  };
  switch (byte(at)) {
    case '\n':
      return 1;
    case '\r':
      return byte(at + 1) == '\n' ? 2 : 1;
    case 0xC2:
      return byte(at + 1) == 0x85 ? 2 : 0;
    case 0xE2:
      return byte(at + 1) == 0x80 && (byte(at + 2) == 0xA8 || byte(at + 2) == 0xA9) ? 3 : 0;
    default:
      return 0;
  }
}

std::string LineFinder::line(std::int32_t number) {
  if (number < number_) {
    start_ = 0;
    number_ = 1;
  }
  if (number_ == 1 && start_ == 0 && text_.starts_with("\xEF\xBB\xBF")) {
    start_ = 3;
  }
  for (std::size_t at = start_;;) {
    std::size_t end = at;
    std::size_t length = 0;
    while (end < text_.size() && (length = break_length(end)) == 0) {
      ++end;
    }
    if (number_ == number) {
      return std::string(text_.substr(start_, end - start_));
    }
    if (end >= text_.size()) {
      return {};
    }
    at = start_ = end + length;
    ++number_;
  }
}

void Problems::add(Mark mark, std::string_view id, std::string message, std::string help) {
  if (full()) {
    return;
  }
  Diagnostic problem;
  problem.id = id;
  problem.message = std::move(message);
  problem.location = {.file = file_, .line = mark.line, .column = mark.column};
  problem.help = std::move(help);
  list_.push_back(std::move(problem));
}

Diagnostics Problems::take() {
  std::ranges::stable_sort(list_, [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.location.line, a.location.column) <
           std::pair(b.location.line, b.location.column);
  });
  const auto same = std::ranges::unique(list_, [](const Diagnostic& a, const Diagnostic& b) {
    return a.id == b.id && a.location.line == b.location.line && a.location.line > 0 &&
           a.location.column == b.location.column;
  });
  list_.erase(same.begin(), same.end());
  LineFinder finder(source_);
  for (Diagnostic& problem : list_) {
    if (problem.location.line > 0) {
      problem.excerpt = finder.line(problem.location.line);
    }
  }
  return std::move(list_);
}

}  // namespace penstock::flow
