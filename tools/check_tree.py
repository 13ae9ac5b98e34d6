#!/usr/bin/env python3
"""Check the shape of the tree: file sizes, banned folders, ASCII, TODO form, include arrows, tests.

Every run first feeds itself one violation of each rule and fails if a rule stays silent, then looks
at every file that git knows or would add.

usage: tools/check_tree.py
"""

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent

# Lines: above the first number the file is named in a note, above the second the check fails.
LIMITS = {"header": (300, 500), "source": (600, 900), "operator": (350, 500), "test": (800, None)}

# A room may include itself and what is listed. "ops" stands for every pack.
ARROWS = {
    "base": set(),
    "core": {"base"},
    "events": {"core", "base"},
    "flow": {"events", "core", "base"},
    "exec": {"flow", "core", "base"},
    "report": {"flow", "core", "base"},
    "ops": {"core", "base"},
    "cli": {"exec", "report", "flow", "events", "core", "base", "ops"},
    "bindings": {"cli", "exec", "report", "flow", "events", "core", "base", "ops"},
}

# Foreign headers that only the named rooms may see.
FOREIGN = [
    (re.compile(r"^(Python\.h|nanobind/|pybind11/)"), {"bindings"}),
    (re.compile(r"^(arrow/|parquet/|duckdb)"), {"ops"}),
    (re.compile(r"^CLI/"), {"cli"}),
]

BANNED_FOLDERS = {"utils", "util", "helpers", "helper", "common", "misc"}
SOURCE_SUFFIXES = {".h", ".cc", ".py", ".cmake", ".sh", ".toml", ".json", ".js", ".css", ".html", ".yaml"}
CODE_SUFFIXES = {".h", ".cc", ".py", ".cmake", ".sh", ".js", ".css"}
UNTESTED_ROOMS = {"bindings"}  # Covered by python/tests.

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
OPEN_TASK = re.compile(r"\b(TODO|FIXME)\b(?!\(#\d+\))")


