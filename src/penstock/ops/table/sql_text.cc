#include "penstock/ops/table/sql_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

namespace penstock::ops::table {
namespace {

/// Functions that DuckDB marks volatile or bound to the moment, plus the keywords without brackets.
constexpr std::array<std::string_view, 20> kImpureCalls = {"current_connection_id",
                                                           "current_query_id",
                                                           "current_transaction_id",
                                                           "currval",
                                                           "gen_random_uuid",
                                                           "get_current_time",
                                                           "get_current_timestamp",
                                                           "getenv",
                                                           "nextval",
                                                           "now",
                                                           "random",
                                                           "setseed",
                                                           "sleep_ms",
                                                           "today",
                                                           "transaction_timestamp",
                                                           "txid_current",
                                                           "uuid",
                                                           "uuidv4",
                                                           "uuidv7",
                                                           "write_log"};
constexpr std::array<std::string_view, 5> kImpureWords = {
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Reads a query from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  SqlWords read() {
    while (at_ < text_.size()) {
      step();
    }
    return std::move(words_);
  }

 private:
  bool looking_at(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void skip_past(std::string_view what, std::size_t from) {
    const std::size_t found = text_.find(what, from);
    at_ = found == text_.npos ? text_.size() : found + what.size();
  }

  std::string_view word_from(std::size_t begin) {
    at_ = begin;
    while (at_ < text_.size() && is_word(text_[at_])) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  void step() {
    if (looking_at("--")) {
      skip_past("\n", at_);
    } else if (looking_at("/*")) {
      skip_past("*/", at_ + 2);
    } else if (text_[at_] == '\'') {
      // A doubled quote ends one string and begins the next: the words come out the same.
      skip_past("'", at_ + 1);
    } else if (text_[at_] == '"') {
      const std::size_t begin = at_ + 1;
      skip_past("\"", begin);
      words_.names.insert(to_lower(text_.substr(begin, at_ - begin - 1)));
    } else if (text_[at_] == '$') {
      dollar();
    } else if (is_word(text_[at_])) {
      name(word_from(at_));
    } else {
      ++at_;
    }
  }

  /// `$name` is a parameter, `$tag$ ... $tag$` a string.
  void dollar() {
    const std::size_t begin = at_;
    const std::string_view word = word_from(at_ + 1);
    if (at_ < text_.size() && text_[at_] == '$') {
      const std::string_view tag = text_.substr(begin, word.size() + 2);
      skip_past(tag, begin + tag.size());
    } else if (!word.empty()) {
      words_.parameters.insert(to_lower(word));
    }
  }

  void name(std::string_view word) {
    std::string lower = to_lower(word);
    const bool qualified = at_ > word.size() && text_[at_ - word.size() - 1] == '.';
    std::size_t next = at_;
    while (next < text_.size() && std::isspace(static_cast<unsigned char>(text_[next])) != 0) {
      ++next;
    }
    const bool called = next < text_.size() && text_[next] == '(';
    if (words_.impure.empty() && !qualified &&
        ((called && std::ranges::find(kImpureCalls, lower) != kImpureCalls.end()) ||
         std::ranges::find(kImpureWords, lower) != kImpureWords.end())) {
      words_.impure = lower;
    }
    words_.names.insert(std::move(lower));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  SqlWords words_;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

SqlWords scan_words(std::string_view query) {
  return Reader(query).read();
}

std::string one_line(std::string_view message, std::string_view subject, int lines_before) {
  // "Kind Error: what\nmore\n\nLINE 2: excerpt\n            ^"
  const std::size_t line_at = message.find("\nLINE ");
  std::string what;
  for (const char c : trim(message.substr(0, line_at))) {
    what += c == '\n' ? ' ' : c;
  }
  if (line_at == message.npos) {
    return what;
  }
  const std::string_view place = message.substr(line_at + 1);
  const std::size_t colon = place.find(": ");
  const std::size_t end = place.find('\n');
  const std::size_t caret = place.find('^', end == place.npos ? 0 : end);
  if (colon == place.npos || end == place.npos || caret == place.npos) {
    return what;
  }
  const std::string_view excerpt = place.substr(0, end);
  const std::size_t column = caret - end - 1;
  int number = 0;
  const std::string_view digits = place.substr(5, colon - 5);
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  number -= lines_before;
  if (column < colon + 2 || column > excerpt.size()) {
    return fmt::format("{} (line {} of the {})", what, number, subject);
  }
  const std::string_view rest = trim(excerpt.substr(column)).substr(0, 40);
  // DuckDB cuts long lines at the front; a column is only known when it did not.
  if (excerpt.substr(colon + 2).starts_with("...")) {
    return fmt::format("{} (line {} of the {}, at '{}')", what, number, subject, rest);
  }
  return fmt::format("{} (line {}, column {} of the {}, at '{}')", what, number, column - colon - 1,
                     subject, rest);
}

std::string suggestion(std::string_view message) {
  for (const std::string_view marker : {"Did you mean \"", "Candidate bindings: \""}) {
    const std::size_t at = message.find(marker);
    if (at != message.npos) {
      const std::size_t begin = at + marker.size();
      return std::string(message.substr(begin, message.find('"', begin) - begin));
    }
  }
  return {};
}

}  // namespace penstock::ops::table
