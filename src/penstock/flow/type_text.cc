// See type_text.h. Nothing here allocates: it is asked for every edge of a tube.
#include "penstock/flow/type_text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace penstock::flow {
namespace {

constexpr int kMaxNesting = 16;

enum Member : std::uint32_t {
  kNoneType = 1U << 0U,
  kBool = 1U << 1U,
  kInt = 1U << 2U,
  kFloat = 1U << 3U,
  kComplex = 1U << 4U,
  kText = 1U << 5U,
  kBytes = 1U << 6U,
  kSequence = 1U << 7U,
  kSet = 1U << 8U,
  kMap = 1U << 9U,
  kArray = 1U << 10U,
  kNativeTable = 1U << 11U,
  kArrowTable = 1U << 12U,
  kPandasFrame = 1U << 13U,
};
constexpr std::uint32_t kNumbers = kInt | kFloat | kComplex | kArray | kSequence;
constexpr std::uint32_t kNoTable = kBool | kInt | kFloat | kComplex | kText | kBytes;

constexpr auto kNames = std::to_array<std::pair<std::string_view, Member>>({
    {"None", kNoneType},
    {"NoneType", kNoneType},
    {"bool", kBool},
    {"int", kInt},
    {"float", kFloat},
    {"complex", kComplex},
    {"str", kText},
    {"text", kText},
    {"string", kText},
    {"bytes", kBytes},
    {"list", kSequence},
    {"List", kSequence},
    {"tuple", kSequence},
    {"Tuple", kSequence},
    {"set", kSet},
    {"Set", kSet},
    {"frozenset", kSet},
    {"dict", kMap},
    {"Dict", kMap},
    {"map", kMap},
    {"ndarray", kArray},
    {"np.ndarray", kArray},
    {"numpy.ndarray", kArray},
    {"table", kNativeTable},
    {"pa.Table", kArrowTable},
    {"pyarrow.Table", kArrowTable},
    {"pyarrow.lib.Table", kArrowTable},
    {"pd.DataFrame", kPandasFrame},
    {"pandas.DataFrame", kPandasFrame},
    {"pandas.core.frame.DataFrame", kPandasFrame},
});

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// Takes the part up to the next `separator` outside brackets and quotes off `text`.
std::string_view take_part(std::string_view& text, char separator) {
  int depth = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      quote = c == quote ? '\0' : quote;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '(' || c == '{') {
      ++depth;
    } else if (c == ']' || c == ')' || c == '}') {
      --depth;
    } else if (c == separator && depth == 0) {
      const std::string_view part = text.substr(0, i);
      text.remove_prefix(i + 1);
      return trimmed(part);
    }
  }
  return trimmed(std::exchange(text, {}));
}

bool is_quoted(std::string_view text) {
  return text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
         text.back() == text.front();
}

TypeText read(std::string_view text, int depth);

/// The members of all `separator`-separated parts; unknown as soon as one is.
TypeText read_union(std::string_view text, char separator, int depth) {
  TypeText out;
  while (!text.empty()) {
    const TypeText part = read(take_part(text, separator), depth + 1);
    if (part.members == 0) {
      return {};
    }
    out.members |= part.members;
    out.unit = out.unit.empty() ? part.unit : out.unit;
  }
  return out;
}

/// Annotated[type, "V", ...]: the first plain text is the unit.
TypeText read_annotated(std::string_view inner, int depth) {
  TypeText out = read(take_part(inner, ','), depth + 1);
  while (!inner.empty()) {
    const std::string_view part = take_part(inner, ',');
    if (is_quoted(part)) {
      out.unit = part.substr(1, part.size() - 2);
      break;
    }
  }
  return out;
}

TypeText read(std::string_view text, int depth) {
  text = trimmed(text);
  if (text.empty() || depth > kMaxNesting) {
    return {};
  }
  // A unit: "float [V]". A blank comes before it, other than in "list[float]".
  if (const std::size_t at = text.rfind(" ["); text.ends_with(']') && at != text.npos) {
    const std::string_view unit = text.substr(at + 2, text.size() - at - 3);
    if (unit.find_first_of("[](), ") == unit.npos) {
      TypeText out = read(text.substr(0, at), depth + 1);
      out.unit = unit;
      return out;
    }
  }
  if (std::string_view rest = text; take_part(rest, '|').size() != text.size()) {
    return read_union(text, '|', depth);
  }
  if (text.starts_with("list of ")) {
    return {.members = kSequence, .unit = {}};
  }
  const std::size_t open = text.find('[');
  std::string_view name = trimmed(text.substr(0, open));
  for (const std::string_view prefix : {"typing.", "builtins."}) {
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
    }
  }
  if (open != text.npos && text.ends_with(']')) {
    const std::string_view inner = text.substr(open + 1, text.size() - open - 2);
    if (name == "Annotated") {
      return read_annotated(inner, depth);
    }
    if (name == "Union") {
      return read_union(inner, ',', depth);
    }
    if (name == "Optional") {
      TypeText out = read(inner, depth + 1);
      out.members |= out.members == 0 ? 0U : static_cast<std::uint32_t>(kNoneType);
      return out;
    }
  }
  const auto* const known =
      std::ranges::find(kNames, name, &std::pair<std::string_view, Member>::first);
  return {.members = known == kNames.end() ? 0U : static_cast<std::uint32_t>(known->second),
          .unit = {}};
}

/// Everything that can be taken for one of `members`.
std::uint32_t accepted(std::uint32_t members) {
  std::uint32_t out = members;
  out |= (out & kComplex) != 0 ? kFloat : 0U;
  out |= (out & kFloat) != 0 ? kInt : 0U;
  out |= (out & kInt) != 0 ? kBool : 0U;
  out |= (out & kArrowTable) != 0 ? kNativeTable : 0U;
  // A native port takes whatever can be read as a table; numbers and text cannot.
  out |= (members & kNativeTable) != 0 ? ~static_cast<std::uint32_t>(kNoTable) : 0U;
  return out;
}

}  // namespace

TypeText read_type_text(std::string_view text) {
  TypeText out = read(text, 0);
  if ((out.members & ~(kNumbers | kNoneType)) != 0 || (out.members & kNumbers) == 0) {
    out.unit = {};  // only what is measured has one
  }
  return out;
}

TypeClash compare_types(std::string_view produced, std::string_view wanted) {
  if (produced == wanted || produced.empty() || wanted.empty() || produced == "any" ||
      wanted == "any") {
    return TypeClash::kFits;
  }
  const TypeText from = read_type_text(produced);
  const TypeText to = read_type_text(wanted);
  // None alone says nothing about the value, and None beside others need not come.
  const std::uint32_t values = from.members & ~static_cast<std::uint32_t>(kNoneType);
  const bool comparable = values != 0 && (to.members & ~static_cast<std::uint32_t>(kNoneType)) != 0;
  if (comparable && (values & accepted(to.members)) == 0) {
    return TypeClash::kType;
  }
  if (!from.unit.empty() && !to.unit.empty() && from.unit != to.unit) {
    return TypeClash::kUnit;
  }
  return TypeClash::kFits;
}

bool is_text_type(std::string_view text) {
  const TypeText type = read_type_text(text);
  return (type.members & ~static_cast<std::uint32_t>(kNoneType)) == kText;
}

}  // namespace penstock::flow
