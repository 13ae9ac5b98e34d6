// See yaml_comments.h. libyaml drops comments, so they are found between its scalars.
#include "penstock/flow/yaml_comments.h"

#include <algorithm>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include <yaml.h>

namespace penstock::flow {
namespace {

/// A key or a list item. Lines count from 0.
struct Place {
  std::string path;  ///< keys and positions from the top, each after a '\n' (no key has one)
  std::size_t line = 0, column = 0;
};

struct Comment {
  std::size_t line = 0;
  std::string text;  ///< from '#' on; empty for a blank line
  bool own_line = false;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    out.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// Bytes of the first `count` characters of UTF-8 `line`.
std::size_t bytes_of(std::string_view line, std::size_t count) {
  std::size_t at = 0;
  for (; at < line.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(line[at]) & 0xC0U) != 0x80U;
    if (begins && count-- == 0) {
      break;
    }
  }
  return at;
}

/// A value of a key written as a block (| or >) or on the key's line.
struct Text {
  std::size_t line = 0, column = 0;  ///< where the value starts
  std::string header;                ///< "|", ">-"; empty for a value on one line
  std::vector<std::string> body;     ///< without their indentation, no blank lines at the end
  std::size_t key_column = 0;
};

/// One pass over the events of a text: where parts are, and what the scalars cover.
/// libyaml's parser and the event it is at.
struct Parser {
  Parser() {
    if (yaml_parser_initialize(&state) != 1) {
      throw std::bad_alloc();  // its only failure
    }
  }
  ~Parser() {
    yaml_event_delete(&event);
    yaml_parser_delete(&state);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  bool next() {
    yaml_event_delete(&event);
    event = {};
    return yaml_parser_parse(&state, &event) != 0;
  }

  yaml_parser_t state{};
  yaml_event_t event{};
};

class Scan {
 public:
  explicit Scan(std::string_view text) : lines_(lines_of(text)), covered_(lines_.size()) {
    Parser parser;
    yaml_parser_set_input_string(&parser.state, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
    for (bool more = true; more && parser.next();) {
      more = parser.event.type != YAML_STREAM_END_EVENT;
      take(parser.event);
    }
    if (parser.state.error == YAML_MEMORY_ERROR) {
      throw std::bad_alloc();  // else the comments behind this place would be lost
    }
  }

  const std::vector<Place>& places() const { return places_; }
  const std::map<std::string, Text>& texts() const { return texts_; }
  std::string_view line(std::size_t index) const { return lines_[index]; }

  /// Comments, and blank lines outside scalars, in order.
  std::vector<Comment> comments() const {
    std::vector<Comment> out;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const std::string_view line = lines_[i];
      if (line.find_first_not_of(" \t") == std::string_view::npos) {
        if (covered_[i].empty()) {
          out.push_back({.line = i, .text = {}, .own_line = true});
        }
        continue;
      }
      for (std::size_t at = line.find('#'); at != std::string_view::npos;
           at = line.find('#', at + 1)) {
        const bool starts = at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t';
        const bool inside = std::ranges::any_of(covered_[i], [at](const auto& range) {
          return at >= range.first && at < range.second;
        });
        if (starts && !inside) {
          std::string_view text = line.substr(at);
          text = text.substr(0, text.find_last_not_of(" \t") + 1);
          const bool own = line.find_first_not_of(" \t") == at;
          out.push_back({.line = i, .text = std::string(text), .own_line = own});
          break;
        }
      }
    }
    return out;
  }

 private:
  struct Level {
    bool is_map;
    bool at_key = true;
    std::int64_t index = 0;
    std::string path;
  };

  void cover(const yaml_event_t& event) {
    const yaml_mark_t from = event.start_mark;
    yaml_mark_t to = event.end_mark;
    const auto style = event.data.scalar.style;
    if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
      to.column = 0;  // a block ends where its text does: blank lines behind it are layout
      while (to.line > from.line + 1 && to.line <= lines_.size() &&
             lines_[to.line - 1].find_first_not_of(" \t") == std::string_view::npos) {
        --to.line;
      }
    }
    for (std::size_t line = from.line; line <= to.line && line < lines_.size(); ++line) {
      const std::size_t begin = line == from.line ? bytes_of(lines_[line], from.column) : 0;
      const std::size_t end =
          line == to.line ? bytes_of(lines_[line], to.column) : lines_[line].size() + 1;
      if (begin < end) {
        covered_[line].emplace_back(begin, end);
      }
    }
  }

