// What the text of a type plainly says, and whether a value of one can go where another is wanted.
//
// Texts come from Python annotations ("int | None", "Annotated[float, 'V']"), from declared inputs
// and from native ports ("table", "list of text"). Only types that every reader knows are compared;
// whatever is not one of them (Any, a class of the user's, a type variable) fits everywhere, so a
// check may miss an error and never reports one that is none.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::flow {

/// The members of a (union) type as bits, and its unit.
struct TypeText {
  std::uint32_t members = 0;  ///< 0 = unknown
  std::string_view unit;      ///< of a number or an array: "V"; empty = not stated
};

TypeText read_type_text(std::string_view text);

enum class TypeClash : std::uint8_t { kFits, kType, kUnit };

/// kType when no member of `produced` can be taken for any member of `wanted` (int is a float, bool
/// is an int, lists and tuples stand for each other); kUnit when both state a unit and they differ.
TypeClash compare_types(std::string_view produced, std::string_view wanted);

/// True for "str", "text", "str | None" and the like: a value given as text stays text.
bool is_text_type(std::string_view text);

}  // namespace penstock::flow
