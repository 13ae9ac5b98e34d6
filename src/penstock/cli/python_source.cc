// See python_source.h.
#include "penstock/cli/python_source.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fmt/format.h>

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxSourceBytes = 4 << 20;

/// Names in a return annotation that carry no signal names of their own.
constexpr auto kPlainTypes = std::to_array<std::string_view>(
    {"int",       "float",    "str",       "bool",      "bytes",    "complex",  "list",
     "dict",      "tuple",    "set",       "frozenset", "object",   "None",     "Any",
     "Optional",  "Union",    "List",      "Dict",      "Tuple",    "Set",      "Sequence",
     "Mapping",   "Iterable", "Iterator",  "Generator", "Callable", "typing",   "collections",
     "abc",       "np",       "numpy",     "ndarray",   "pa",       "pyarrow",  "Table",
     "pd",        "pandas",   "DataFrame", "Series",    "Path",     "datetime", "date",
     "timedelta", "Decimal"});

bool is_word(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\f\\");
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(" \t\r\n\f\\") - begin + 1);
}

/// Every place of `word` in `text` that stands alone.
std::vector<std::size_t> places(std::string_view text, std::string_view word) {
  std::vector<std::size_t> out;
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) {
      out.push_back(at);
    }
  }
  return out;
}

bool contains_word(std::string_view text, std::string_view word) {
  return !places(text, word).empty();
}

/// End of the string that starts at `at` (its opening quote); npos when it never ends.
std::size_t string_end(std::string_view source, std::size_t at) {
  const char quote = source[at];
  const std::string triple(3, quote);
  const bool is_triple = source.substr(at).starts_with(triple);
  for (std::size_t i = at + (is_triple ? 3 : 1); i < source.size(); ++i) {
    if (source[i] == '\\') {
      ++i;
    } else if (is_triple ? source.substr(i).starts_with(triple) : source[i] == quote) {
      return i + (is_triple ? 3 : 1);
    } else if (!is_triple && source[i] == '\n') {
      return std::string_view::npos;
    }
  }
  return std::string_view::npos;
}

/// Index of the bracket that closes the one at `open`; npos when none does.
std::size_t closing(std::string_view masked, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < masked.size(); ++i) {
    if (masked[i] == '(' || masked[i] == '[' || masked[i] == '{') {
      ++depth;
    } else if (masked[i] == ')' || masked[i] == ']' || masked[i] == '}') {
      if (--depth == 0) {
        return i;
      }
    }
  }
  return std::string_view::npos;
}

/// First `wanted` outside brackets; npos when there is none.
std::size_t find_outside(std::string_view masked, char wanted, std::size_t from = 0) {
  int depth = 0;
  for (std::size_t i = from; i < masked.size(); ++i) {
    const char c = masked[i];
    if (depth == 0 && c == wanted) {
      return i;
    }
    depth += c == '(' || c == '[' || c == '{' ? 1 : c == ')' || c == ']' || c == '}' ? -1 : 0;
  }
  return std::string_view::npos;
}

std::string_view line_at(std::string_view text, std::size_t begin) {
  return text.substr(begin, text.find('\n', begin) - begin);
}

/// Starts of the lines that begin in the first column.
std::vector<std::size_t> top_lines(std::string_view masked) {
  std::vector<std::size_t> out;
  for (std::size_t begin = 0; begin < masked.size();) {
    const char first = masked[begin];
    if (first != ' ' && first != '\t' && first != '\n' && first != '\r') {
      out.push_back(begin);
    }
    const std::size_t end = masked.find('\n', begin);
    begin = end == std::string_view::npos ? masked.size() : end + 1;
  }
  return out;
}

/// The name a line in the first column binds by def or class; empty otherwise.
std::string_view defined_name(std::string_view line) {
  for (const std::string_view word : {"async def ", "def ", "class "}) {
    if (line.starts_with(word)) {
      const std::string_view rest = trimmed(line.substr(word.size()));
      const auto end = std::ranges::find_if(rest, [](char c) { return !is_word(c); });
      return rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
    }
  }
  return {};
}