  /// A value begins: where it belongs, and the place of a list item. Returns its path.
  std::string begin_value(const yaml_event_t& event) {
    if (levels_.empty()) {
      return {};
    }
    Level& level = levels_.back();
    if (level.is_map) {
      level.at_key = true;
      return key_path_;
    }
    std::string path = level.path + '\n' + std::to_string(level.index++);
    places_.push_back(
        {.path = path, .line = event.start_mark.line, .column = event.start_mark.column});
    return path;
  }

  void take_text(const yaml_event_t& event, const std::string& path) {
    if (levels_.empty() || !levels_.back().is_map || event.start_mark.line >= lines_.size()) {
      return;
    }
    const std::string_view line = lines_[event.start_mark.line];
    const std::size_t column = bytes_of(line, event.start_mark.column);
    Text out{.line = event.start_mark.line, .column = column, .key_column = places_.back().column};
    const auto style = event.data.scalar.style;
    if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
      out.header = line.substr(column, line.find_first_of(" \t", column) - column);
      std::size_t indent = std::string_view::npos;
      for (std::size_t i = out.line + 1; i < lines_.size(); ++i) {
        const std::size_t begin = lines_[i].find_first_not_of(' ');
        if (begin == std::string_view::npos) {
          out.body.emplace_back();
          continue;
        }
        indent = indent == std::string_view::npos ? begin : indent;
        if (begin < indent || begin <= out.key_column) {
          break;
        }
        out.body.emplace_back(lines_[i].substr(indent));
      }
      while (!out.body.empty() && out.body.back().empty()) {
        out.body.pop_back();
      }
    } else if (event.start_mark.line != event.end_mark.line) {
      return;
    }
    texts_.emplace(path, std::move(out));
  }

  void take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_SCALAR_EVENT:
        cover(event);
        if (!levels_.empty() && levels_.back().is_map && levels_.back().at_key) {
          levels_.back().at_key = false;
          key_path_ = levels_.back().path + '\n' +
                      std::string(reinterpret_cast<const char*>(event.data.scalar.value),
                                  event.data.scalar.length);
          places_.push_back({.path = key_path_,
                             .line = event.start_mark.line,
                             .column = event.start_mark.column});
          return;
        }
        take_text(event, begin_value(event));
        return;
      case YAML_ALIAS_EVENT:
        begin_value(event);
        return;
      case YAML_MAPPING_START_EVENT:
      case YAML_SEQUENCE_START_EVENT: {
        std::string path = begin_value(event);
        levels_.push_back(
            {.is_map = event.type == YAML_MAPPING_START_EVENT, .path = std::move(path)});
        return;
      }
      case YAML_MAPPING_END_EVENT:
      case YAML_SEQUENCE_END_EVENT:
        levels_.pop_back();
        return;
      default:
        return;
    }
  }

  std::vector<std::string_view> lines_;
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> covered_;  ///< bytes, by line
  std::vector<Place> places_;
  std::map<std::string, Text> texts_;
  std::vector<Level> levels_;
  std::string key_path_;
};

/// What goes before and behind each line of the formatted text.
struct Additions {
  std::map<std::size_t, std::vector<std::string>> before;  ///< comments; "" = a blank line
  std::map<std::size_t, std::string> behind;
  std::vector<std::string> first, last;
};

