// Reading Python functions: what is plain is read, everything else is left unknown.
#include "penstock/cli/python_source.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

using testing::ElementsAre;
using testing::Optional;

std::vector<std::string> slot_texts(const PythonFunction& function) {
  std::vector<std::string> out;
  for (const core::Slot& slot : function.slots) {
    out.push_back(fmt::format("{}:{}{}{}{}", slot.name, slot.type, slot.has_default ? "=" : "",
                              slot.positional ? "" : " keyword", slot.required ? "" : " optional"));
  }
  return out;
}

TEST(PythonSourceTest, ReadsParametersAndSignals) {
  const auto function = read_python_function(R"py(
from typing import Annotated as A

def f(a, b: int, /, c: dict[str, int] = {"x": (1, 2)}, *args, d: str | None = None, e="a, b)", **kw):
    return a
)py",
                                             "f");
  ASSERT_TRUE(function);
  EXPECT_THAT(slot_texts(*function),
              ElementsAre("a:any", "b:int", "c:dict[str, int]=", "d:str | None= keyword optional",
                          "e:any= keyword"));
  EXPECT_TRUE(function->any_positional);
  EXPECT_TRUE(function->any_keyword);
  EXPECT_THAT(function->signals, Optional(ElementsAre("value")));
  EXPECT_FALSE(function->is_generator);
}

TEST(PythonSourceTest, ReadsNamedSignals) {
  const auto signals = [](std::string_view annotation) {
    return read_python_function(fmt::format("def f(){}:\n    pass\n", annotation), "f")->signals;
  };
  EXPECT_THAT(signals(""), Optional(ElementsAre("value")));
  EXPECT_THAT(signals(" -> None"), Optional(ElementsAre("value")));
  EXPECT_THAT(signals(" -> tuple[int, str]"), Optional(ElementsAre("value")));
  EXPECT_THAT(signals(" -> Annotated[int, Name(\"index\")]"), Optional(ElementsAre("index")));
  EXPECT_THAT(signals(" -> tuple[Annotated[int, Name('a')],\n    Annotated[int, Name('b')]]"),
              Optional(ElementsAre("a", "b")));
  EXPECT_EQ(signals(" -> Index"), std::nullopt);
  EXPECT_EQ(signals(" -> \"Index\""), std::nullopt);
  EXPECT_EQ(signals(" -> Annotated[int, marker]"), std::nullopt);
  EXPECT_EQ(signals(" -> Annotated[int, Name(NAME)]"), std::nullopt);
}

TEST(PythonSourceTest, KnowsAGenerator) {
  const auto function = read_python_function(
      "def g(n):\n    '''yield'''\n    for i in range(n):\n\n        yield i\n\ndef h(): pass\n",
      "g");
  ASSERT_TRUE(function);
  EXPECT_TRUE(function->is_generator);
  EXPECT_FALSE(
      read_python_function(
          "def g(n):\n    '''yield'''  # yield\n    return n\ndef h():\n    yield 1\n", "g")
          ->is_generator);
}

TEST(PythonSourceTest, LeavesAloneWhatIsNotPlain) {
  const auto known = [](std::string_view source) {
    return read_python_function(source, "f").has_value();
  };
  EXPECT_TRUE(known("x = g(\n  1\n)\n\ndef f(a): pass\n"));
  EXPECT_FALSE(known("@cached\ndef f(a): pass\n"));
  EXPECT_FALSE(known("@cached(\n  1\n)\ndef f(a): pass\n"));
  EXPECT_FALSE(known("def f(a): pass\nf = wrap(f)\n"));
  EXPECT_FALSE(known("def f(a): pass\ndef f(b): pass\n"));
  EXPECT_FALSE(known("from other import f\n"));
  EXPECT_FALSE(known("def f(a): pass\nfrom other import g as f\n"));
  EXPECT_FALSE(known("class f:\n    def f(self): pass\n"));
  EXPECT_FALSE(known("if True:\n    def f(a): pass\n"));
  EXPECT_FALSE(known("async def f(a): pass\n"));
  EXPECT_FALSE(known("'''\ndef f(a): pass\n'''\n"));
  EXPECT_FALSE(known("# def f(a): pass\n"));
  EXPECT_FALSE(known("def f(a, (b, c)): pass\n"));
  EXPECT_FALSE(known("def f(a\n"));
  EXPECT_FALSE(known("s = 'never closed\ndef f(a): pass\n"));
  EXPECT_FALSE(known(""));
}

TEST(PythonSourceTest, WhatTheRunMayGiveNeedNoEdge) {
  const auto function = read_python_function(
      "def f(x: int, a: Epoch, b: ps.Epoch, c: 'ps.EventMap', d: Epochs, e: '): pass\n", "f");
  EXPECT_FALSE(function);  // the last text never ends
  const auto whole = read_python_function(
      "def f(x: int, a: Epoch, b: ps.Epoch, c: 'ps.EventMap', d: Epochs): pass\n", "f");
  ASSERT_TRUE(whole);
  std::string open;
  for (const core::Slot& slot : whole->slots) {
    open += slot.has_default ? "" : slot.name;
  }
  EXPECT_EQ(open, "xd");
}

TEST(PythonSourceTest, MasksStringsAndComments) {
  EXPECT_EQ(mask_python("a = 'x#y' # z\nb"), "a =          \nb");
  EXPECT_EQ(mask_python("\"\"\"a\n'\"\"\"b"), "    \n    b");
  EXPECT_EQ(mask_python("'a\\'b' c"), "       c");
  EXPECT_EQ(mask_python("'a"), "");
}

TEST(PythonSourceTest, FindsModulesBesideTheTube) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("penstock-source-{}", getpid());
  std::filesystem::create_directories(folder / "pkg");
  std::ofstream(folder / "tube.yaml") << "nodes: {}\n";
  std::ofstream(folder / "steps.py") << "def load(path): pass\n\ndef other(): pass\n";
  std::ofstream(folder / "pkg" / "__init__.py") << "def inside(x): pass\n";
  std::ofstream(folder / "all.py") << "from steps import *\n";
  PythonSources sources((folder / "tube.yaml").string());
  EXPECT_TRUE(sources.find("steps.load").function);
  EXPECT_TRUE(sources.find("pkg.inside").function);
  EXPECT_FALSE(sources.find("nowhere.load").function);
  EXPECT_FALSE(sources.find("nowhere.load").missing);
  EXPECT_TRUE(sources.find("steps.laod").missing);
  EXPECT_EQ(sources.find("steps.laod").nearest, "load");
  EXPECT_FALSE(sources.find("all.load").missing);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace penstock::cli