def check(files: dict[str, str]) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Problems as (rule, path, what) and notes, for a tree given as path -> text."""
    problems: list[tuple[str, str, str]] = []
    notes: list[str] = []
    for path, text in sorted(files.items()):
        problems += check_folder(path)
        problems += check_text(path, text)
        problems += check_includes(path, text)
        size_problem, note = check_size(path, text)
        problems += size_problem
        notes += note
    problems += check_listed(files)
    problems += check_tested(files)
    return problems, notes


def check_folder(path: str):
    for part in PurePosixPath(path).parts[:-1]:
        if part in BANNED_FOLDERS:
            yield "folder", path, f"a folder named {part} says nothing; name it after what it holds"


def check_text(path: str, text: str):
    suffix = PurePosixPath(path).suffix
    for number, line in enumerate(text.splitlines(), 1):
        if suffix in SOURCE_SUFFIXES and not line.isascii():
            seen = next(c for c in line if not c.isascii())
            yield "ascii", f"{path}:{number}", f"not ASCII: U+{ord(seen):04X}; write an escape"
        if suffix in CODE_SUFFIXES and path != "tools/check_tree.py" and OPEN_TASK.search(line):
            yield "open-task", f"{path}:{number}", "no issue number; write TODO(#n)"


def kind_of(path: str) -> str | None:
    name = PurePosixPath(path).name
    suffix = PurePosixPath(path).suffix
    if name.endswith("_test.cc") or (name.startswith("test_") and suffix == ".py"):
        return "test"
    if suffix == ".h":
        return "header"
    if suffix == ".cc" and path.startswith("src/penstock/ops/"):
        return "operator"
    return "source" if suffix in {".cc", ".py"} else None


def check_size(path: str, text: str):
    kind = kind_of(path)
    if kind is None:
        return [], []
    lines = text.count("\n")
    look, split = LIMITS[kind]
    if split is not None and lines > split:
        return [("size", path, f"{kind} too long, split it: lines={lines} limit={split}")], []
    return [], [f"{path}: {lines} lines, look again ({kind} above {look})"] if lines > look else []


def room_of(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    return parts[2] if parts[:2] == ("src", "penstock") and len(parts) > 3 else None


def check_includes(path: str, text: str):
    """Arrows between rooms. Tests of a room may include any room: they link the whole library."""
    room = room_of(path)
    if room is None or PurePosixPath(path).suffix not in {".h", ".cc"} or path.endswith("_test.cc"):
        return
    for included in INCLUDE.findall(text):
        for pattern, rooms in FOREIGN:
            if pattern.match(included) and room not in rooms:
                yield "foreign", path, f"<{included}> may be seen only by {', '.join(sorted(rooms))}"
        if not included.startswith("penstock/"):
            continue
        other = included.split("/")[1]
        if room not in ARROWS:
            yield "arrow", path, f"room {room} has no entry in ARROWS"
        elif other != room and other not in ARROWS[room]:
            allowed = ", ".join(sorted(ARROWS[room])) or "nothing"
            yield "arrow", path, f"{room} may not include {included}; allowed: {allowed}"
        elif room == other == "ops" and included.split("/")[2] != path.split("/")[3]:
            yield "arrow", path, f"a pack may not include another pack: {included}"


def check_listed(files: dict[str, str]):
    """A .cc that its room's CMakeLists.txt does not name is never built."""
    for path in files:
        if room_of(path) is None or not path.endswith(".cc"):
            continue
        folder = PurePosixPath(path).parent
        while str(folder) != "." and f"{folder}/CMakeLists.txt" not in files:
            folder = folder.parent
        listing = files.get(f"{folder}/CMakeLists.txt", "")
        name = str(PurePosixPath(path).relative_to(folder)) if str(folder) != "." else path
        if not re.search(rf"(?<![\w/]){re.escape(name)}(?!\w)", listing):
            yield "unlisted", path, f"not named in {folder}/CMakeLists.txt"


def check_tested(files: dict[str, str]):
    """A source is tested when a test reaches it: through includes, and from a header to its sources.

    Sources of header x.h are x.cc and, of those without a header of their own name, x_*.cc and the
    ones that include x.h before any other of ours, as an implementation file does.
    """
    owners: dict[str, set[str]] = {}
    for path in files:
        if room_of(path) and path.endswith(".cc") and not path.endswith("_test.cc"):
            for header in headers_of(path, files):
                owners.setdefault(header, set()).add(path)
    tests = [p for p in files if p.endswith("_test.cc")]
    seen = set(tests)
    queue = list(tests)
    while queue:
        current = queue.pop()
        reached = {f"src/{name}" for name in INCLUDE.findall(files[current])} & files.keys()
        reached |= owners.get(current, set())
        if current.endswith("_test.cc"):
            reached |= {current.removesuffix("_test.cc") + ".cc"} & files.keys()
        queue += reached - seen
        seen |= reached
    for path in files:
        if (
            path.endswith(".cc")
            and room_of(path) not in UNTESTED_ROOMS | {None}
            and path not in seen
            and PurePosixPath(path).name != "main.cc"
        ):
            yield "untested", path, "no test reaches it: no x_test.cc, and no test includes its header"


def headers_of(path: str, files: dict[str, str]) -> set[str]:
    own = path.removesuffix(".cc") + ".h"
    if own in files:
        return {own}
    headers = {f"src/{name}" for name in [i for i in INCLUDE.findall(files[path]) if i.startswith("penstock/")][:1]}
    stem = path.removesuffix(".cc")
    while "_" in PurePosixPath(stem).name:
        stem = stem.rpartition("_")[0]
        headers |= {f"{stem}.h"} & files.keys()
    return headers