/// True when the line above `begin` is blank: what ended there was no decorator.
bool is_after_blank(std::string_view masked, std::size_t begin) {
  if (begin < 2) {
    return true;
  }
  const std::size_t start = masked.rfind('\n', begin - 2);
  return trimmed(masked.substr(start == std::string_view::npos ? 0 : start,
                               begin - (start == std::string_view::npos ? 0 : start)))
      .empty();
}

/// The only binding of `name` in the first column, if it is an undecorated def; npos otherwise.
std::size_t find_plain_def(std::string_view masked, std::string_view name) {
  std::size_t found = std::string_view::npos;
  char before = ' ';  // first character of the top-level line above
  for (const std::size_t begin : top_lines(masked)) {
    const std::string_view line = line_at(masked, begin);
    const bool is_def = defined_name(line) == name;
    const bool binds = is_def || ((line.starts_with(name) || line.contains("import")) &&
                                  contains_word(line, name));
    if (binds) {
      const bool decorated = before == '@' || (before == ')' && !is_after_blank(masked, begin));
      const bool plain =
          is_def && line.starts_with("def ") && !decorated && found == std::string_view::npos;
      if (!plain) {
        return std::string_view::npos;
      }
      found = begin;
    }
    before = line.front();
  }
  return found;
}

/// An annotation as _nodes.py writes it: Annotated[float, "V"] is "float [V]".
std::string type_of(std::string_view annotation) {
  annotation = trimmed(annotation);
  const std::size_t open = annotation.find('[');
  const std::string_view name = trimmed(annotation.substr(0, open));
  if ((name != "Annotated" && name != "typing.Annotated") || !annotation.ends_with(']')) {
    return std::string(annotation);
  }
  std::string_view rest = annotation.substr(open + 1, annotation.size() - open - 2);
  const std::size_t comma = find_outside(rest, ',');
  const std::string bare(trimmed(rest.substr(0, comma)));
  for (std::size_t at = comma; at != std::string_view::npos; at = find_outside(rest, ',')) {
    rest.remove_prefix(at + 1);
    const std::string_view part = trimmed(rest.substr(0, find_outside(rest, ',')));
    const bool quoted = part.size() > 2 && (part.front() == '"' || part.front() == '\'') &&
                        part.back() == part.front();
    if (quoted) {
      const std::string_view unit = part.substr(1, part.size() - 2);
      return unit.contains(' ') ? bare : fmt::format("{} [{}]", bare, unit);
    }
  }
  return bare;
}

/// Parameters annotated so are given by the run; a class of the user's may have such a name too,
/// and its parameter may be connected, so this only says that it need not be.
bool may_be_injected(std::string_view type) {
  while (!type.empty() && (type.front() == '"' || type.front() == '\'')) {
    type = type.substr(1, type.size() - 2);
  }
  const std::string_view last = type.substr(type.rfind('.') + 1);
  return last == "Epoch" || last == "EventMap";
}

/// Reads one parameter; false when it is not understood.
bool read_parameter(std::string_view masked, std::string_view source, bool keyword_only,
                    PythonFunction& out) {
  const std::size_t equals = find_outside(masked, '=');
  const std::string_view head = masked.substr(0, equals);
  const std::size_t colon = find_outside(head, ':');
  const std::string_view name = trimmed(head.substr(0, colon));
  if (name.empty() || !std::ranges::all_of(name, is_word)) {
    return false;
  }
  core::Slot slot;
  slot.name = name;
  slot.has_default = equals != std::string_view::npos;
  slot.positional = !keyword_only;
  slot.type = "any";
  if (colon != std::string_view::npos) {
    const std::size_t end = equals == std::string_view::npos ? source.size() : equals;
    slot.type = type_of(source.substr(colon + 1, end - colon - 1));
  }
  slot.has_default = slot.has_default || may_be_injected(slot.type);
  const bool admits_none = contains_word(slot.type, "None") || contains_word(slot.type, "Optional");
  const bool none_default = slot.has_default && trimmed(source.substr(equals + 1)) == "None";
  slot.required = !(none_default && admits_none);
  out.slots.push_back(std::move(slot));
  return true;
}