Additions place_comments(const Scan& source, const Scan& formatted) {
  std::map<std::string_view, const Place*> known;
  for (const Place& place : formatted.places()) {
    known.emplace(place.path, &place);
  }
  const std::vector<Place>& places = source.places();
  const auto first_from = [&](std::size_t line) {
    return std::ranges::find_if(places, [line](const Place& place) { return place.line >= line; });
  };
  Additions out;
  std::vector<Comment> comments = source.comments();
  // What a blank line parts from the first key is about the whole file, and stays at its top.
  const std::size_t top = places.empty() ? 0 : places.front().line;
  std::size_t num_first = 0;
  for (std::size_t i = 0; i < comments.size() && comments[i].line < top; ++i) {
    num_first = comments[i].text.empty() ? i + 1 : num_first;
  }
  for (std::size_t i = 0; i < num_first; ++i) {
    out.first.push_back(comments[i].text);
  }
  comments.erase(comments.begin(), comments.begin() + static_cast<std::ptrdiff_t>(num_first));
  for (const Comment& comment : comments) {
    auto at = first_from(comment.own_line ? comment.line + 1 : comment.line);
    if (!comment.own_line) {
      // The first part on its line that is still there.
      while (at != places.end() && at->line == comment.line && !known.contains(at->path)) {
        ++at;
      }
      if (at != places.end() && at->line == comment.line) {
        const std::size_t line = known[at->path]->line;
        if (out.behind.emplace(line, comment.text).second) {
          continue;
        }
        out.before[line].push_back(comment.text);
        continue;
      }
    }
    while (at != places.end() && !known.contains(at->path)) {
      ++at;
    }
    std::vector<std::string>& to =
        at == places.end() ? out.last : out.before[known[at->path]->line];
    const bool second_blank = comment.text.empty() && !to.empty() && to.back().empty();
    if (!second_blank) {
      to.push_back(comment.text);
    }
  }
  while (!out.last.empty() && out.last.back().empty()) {
    out.last.pop_back();
  }
  return out;
}

/// The blocks of `source` by the line of `formatted` they stand for, as they were laid out: folded
/// text would else become one long line. Those with an indentation of their own or kept blank lines
/// at the end are written anew.
std::map<std::size_t, std::pair<const Text*, const Text*>> kept_blocks(const Scan& source,
                                                                       const Scan& formatted) {
  std::map<std::size_t, std::pair<const Text*, const Text*>> out;
  for (const auto& [path, text] : source.texts()) {
    const auto now = formatted.texts().find(path);
    if (now == formatted.texts().end() || text.body.empty() ||
        text.header.find_first_not_of("|>-") != std::string::npos) {
      continue;
    }
    out.emplace(now->second.line, std::pair(&text, &now->second));
  }
  return out;
}

}  // namespace

std::string keep_comments(std::string_view source, std::string_view formatted) {
  const Scan to(formatted);
  const Scan from(source);
  const Additions additions = place_comments(from, to);
  const auto blocks = kept_blocks(from, to);
  const std::vector<std::string_view> lines = lines_of(formatted);
  std::string out;
  const auto put = [&out](std::string_view indent, const std::vector<std::string>& comments) {
    for (const std::string& comment : comments) {
      const bool blank = comment.empty();
      if (blank && (out.empty() || out.ends_with("\n\n"))) {
        continue;
      }
      out += blank ? std::string("\n") : std::string(indent) + comment + "\n";
    }
  };
  put("", additions.first);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    if (const auto before = additions.before.find(i); before != additions.before.end()) {
      put(line.substr(0, line.find_first_not_of(' ')), before->second);
    }
    const auto block = blocks.find(i);
    if (block == blocks.end()) {
      out += line;
    } else {
      out += line.substr(0, block->second.second->column);
      out += block->second.first->header;
    }
    if (const auto behind = additions.behind.find(i); behind != additions.behind.end()) {
      out += "  " + behind->second;
    }
    out += '\n';
    if (block != blocks.end()) {
      for (const std::string& text : block->second.first->body) {
        out += text.empty() ? text : std::string(block->second.second->key_column + 2, ' ') + text;
        out += '\n';
      }
      i += block->second.second->body.size();
    }
  }
  put("", additions.last);
  return out;
}

std::int64_t count_comments(std::string_view text) {
  return std::ranges::count_if(Scan(text).comments(),
                               [](const Comment& comment) { return !comment.text.empty(); });
}

}  // namespace penstock::flow
