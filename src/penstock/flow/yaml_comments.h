// Carries comments and blank lines from one YAML text to another of the same content.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::flow {

/// `formatted`, with the comments of `source` before or behind the keys and list items they stood
/// at, a blank line where one was, and blocks of text (| and >) laid out as they were. A comment of
/// a part that `formatted` does not have stands before the next part that it has. Both texts must
/// be well-formed YAML of maps and lists.
std::string keep_comments(std::string_view source, std::string_view formatted);

/// How many comments `text` has.
std::int64_t count_comments(std::string_view text);

}  // namespace penstock::flow
