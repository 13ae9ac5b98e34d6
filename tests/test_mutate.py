"""tools/mutate: the sites of a small source, what each mutant of it does, and what a sample is."""

import subprocess
from pathlib import Path

import pytest
from mutation import sample, schemata, sites

TOOLS = Path(__file__).resolve().parent.parent / "tools" / "mutation"

SOURCE = rb"""#include <cstdio>
#include <expected>
#include <string>
#include <vector>

namespace base {
using Status = std::expected<void, int>;
}

#define PENSTOCK_CHECK(condition) do { if (!(condition)) { std::puts("0 < 1"); } } while (false)

constexpr int kLimit = 10 + 1;
static_assert(kLimit > 10);

template <int N>
struct Box {
  char bytes[N + 1];
};

base::Status positive(int x) {
  if (x <= 0) {  // x < 0 is a comment
    return std::unexpected(x);
  }
  return {};
}

int sum(const std::vector<int>& items, bool odd_only) {
  int total = 0;
  for (const int item : items) {
    if (odd_only && item % 2 == 0) {
      continue;
    }
    total += item;
  }
  PENSTOCK_CHECK(total + 1 > 0);
  return total + kLimit;
}

int main() {
  const std::vector<int> items{5, 7, 8};
  const int all = sum(items, false);
  switch (all) {
    case 31:
      std::printf("%d ", all - 1);
      break;
    default:
      std::printf("? ");
  }
  std::printf("%d %zu ", positive(0) ? 3 : 4, sizeof(Box<2>));
  std::string text = "a < b && true " + std::to_string(all);
  do {
    std::puts(text.c_str());
  } while (text.empty());
}
"""
NORMAL = "30 4 3 a < b && true 31\n"
# What there is to find, and what each prints.
WANTED = [
    (21, "condition", "is negated", "30 3 3 a < b && true 31\n"),
    (21, "relation", "<= becomes <", "30 3 3 a < b && true 31\n"),
    (21, "constant", "0 becomes 1", NORMAL),
    (22, "status", "gives success", "30 3 3 a < b && true 31\n"),
    (28, "constant", "0 becomes 1", "? 4 3 a < b && true 32\n"),
    (30, "condition", "is negated", "? 4 3 a < b && true 11\n"),
    (30, "logic", "&& becomes ||", "? 4 3 a < b && true 23\n"),
    (30, "relation", "== becomes !=", NORMAL),
    (30, "constant", "2 becomes 2 + 1", NORMAL),
    (30, "constant", "0 becomes 1", NORMAL),
    (31, "jump", "is removed", NORMAL),
    (33, "statement", "is removed", "? 4 3 a < b && true 11\n"),
    (36, "arithmetic", "+ becomes -", "? 4 3 a < b && true 9\n"),
    (40, "constant", "5 becomes 5 + 1", "? 4 3 a < b && true 32\n"),
    (40, "constant", "7 becomes 7 + 1", "? 4 3 a < b && true 32\n"),
    (40, "constant", "8 becomes 8 + 1", "? 4 3 a < b && true 32\n"),
    (41, "truth", "false becomes true", "? 4 3 a < b && true 23\n"),
    (44, "statement", "is removed", "4 3 a < b && true 31\n"),
    (44, "arithmetic", "- becomes +", "32 4 3 a < b && true 31\n"),
    (44, "constant", "1 becomes 0", "31 4 3 a < b && true 31\n"),
    (45, "jump", "is removed", "30 ? 4 3 a < b && true 31\n"),
    (47, "statement", "is removed", NORMAL),
    (49, "statement", "is removed", "30 a < b && true 31\n"),
    (49, "condition", "is negated", "30 3 3 a < b && true 31\n"),
    (49, "constant", "0 becomes 1", "30 3 3 a < b && true 31\n"),
    (49, "constant", "3 becomes 3 + 1", NORMAL),
    (49, "constant", "4 becomes 4 + 1", "30 5 3 a < b && true 31\n"),
    (52, "statement", "is removed", "30 4 3 "),
    (53, "condition", "is negated", None),  # goes on for ever
]


def found():
    return sites.find_sites("small.cc", SOURCE)


def test_the_sites_of_a_small_source():
    assert [(site.line, site.operator, site.after) for site in found()] == [row[:3] for row in WANTED]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutate")
    copy = schemata.mutate(SOURCE, dict(enumerate(found())))
    (folder / "small.cc").write_bytes(copy.text)
    (folder / "penstock_mutant.h").write_bytes((TOOLS / "mutant.h").read_bytes())
    subprocess.run(["g++", "-std=c++23", "-Wall", "-Wextra", "-Werror", "-O0", "small.cc", "-o", "small"], cwd=folder, check=True)
    return folder / "small"


def run(program, **variables):
    done = subprocess.run([program], env=variables, capture_output=True, text=True, timeout=10)
    assert done.returncode == 0
    return done.stdout


def test_no_mutant_changes_anything_until_it_is_chosen(program):
    assert run(program) == NORMAL
    assert run(program, PENSTOCK_MUTANT=str(len(WANTED))) == NORMAL


@pytest.mark.parametrize("number", [number for number, row in enumerate(WANTED) if row[3] is not None])
def test_the_chosen_mutant_does_what_it_says(program, number):
    assert run(program, PENSTOCK_MUTANT=str(number)) == WANTED[number][3]


def test_a_mutant_may_loop_for_ever(program):
    [number] = [number for number, row in enumerate(WANTED) if row[3] is None]
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([program], env={"PENSTOCK_MUTANT": str(number)}, stdout=subprocess.DEVNULL, timeout=0.3)


def test_the_sites_that_a_run_reaches_are_recorded(program, tmp_path):
    record = tmp_path / "reached"
    record.write_bytes(bytes(len(WANTED)))
    assert run(program, PENSTOCK_MUTANT_REACHED=str(record)) == NORMAL
    unreached = [WANTED[number][:2] for number, byte in enumerate(record.read_bytes()) if not byte]
    # `odd_only` is false, so that the other side of && is not asked; the number is no 32; positive(0) is none.
    assert unreached == [
        (30, "relation"), (30, "constant"), (30, "constant"), (31, "jump"), (47, "statement"), (49, "constant"),
    ]  # fmt: skip


def test_a_place_the_compiler_names_leads_to_its_site():
    numbered = dict(enumerate(found()))
    copy = schemata.mutate(SOURCE, numbered)
    lines = copy.text.split(b"\n")
    at = next(number for number, line in enumerate(lines) if b"item % " in line)
    # The compiler counts from the line after `#line 1`.
    names = copy.sites_at(at + 1 - schemata.PREAMBLE.count(b"\n"), lines[at].index(b"item % ") + 1)
    assert {numbered[name].line for name in names} == {30}


def test_a_sample_is_shared_out_by_lines_and_stays_when_other_lines_change():
    assert sample.quotas({"flow": 13_823, "core": 3_711, "exec": 3_674}, 150) == {"flow": 98, "core": 26, "exec": 26}
    first = sample.drawn(found(), 4)
    moved = sample.drawn(sites.find_sites("small.cc", b"// one line more\n" + SOURCE), 4)
    assert [key for key, _ in first] == [key for key, _ in moved]
    assert [key for key, _ in first] != [key for key, _ in sample.drawn(found(), 5)]
