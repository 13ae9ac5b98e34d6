#include "penstock/flow/type_text.h"

#include <string>

#include <gtest/gtest.h>

namespace penstock::flow {
namespace {

void expect(TypeClash wanted, const char* produced, const char* slot) {
  EXPECT_EQ(compare_types(produced, slot), wanted) << produced << " -> " << slot;
}

TEST(TypeTextTest, FindsTypesThatCannotStandForEachOther) {
  for (const auto& [produced, slot] :
       {std::pair("str", "int"),
        std::pair("int", "str"),
        std::pair("float", "int"),
        std::pair("int", "bool"),
        std::pair("list[int]", "int"),
        std::pair("dict[str, int]", "list"),
        std::pair("bytes", "str"),
        std::pair("str | None", "int"),
        std::pair("int | float", "str"),
        std::pair("Optional[str]", "int | None"),
        std::pair("Union[str, bytes]", "float"),
        std::pair("typing.List[str]", "Dict[str, int]"),
        std::pair("numpy.ndarray", "str"),
        std::pair("pandas.core.frame.DataFrame", "pyarrow.lib.Table"),
        std::pair("text", "int"),
        std::pair("Annotated[str, Name('x')]", "int"),
        std::pair("builtins.int", "str"),
        std::pair("int", "table"),
        std::pair("table", "pandas.DataFrame"),
        std::pair("list of text", "str"),
        std::pair("numpy.ndarray[tuple[Any, ...], Any]", "int")}) {
    expect(TypeClash::kType, produced, slot);
  }
}

TEST(TypeTextTest, LetsPassWhatMayFit) {
  for (const auto& [produced, slot] : {std::pair("int", "float"),
                                       std::pair("bool", "int"),
                                       std::pair("int", "complex"),
                                       std::pair("list[int]", "tuple[int, ...]"),
                                       std::pair("int | str", "int"),
                                       std::pair("int", "int | None"),
                                       std::pair("int | None", "int"),
                                       std::pair("None", "int"),
                                       std::pair("any", "int"),
                                       std::pair("", "int"),
                                       std::pair("int", "any"),
                                       std::pair("Any", "int"),
                                       std::pair("int", "object"),
                                       std::pair("T", "int"),
                                       std::pair("MyClass", "int"),
                                       std::pair("str", "Path"),
                                       std::pair("str", "Literal['a']"),
                                       std::pair("int | MyClass", "str"),
                                       std::pair("str", "int | MyClass"),
                                       std::pair("table", "pyarrow.Table"),
                                       std::pair("pandas.DataFrame", "table"),
                                       std::pair("pyarrow.lib.Table", "table"),
                                       std::pair("dict", "table"),
                                       std::pair("list of tables", "list[pyarrow.Table]"),
                                       std::pair("'int'", "str"),
                                       std::pair("Annotated[int, 5]", "float"),
                                       std::pair("Optional[", "int"),
                                       std::pair("|", "int")}) {
    expect(TypeClash::kFits, produced, slot);
  }
}

TEST(TypeTextTest, ComparesUnitsThatBothSidesState) {
  expect(TypeClash::kUnit, "Annotated[float, 'V']", "Annotated[float, 'mV']");
  expect(TypeClash::kUnit, "float [V]", "Annotated[float | None, \"mV\"]");
  expect(TypeClash::kUnit, "list[float] [V]", "list[float] [A]");
  expect(TypeClash::kFits, "float [V]", "int | float [V]");
  expect(TypeClash::kFits, "float [V]", "float");
  expect(TypeClash::kFits, "Annotated[str, 'a name']", "Annotated[str, 'a title']");
  EXPECT_EQ(read_type_text("Annotated[float, Name('x'), 'm/s']").unit, "m/s");
}

TEST(TypeTextTest, KnowsWhichInputsAreText) {
  EXPECT_TRUE(is_text_type("str"));
  EXPECT_TRUE(is_text_type("str | None"));
  EXPECT_TRUE(is_text_type("Optional[builtins.str]"));
  EXPECT_FALSE(is_text_type("str | int"));
  EXPECT_FALSE(is_text_type("any"));
}

TEST(TypeTextTest, EndsOnHostileText) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "Optional[";
  }
  EXPECT_EQ(read_type_text(deep).members, 0U);
  EXPECT_EQ(read_type_text(deep + "int" + std::string(100'000, ']')).members, 0U);
}

}  // namespace
}  // namespace penstock::flow
