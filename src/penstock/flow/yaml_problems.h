// Collects the problems of one text: sorted by place, bounded in number, excerpts filled in once.
//
// Owner thread only. Internal to the room: the readers of YAML and of tube files use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "penstock/flow/diagnostic.h"
#include "penstock/flow/spec.h"

namespace penstock::flow {

/// Lines of a text by number, asked for in rising order. Counts the line breaks libyaml counts:
/// LF, CR LF, CR, NEL, LS and PS.
class LineFinder {
 public:
  explicit LineFinder(std::string_view text) : text_(text) {}
  /// Line `number` (from 1) without its break; empty when there is no such line.
  std::string line(std::int32_t number);

 private:
  /// Bytes of the line break at `at`; 0 when there is none.
  std::size_t break_length(std::size_t at) const;

  std::string_view text_;
  std::size_t start_ = 0;  ///< of line `number_`
  std::int32_t number_ = 1;
};

class Problems {
 public:
  static constexpr std::size_t kMax = 100;

  Problems(std::string_view source, std::string file) : source_(source), file_(std::move(file)) {}

  void add(Mark mark, std::string_view id, std::string message, std::string help = {});
  bool empty() const { return list_.empty(); }
  /// True when kMax problems were found: the reader gives up.
  bool full() const { return list_.size() >= kMax; }

  /// All problems, by place, with excerpts.
  Diagnostics take();
  /// The same for a source that is no text.
  Diagnostics take_without_excerpts() { return std::move(list_); }

 private:
  std::string_view source_;
  std::string file_;
  Diagnostics list_;
};

}  // namespace penstock::flow
