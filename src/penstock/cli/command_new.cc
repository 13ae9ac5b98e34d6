// penstock new: a commented first tube that runs as it is.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "penstock/cli/commands.h"
#include "penstock/cli/python.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kTube =
    R"(# A tube: what is computed, and from what. Run it with: penstock run {0}

# Values given from outside: penstock run {0} --input 'numbers=[5, -7]'
input:
  numbers:
    type: list
    scope: process  # given anew for each run
    default: [3, -1, 2]

# The steps. Each has a name, a type and the signals it depends on (node.signal).
nodes:
  # A map runs what depends on it once for each element of a list.
  each:
    type: map
    depends: input.numbers

  # A function of Python. One of your own is named by its module: 'type: my_module.my_function'
  # calls my_function of my_module.py, beside this file. 'penstock ops list' shows operators.
  size:
    type: abs
    depends: each.value

  # Collects the elements again.
  all:
    type: gather
    depends: size.value

  total:
    type: sum
    depends: all.value

  # What the run gives: here a dict. With 'depends: total.value' it is the bare value.
  out:
    type: return
    depends:
      - sizes: all.value
      - total: total.value
)";

constexpr std::string_view kFunctions =
    R"("""A pipeline of plain functions. Run it with: penstock run {0}"""

# A function is a step; its name is the name of its value.
# A parameter takes the value of that name: of a function, or else of an input.


# No function is named 'count': it is an input, and 3 is its value when none is given:
# penstock run {0} --input count=5
def numbers(count: int = 3) -> list[int]:
    return list(range(1, count + 1))


def squares(numbers: list[int]) -> list[int]:
    return [_square(number) for number in numbers]


# What nobody takes is the result. A function named 'result' would be it alone.
def total(squares: list[int]) -> int:
    return sum(squares)


# A name that starts with '_' is no step.
def _square(number: int) -> int:
    return number * number
)";

}  // namespace

int make_new(const NewCommand& command, Session& session) {
  const std::string& path = command.file;
  const bool python = command.python || is_pipeline_file(path);
  if (python && !is_pipeline_file(path)) {
    return usage_error(session, fmt::format("'{}' is no name of a Python file", path),
                       "end it with .py");
  }
  // x: a file that exists is never touched, also when it appears at this very moment.
  std::FILE* const file = std::fopen(path.c_str(), "wbx");
  if (file == nullptr && errno == EEXIST) {
    session.terminal.error(base::Error(base::ErrorCode::kAlreadyExists,
                                       fmt::format("'{}' exists; nothing was written", path))
                               .with_id("PS0909"));
    return kFailed;
  }
  const std::string text = fmt::format(fmt::runtime(python ? kFunctions : kTube), path);
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written = file != nullptr && std::fclose(file) == 0 && written;
  if (!written) {
    session.terminal.error(
        base::Error(base::ErrorCode::kUnavailable,
                    fmt::format("cannot write '{}': {}", path, std::strerror(errno)))
            .with_id("PS0909"));
    return kFailed;
  }
  session.terminal.note(fmt::format("wrote {0}; run it: penstock run {0}", path));
  return kOk;
}

}  // namespace penstock::cli
