// Says in plain words what libyaml found, at the place where the user must look.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "penstock/flow/yaml_reader.h"

namespace penstock::flow {
namespace {

/// libyaml's words -> ours. The first row whose `problem` and `context` match is used.
struct Wording {
  std::string_view problem;  ///< libyaml's problem begins with this
  std::string_view context;  ///< libyaml's context contains this
  std::string_view message;
  std::string_view help;
  bool at_context = false;  ///< the place to look at is where the construct began
};

constexpr auto kWordings = std::to_array<Wording>({
    {"found a tab character", "", "a tab is used for indentation, wanted spaces",
     "replace the tab by spaces"},
    {"mapping values are not allowed", "", "unexpected ':'",
     "put text that contains ': ' in quotes, or check the indentation of this line"},
    {"mapping keys are not allowed", "", "a key is not allowed here",
     "check the indentation of this line"},
    {"block sequence entries are not allowed", "", "a list item is not allowed here",
     "start the list on a line of its own, below its key"},
    {"could not find expected ':'", "", "a key without ':'",
     "write 'key: value'; check the indentation of the lines around", true},
    {"did not find expected key", "block mapping", "wanted another key of this map, or its end",
     "check the indentation: keys of one map start in one column"},
    {"did not find expected '-' indicator", "", "wanted another '-' item of this list, or its end",
     "check the indentation: items of one list start in one column"},
    {"did not find expected ',' or ']'", "", "the list opened here is not closed",
     "separate items by ',' and end the list with ']'", true},
    {"did not find expected ',' or '}'", "", "the map opened here is not closed",
     "separate entries by ',' and end the map with '}'", true},
    {"found unexpected end of stream", "quoted scalar",
     "the quoted text that starts here never ends", "add the closing quote", true},
    {"found unexpected document indicator", "quoted scalar",
     "the quoted text that starts here never ends", "add the closing quote", true},
    {"found unknown escape character", "", "unknown escape in double quotes",
     "write '\\\\' for a backslash, or use single quotes"},
    {"did not find expected hexdecimal number", "", "wanted hexadecimal digits after this escape",
     "write '\\\\' for a backslash, or use single quotes"},
    {"did not find expected alphabetic", "anchor", "an anchor without a name",
     "put text that starts with '&' in quotes"},
    {"did not find expected alphabetic", "alias", "an alias without a name",
     "put text that starts with '*' in quotes"},
    {"found undefined tag handle", "", "a tag is not supported",
     "put text that starts with '!' in quotes"},
    {"did not find expected node content", "", "wanted a value", ""},
    {"did not find expected <document start>", "", "text after the end of the document",
     "check the indentation: keys of one map start in one column"},
    {"control characters are not allowed", "", "a control character is not allowed",
     "use an escape in double quotes, such as \"\\x1b\""},
    {"found unexpected ':'", "", "unexpected ':'", "put text that contains ':' in quotes"},
});

Mark to_mark(const yaml_mark_t& mark) {
  return {.line = static_cast<std::int32_t>(mark.line + 1),
          .column = static_cast<std::int32_t>(mark.column + 1)};
}

/// Place of byte `offset` of `text`.
Mark mark_at(std::string_view text, std::size_t offset) {
  Mark mark{.line = 1, .column = 1};
  for (const char c : text.substr(0, std::min(offset, text.size()))) {
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

void YamlReader::report_character(Mark place) {
  const std::string line = LineFinder(text_).line(place.line);
  std::size_t at = 0;
  for (std::int32_t column = 1; column < place.column && at < line.size(); ++column) {
    do {
      ++at;
    } while (at < line.size() && (static_cast<unsigned char>(line[at]) & 0xC0U) == 0x80U);
  }
  if (at < line.size() && line[at] == '\t') {
    problems_.add(place, "PS0001", "a tab is used for indentation, wanted spaces",
                  "replace the tab by spaces");
  } else {
    const char seen = at < line.size() ? line[at] : ' ';
    problems_.add(place, "PS0001", fmt::format("a value cannot start with '{}'", seen),
                  "put the value in quotes");
  }
}

void YamlReader::report_syntax() {
  if (parser_.error == YAML_MEMORY_ERROR) {
    problems_.add({}, "PS0019", "out of memory while reading YAML");
    return;
  }
  const std::string_view problem = parser_.problem == nullptr ? "" : parser_.problem;
  const std::string_view context = parser_.context == nullptr ? "" : parser_.context;
  const Mark place = parser_.error == YAML_READER_ERROR ? mark_at(text_, parser_.problem_offset)
                                                        : to_mark(parser_.problem_mark);
  if (problem.starts_with("found character that cannot start")) {
    report_character(place);
    return;
  }
  for (const Wording& wording : kWordings) {
    if (!problem.starts_with(wording.problem) || !context.contains(wording.context)) {
      continue;
    }
    const bool earlier = wording.at_context && parser_.context != nullptr;
    problems_.add(earlier ? to_mark(parser_.context_mark) : place, "PS0001",
                  std::string(wording.message), std::string(wording.help));
    return;
  }
  std::string message = problem.empty() ? "YAML cannot be read" : std::string(problem);
  problems_.add(place, "PS0001",
                context.empty() ? std::move(message) : fmt::format("{} {}", message, context));
}

}  // namespace penstock::flow
