// See terminal.h.
#include "penstock/cli/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include <fmt/format.h>

namespace penstock::cli {
namespace {

constexpr std::size_t kMaxTraceLines = 8;
constexpr std::size_t kMaxLineBytes = 240;

void write_line(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fputc('\n', to);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) {
      out.push_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

Terminal::Terminal(report::ColorMode color)
    : color_(color),
      color_out_(report::use_color(color, STDOUT_FILENO)),
      color_note_(report::use_color(color, STDERR_FILENO)) {
}

void Terminal::out(std::string_view text) {
  write_line(stdout, text);
}

void Terminal::note(std::string_view text) {
  std::fflush(stdout);  // the two streams stay in order where they share a terminal
  write_line(stderr, text);
}

void Terminal::error(const flow::Diagnostic& problem) {
  note(flow::render(problem, color_note_));
}

void Terminal::error(const base::Error& error) {
  note(render(error, color_note_));
}

std::string render(const base::Error& error, bool color) {
  if (error.message().starts_with("error[")) {
    return error.message();  // the diagnostics of a load, rendered already
  }
  flow::Diagnostic head;
  head.id = error.id();
  head.message = error.message();
  std::string out = flow::render(head, color);
  if (!error.origin().empty()) {
    out += fmt::format("\n  --> {}", error.origin());
  }
  const auto trace = lines_of(error.trace());
  for (std::size_t i = 0; i < std::min(trace.size(), kMaxTraceLines); ++i) {
    out += fmt::format("\n   | {}", trace[i].substr(0, kMaxLineBytes));
  }
  if (!error.help().empty()) {
    out += fmt::format("\n  help: {}", error.help());
  }
  return out;
}

}  // namespace penstock::cli