# One violation of each rule: the files to add to CLEAN and the rule that must fire, alone.
CLEAN = {
    "src/penstock/base/CMakeLists.txt": "penstock_library(base HEADERS a.h SOURCES a.cc)\n",
    "src/penstock/base/a.h": "#pragma once\n",
    "src/penstock/base/a.cc": '#include "penstock/base/a.h"\n',
    "src/penstock/base/a_test.cc": '#include "penstock/base/a.h"\n',
}
CLEAN["src/penstock/base/CMakeLists.txt"] += "penstock_test(base SOURCES a_test.cc)\n"
FLOW = "src/penstock/flow/x.h"
CANARIES = [
    ("folder", {"src/penstock/base/utils/b.h": ""}),
    ("ascii", {"python/penstock/a.py": "# caf\u00e9\n"}),
    ("open-task", {"python/penstock/a.py": "# TODO tidy this\n"}),
    ("size", {"src/penstock/base/b.h": "\n" * 501}),
    ("size", {"python/penstock/a.py": "\n" * 901}),
    ("size", {"src/penstock/ops/table/CMakeLists.txt": "b.cc b_test.cc", "src/penstock/ops/table/b_test.cc": "",
              "src/penstock/ops/table/b.cc": "\n" * 501}),
    ("arrow", {"src/penstock/base/b.h": '#include "penstock/core/value.h"\n'}),
    ("arrow", {"src/penstock/ops/table/b.h": '#include "penstock/flow/plan.h"\n'}),
    ("arrow", {"src/penstock/ops/table/b.h": '#include "penstock/ops/cube/c.h"\n'}),
    ("arrow", {"src/penstock/report/b.h": '#include "penstock/exec/c.h"\n'}),
    ("arrow", {"src/penstock/attic/b.h": '#include "penstock/base/a.h"\n'}),
    ("foreign", {FLOW: "#include <Python.h>\n"}),
    ("foreign", {FLOW: "#include <nanobind/nanobind.h>\n"}),
    ("foreign", {"src/penstock/core/b.h": "#include <arrow/api.h>\n"}),
    ("unlisted", {"src/penstock/base/b.cc": "", "src/penstock/base/b_test.cc": "",
                  "src/penstock/base/CMakeLists.txt": "a.cc a_test.cc b_test.cc"}),
    ("untested", {"src/penstock/base/b.cc": "", "src/penstock/base/CMakeLists.txt": "a.cc a_test.cc b.cc"}),
]  # fmt: skip


def self_test() -> None:
    """Stop when the clean tree is refused, or a violation is missed or blamed on another rule."""
    problems, _ = check(CLEAN)
    if problems:
        raise SystemExit(f"check_tree: self-test: the clean tree was refused: {problems}")
    for rule, extra in CANARIES:
        rules = {problem[0] for problem in check(CLEAN | extra)[0]}
        if rules != {rule}:
            raise SystemExit(f"check_tree: self-test: wanted rule {rule}, seen {sorted(rules)} for {list(extra)}")
    silent = {"folder", "ascii", "open-task", "size", "arrow", "foreign", "unlisted", "untested"}
    silent -= {rule for rule, _ in CANARIES}
    if silent:
        raise SystemExit(f"check_tree: self-test: no violation for {sorted(silent)}")


def read_tree() -> dict[str, str]:
    """Every text file that git tracks or would add."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    files = {}
    for name in filter(None, listed.split("\0")):
        try:
            files[name] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # A picture, or a file deleted and not yet committed.
    return files


def main() -> int:
    self_test()
    files = read_tree()
    if len(files) < 50:
        print(f"check_tree: error: too few files: seen={len(files)} wanted>=50", file=sys.stderr)
        return 1
    problems, notes = check(files)
    for note in notes:
        print(f"note: {note}")
    for rule, path, what in problems:
        print(f"{path}: [{rule}] {what}")
    print(f"check_tree: {len(files)} files, {len(problems)} problems; self-test: {len(CANARIES)} violations, all noticed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
