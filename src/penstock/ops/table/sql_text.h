// What can be known about a query without parsing it: the names it mentions.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace penstock::ops::table {

/// Words of a query outside strings, comments and quoted parts of it.
struct SqlWords {
  std::set<std::string> parameters;  ///< `late` of `$late`, lower case
  std::set<std::string> names;       ///< identifiers, quoted ones too, lower case
  std::string impure;                ///< the first function whose result is not a matter of input
};

SqlWords scan_words(std::string_view query);

std::string to_lower(std::string_view text);

/// DuckDB's message of several lines as one: what, and where in the user's text. `subject` is what
/// that text is ("query"), `lines_before` how many lines of ours stand before it.
std::string one_line(std::string_view message, std::string_view subject = "query",
                     int lines_before = 0);

/// The quoted word in "Did you mean ..." or the first candidate DuckDB offers; empty if none.
std::string suggestion(std::string_view message);

}  // namespace penstock::ops::table
