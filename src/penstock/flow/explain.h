// The catalogue of error ids: what each means, how it comes about, how it is cured.
//
// Bands: PS00 text and form, PS01 wiring, PS02 types and parameters, PS03 inputs, PS04 run time,
// PS05 workers, PS06 tables and files, PS09 command line. An id is never reused. The sources
// name ids as literals; explain_test.cc checks that each is in the catalogue and each entry in use.
// Immutable data.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace penstock::flow {

struct ErrorTopic {
  std::string_view id;     ///< "PS0101"
  std::string_view title;  ///< one line, no period
  std::string_view text;   ///< what it means and why it is refused
  std::string_view wrong;  ///< an example that causes it; may be empty
  std::string_view right;  ///< the same, cured; may be empty
};

/// All topics by id.
std::span<const ErrorTopic> error_topics();

/// The topic of `id` ("PS0101", "ps101" and "101" are the same); null when there is none.
const ErrorTopic* find_error_topic(std::string_view id);

/// Ids that have a page, docs/errors/ID.md, in order.
std::span<const std::string_view> error_pages();

/// A topic as the text `penstock explain` prints, without a trailing newline.
std::string to_text(const ErrorTopic& topic);

}  // namespace penstock::flow
