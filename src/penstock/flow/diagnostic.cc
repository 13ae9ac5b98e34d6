// Rendering of diagnostics: the one error form of the house.
#include "penstock/flow/diagnostic.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "penstock/base/out_of_memory.h"

namespace penstock::flow {
namespace {

constexpr std::size_t kMaxExcerptColumns = 100;
constexpr std::size_t kMaxRendered = 20;

/// Bytes of the UTF-8 sequence that starts with `lead` (1 for a broken one).
std::size_t sequence_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0xC0) {
    return 1;
  }
  return byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The part of `line` around `column` (from 1) that fits a terminal; `column` becomes the caret's
/// place in it. Control characters become spaces, so a file cannot write escapes to a terminal.
std::string window(std::string_view line, std::size_t& column) {
  std::vector<std::string_view> characters;
  for (std::size_t i = 0; i < line.size();) {
    const std::size_t length = std::min(sequence_length(line[i]), line.size() - i);
    characters.push_back(line.substr(i, length));
    i += length;
  }
  std::size_t begin = 0;
  if (characters.size() > kMaxExcerptColumns && column > kMaxExcerptColumns / 2) {
    begin = std::min(column - kMaxExcerptColumns / 2, characters.size() - 1);
  }
  const std::size_t end = std::min(characters.size(), begin + kMaxExcerptColumns);
  std::string out;
  for (std::size_t i = begin; i < end; ++i) {
    const std::string_view character = characters[i];
    const auto byte = static_cast<unsigned char>(character[0]);
    const bool control = character.size() == 1 && (byte < 0x20 || byte == 0x7F);
    const bool c1_control =
        character.size() == 2 && byte == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
    out += control || c1_control ? std::string_view(" ") : character;
  }
  column = column > begin ? column - begin : 1;
  return out;
}

struct Palette {
  std::string_view error, frame, help, end;
};

constexpr Palette kPlain{"", "", "", ""};
constexpr Palette kColors{"\033[1;31m", "\033[1;34m", "\033[1;32m", "\033[0m"};

/// Runtime text inside a message is one line without control characters.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return out;
}

}  // namespace

std::string render(const Diagnostic& diagnostic, bool color) {
  const Palette& palette = color ? kColors : kPlain;
  std::string out;
  if (diagnostic.id.empty()) {
    out = fmt::format("{}error{}: {}", palette.error, palette.end, one_line(diagnostic.message));
  } else {
    out = fmt::format("{}error[{}]{}: {}", palette.error, diagnostic.id, palette.end,
                      one_line(diagnostic.message));
  }
  const Location& place = diagnostic.location;
  if (!place.file.empty()) {
    out += fmt::format("\n  {}-->{} {}", palette.frame, palette.end, one_line(place.file));
    if (place.line > 0) {
      out += fmt::format(":{}:{}", place.line, std::max(place.column, 1));
    }
  }
  if (!diagnostic.excerpt.empty()) {
    auto column = static_cast<std::size_t>(std::max(place.column, 1));
    const std::string shown = window(diagnostic.excerpt, column);
    out += fmt::format("\n   {0}|{1} {2}\n   {0}|{1} {3:>{4}}", palette.frame, palette.end, shown,
                       "^", column);
  }
  if (!diagnostic.help.empty()) {
    out += fmt::format("\n  {}help{}: {}", palette.help, palette.end, one_line(diagnostic.help));
  }
  return out;
}

bool was_interrupted(std::span<const Diagnostic> diagnostics) {
  return std::ranges::any_of(diagnostics, &Diagnostic::is_interrupt);
}

base::Error to_error(const Diagnostics& diagnostics) {
  if (diagnostics.empty()) {
    return base::Error(base::ErrorCode::kInternal, "to_error() called without diagnostics");
  }
  std::string message;
  for (std::size_t i = 0; i < std::min(diagnostics.size(), kMaxRendered); ++i) {
    if (i > 0) {
      message += '\n';
    }
    message += render(diagnostics[i], false);
  }
  if (diagnostics.size() > kMaxRendered) {
    message += fmt::format("\n{} more problems", diagnostics.size() - kMaxRendered);
  }
  const bool missing = diagnostics.size() == 1 && diagnostics.front().id == "PS0004";
  return base::Error(missing ? base::ErrorCode::kNotFound : base::ErrorCode::kInvalidArgument,
                     std::move(message))
      .with_id(diagnostics.front().id);
}

Diagnostics out_of_memory_diagnostics() {
  const base::Error& error = base::out_of_memory();
  return {
      {.id = error.id(), .message = error.message(), .location = {}, .excerpt = {}, .help = {}}};
}

}  // namespace penstock::flow