bool read_parameters(std::string_view masked, std::string_view source, PythonFunction& out) {
  bool keyword_only = false;
  for (std::size_t begin = 0; begin <= masked.size();) {
    const std::size_t end = std::min(find_outside(masked, ',', begin), masked.size());
    const std::string_view part = trimmed(masked.substr(begin, end - begin));
    if (part.starts_with("**")) {
      out.any_keyword = true;
    } else if (part.starts_with("*")) {
      out.any_positional = out.any_positional || part.size() > 1;
      keyword_only = true;
    } else if (!part.empty() && part != "/" &&
               !read_parameter(masked.substr(begin, end - begin), source.substr(begin, end - begin),
                               keyword_only, out)) {
      return false;
    }
    begin = end + 1;
  }
  return true;
}

/// The names in `Name("...")` of a return annotation; none when the annotation says more than that.
std::optional<std::vector<std::string>> read_signals(std::string_view masked,
                                                     std::string_view source) {
  if (trimmed(masked).empty()) {
    return std::vector<std::string>{"value"};
  }
  std::vector<std::string> names;
  const auto marks = places(masked, "Name");
  for (const std::size_t at : marks) {
    const std::size_t open = masked.find('(', at);
    const std::size_t close = open == std::string_view::npos ? open : closing(masked, open);
    if (close == std::string_view::npos || !trimmed(masked.substr(at + 4, open - at - 4)).empty()) {
      return std::nullopt;
    }
    const std::string_view text = trimmed(source.substr(open + 1, close - open - 1));
    const bool quoted = text.size() > 2 && (text.front() == '"' || text.front() == '\'') &&
                        text.back() == text.front() &&
                        std::ranges::all_of(text.substr(1, text.size() - 2), is_word);
    if (!quoted) {
      return std::nullopt;
    }
    names.emplace_back(text.substr(1, text.size() - 2));
  }
  // Metadata that is plain text (a unit) names nothing; other names are refused below.
  if (places(masked, "Annotated").size() < marks.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < masked.size();) {
    const std::size_t begin = i;
    while (i < masked.size() && is_word(masked[i])) {
      ++i;
    }
    const std::string_view word = masked.substr(begin, i - begin);
    const bool known = word.empty() || word == "Annotated" || word == "Name" || word == "ps" ||
                       word == "penstock" || word == "noob" ||
                       std::ranges::find(kPlainTypes, word) != kPlainTypes.end();
    if (!known) {
      return std::nullopt;
    }
    i += word.empty() ? 1 : 0;
  }
  return names.empty() ? std::vector<std::string>{"value"} : names;
}

/// What one event is: of a generator, the first part of Iterator[...] or Generator[...].
std::string emitted_type(std::string_view annotation, bool is_generator) {
  annotation = trimmed(annotation);
  if (!is_generator) {
    return type_of(annotation);
  }
  const std::size_t open = annotation.find('[');
  if (open == std::string_view::npos || !annotation.ends_with(']')) {
    return {};
  }
  const std::string_view inner = annotation.substr(open + 1, annotation.size() - open - 2);
  return type_of(inner.substr(0, find_outside(inner, ',')));
}

/// The body of the function whose header ends at `from`: up to the next line in the first column.
std::string_view body_of(std::string_view masked, std::size_t from) {
  std::size_t end = masked.find('\n', from);
  while (end != std::string_view::npos && end + 1 < masked.size()) {
    const char first = masked[end + 1];
    if (first != ' ' && first != '\t' && first != '\n' && first != '\r') {
      break;
    }
    end = masked.find('\n', end + 1);
  }
  return masked.substr(from, end == std::string_view::npos ? end : end - from);
}

}  // namespace

std::string mask_python(std::string_view source) {
  std::string out(source);
  const auto blank = [&out](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      out[i] = out[i] == '\n' ? '\n' : ' ';
    }
  };
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '#') {
      const std::size_t end = std::min(source.find('\n', i), source.size());
      blank(i, end);
      i = end;
    } else if (source[i] == '"' || source[i] == '\'') {
      const std::size_t end = string_end(source, i);
      if (end == std::string_view::npos) {
        return {};
      }
      blank(i, end);
      i = end - 1;
    }
  }
  return out;
}

std::vector<std::string> python_names(std::string_view masked) {
  std::vector<std::string> out;
  for (const std::size_t begin : top_lines(masked)) {
    if (const std::string_view name = defined_name(line_at(masked, begin)); !name.empty()) {
      out.emplace_back(name);
    }
  }
  return out;
}

std::optional<PythonFunction> read_python_function(std::string_view source, std::string_view name) {
  const std::string masked_text = mask_python(source);
  const std::string_view masked = masked_text;
  const std::size_t begin = find_plain_def(masked, name);
  if (begin == std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t open = masked.find('(', begin);
  const std::size_t close = open == std::string_view::npos ? open : closing(masked, open);
  const std::size_t colon =
      close == std::string_view::npos ? close : find_outside(masked, ':', close + 1);
  if (colon == std::string_view::npos || masked.substr(begin, open - begin).contains('[')) {
    return std::nullopt;
  }
  PythonFunction out;
  if (!read_parameters(masked.substr(open + 1, close - open - 1),
                       source.substr(open + 1, close - open - 1), out)) {
    return std::nullopt;
  }
  out.is_generator = contains_word(body_of(masked, colon), "yield");
  const std::size_t arrow = masked.find("->", close);
  if (arrow == std::string_view::npos || arrow > colon) {
    out.signals = {"value"};
  } else {
    const std::string_view annotation = source.substr(arrow + 2, colon - arrow - 2);
    out.signals = read_signals(masked.substr(arrow + 2, colon - arrow - 2), annotation);
    const bool quoted = annotation.find_first_of("\"'") != std::string_view::npos;
    if (quoted && !contains_word(annotation, "Name") && !contains_word(annotation, "Annotated")) {
      out.signals = std::nullopt;  // a forward reference, to who knows what
    } else if (out.signals && out.signals->size() == 1) {
      out.signal_type = emitted_type(annotation, out.is_generator);
    }
  }
  return out;
}

PythonSources::PythonSources(const std::string& file) {
  std::error_code failed;
  if (const fs::path folder = fs::path(file).parent_path(); fs::exists(file, failed)) {
    roots_.push_back(folder.empty() ? fs::path(".") : folder);
  }
  roots_.emplace_back(".");
  const char* const path = std::getenv("PYTHONPATH");
  const std::string_view all = path == nullptr ? "" : path;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find(':', begin), all.size());
    if (end > begin) {
      roots_.emplace_back(all.substr(begin, end - begin));
    }
    begin = end + 1;
  }
}

const std::string* PythonSources::load(const std::string& module) {
  const auto [entry, is_new] = modules_.try_emplace(module);
  std::optional<std::string>& source = entry->second;
  if (is_new) {
    std::string relative = module;
    std::ranges::replace(relative, '.', '/');
    for (const fs::path& root : roots_) {
      std::error_code failed;
      // A package is where this root's import ends, whatever the others have.
      const bool is_package = fs::is_directory(root / relative, failed);
      const fs::path path =
          is_package ? root / relative / "__init__.py" : root / (relative + ".py");
      if (const auto size = fs::file_size(path, failed); !failed && size <= kMaxSourceBytes) {
        std::ifstream stream(path, std::ios::binary);
        source.emplace(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
      }
      if (source.has_value() || is_package) {
        break;
      }
    }
  }
  return source.has_value() ? &*source : nullptr;
}

PythonSources::Found PythonSources::find(const std::string& type) {
  Found out;
  const std::size_t dot = type.rfind('.');
  const std::string* const source = dot == std::string::npos ? nullptr : load(type.substr(0, dot));
  if (source == nullptr) {
    return out;
  }
  const std::string name = type.substr(dot + 1);
  out.function = read_python_function(*source, name);
  if (!out.function) {
    const std::string masked = mask_python(*source);
    const bool dynamic = masked.empty() || masked.contains("import *") ||
                         contains_word(masked, "__getattr__") || contains_word(masked, "globals") ||
                         contains_word(masked, "setattr") || contains_word(masked, "exec") ||
                         contains_word(masked, "vars") || contains_word(masked, "__dict__");
    out.missing = !dynamic && !contains_word(masked, name);
    out.nearest = out.missing ? core::nearest_name(name, python_names(masked)) : std::string();
  }
  return out;
}

}  // namespace penstock::cli
