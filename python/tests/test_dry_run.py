"""`run --dry-run` lists what then runs, `why` names what changed, `run --only` calls one node.

PENSTOCK_EDITS (default 25) seeded edits of a tube and its module are dry-run, then run.
"""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

EDITS = int(os.environ.get("PENSTOCK_EDITS", "25"))

MODULE = """
FACTOR = 3

def twice(x):
    return x * 2

def numbers(n: int, start: int = 0) -> list:
    return list(range(start, n))

def grow(x):
    return twice(x) + FACTOR

def size(path):
    return len(open(path).read())

def total(xs, more):
    return sum(xs) + more

def sign(x):
    return (x > 0) - (x < 0)

def label(x, word="result"):
    return f"{word} {x}"

def log(x):
    return x
"""

TUBE = """
noob_id: edited
input:
  n: {type: int, scope: process}
  path: {type: str, scope: process}
nodes:
  numbers: {type: edited_module.numbers, depends: [{n: input.n}], params: {start: 0}, cache: true}
  each: {type: map, depends: numbers.value}
  grow: {type: edited_module.grow, depends: [{x: each.value}], cache: true}
  all: {type: gather, depends: grow.value}
  size: {type: edited_module.size, depends: [{path: input.path}], cache: true}
  total: {type: edited_module.total, depends: [{xs: all.value}, {more: size.value}], cache: true}
  sign: {type: edited_module.sign, depends: [{x: total.value}], cache: true}
  label: {type: edited_module.label, depends: [{x: sign.value}], params: {word: result}, cache: true}
  log: {type: edited_module.log, depends: [{x: total.value}]}
  out: {type: return, depends: [{label: label.value}, {total: total.value}]}
"""


class Project:
    """A tube and its module in a folder, and the command run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module, self.tube, self.n = MODULE, TUBE, 4
        (folder / "data.txt").write_text("abcd")

    def write(self) -> None:
        (self.folder / "edited_module.py").write_text(self.module)
        (self.folder / "edited.yaml").write_text(self.tube)

    def penstock(self, *words: str, code: int = 0) -> str:
        self.write()
        environment = os.environ | {
            "PENSTOCK_HOME": str(self.folder / "home"), "PENSTOCK_CACHE": "on", "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("PENSTOCK_NO_HISTORY", None)
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *words], cwd=self.folder, env=environment, capture_output=True,
            text=True, check=False, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def run(self, *words: str) -> dict:
        """Counts by node of `penstock run --json`."""
        lines = self.penstock("run", "edited.yaml", "--json", *self.inputs(), *words).splitlines()
        return json.loads(lines[-1])["summary"]["nodes"]

    def dry_run(self) -> list[dict]:
        return [json.loads(line) for line in
                self.penstock("run", "edited.yaml", "--dry-run", "--json", *self.inputs()).splitlines()]

    def inputs(self) -> list[str]:
        return ["-i", f"n={self.n}", "-i", "path=data.txt"]

    def last_run(self) -> str:
        return json.loads(self.penstock("history", "--json").splitlines()[0])["run_id"]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def edit(project: Project, rng: random.Random) -> str:
    """One edit; what it was."""
    def replace(pattern, to):
        project.module = re.sub(pattern, to, project.module)

    kinds = {
        "comment": lambda: setattr(project, "module", project.module + f"# {rng.random()}\n"),
        "spaces": lambda: replace(r"x \* ?(\d+)", r"x *  \1"),
        "helper": lambda: replace(r"x \* +\d+", f"x * {rng.randint(2, 9)}"),
        "constant": lambda: replace(r"FACTOR = \d+", f"FACTOR = {rng.randint(1, 9)}"),
        "sum": lambda: replace(r"(sum|max)\(xs\)", rng.choice(["sum(xs)", "max(xs)"])),
        "input": lambda: setattr(project, "n", rng.randint(2, 6)),
        "parameter": lambda: setattr(project, "tube", re.sub(r"start: \d", f"start: {rng.randint(0, 1)}", project.tube)),
        "word": lambda: setattr(project, "tube", re.sub(r"word: \w+", f"word: w{rng.randint(0, 3)}", project.tube)),
        "reorder": lambda: setattr(project, "tube", reordered(project.tube, rng)),
    }
    kind = rng.choice(sorted(kinds))
    kinds[kind]()
    return kind


def reordered(tube: str, rng: random.Random) -> str:
    head, nodes = tube.split("nodes:\n")
    lines = nodes.rstrip("\n").split("\n")
    rng.shuffle(lines)
    return head + "nodes:\n" + "\n".join(lines) + "\n"


def test_the_dry_run_lists_what_then_runs(project):
    rng = random.Random(20261121)
    project.run()
    num_certain = num_open = 0
    for _ in range(EDITS):
        kind = edit(project, rng)
        planned = project.dry_run()
        before = project.dry_run()
        assert planned == before, "a dry run changes nothing"
        ran = project.run()
        certain, reused, open_ = {}, {}, {}
        for call in planned:
            group = {"runs": certain, "reused": reused, "depends": open_}[call["verdict"]]
            group[call["node"]] = group.get(call["node"], 0) + 1
        for node in ("numbers", "grow", "size", "total", "sign", "label", "log"):
            counts = ran[node]
            if node in open_:
                # It ran, or what it waits for gave an equal value; nobody knew how many calls of a map.
                assert counts["runs"] + counts.get("reused", 0) >= 1, (kind, node)
                num_open += 1
            else:
                assert counts["runs"] == certain.get(node, 0), (kind, node, planned)
                assert counts.get("reused", 0) == reused.get(node, 0), (kind, node, planned)
                num_certain += 1
        # Nothing depends on nodes that give what they gave: without a certain call there is no open one.
        assert not open_ or set(certain) - {"log"}, (kind, planned)
        assert project.run()["total"]["runs"] == 0, "run again, nothing runs"
    assert num_certain > 5 * EDITS / 2
    assert num_open > 0


def why(project: Project, node: str, *words: str) -> list[str]:
    lines = [json.loads(line) for line in project.penstock("why", node, "--json", *words).splitlines()]
    return sorted({reason for line in lines for reason in line["because"]})


CAUSES = {
    "function": (lambda p: p.edit("sum(xs)", "max(xs)"), "total", "code changed"),
    "default": (lambda p: p.edit("start: int = 0", "start: int = 1"), "numbers", "code changed"),
    "helper": (lambda p: p.edit("x * 2", "x * 5"), "grow", "code of twice changed"),
    "constant": (lambda p: p.edit("FACTOR = 3", "FACTOR = 4"), "grow", "global FACTOR: 3 -> 4"),
    "parameter": (lambda p: p.edit("start: 0}", "start: 1}"), "numbers", "parameter start: 0 -> 1"),
    "parameter added": (lambda p: p.edit("params: {word: result}, ", ""), "label", "parameter word removed: 'result'"),
    "input": (lambda p: setattr(p, "n", 5), "numbers", "input n: 4 -> 5"),
    "value upstream": (lambda p: p.edit("FACTOR = 3", "FACTOR = 4"), "total", "input xs changed"),
    "short value upstream": (lambda p: p.edit("len(open(path).read())", "7"), "total", "input more: 4 -> 7"),
    "wiring": (lambda p: p.edit("{x: sign.value}]", "{x: size.value}]"), "label", "input x: 1 -> 4"),
    "type": (lambda p: p.edit("edited_module.sign,", "edited_module.twice,"), "sign", "code changed"),
    "library": (lambda p: p.edit("    return x * 2", "    import penstock\n    return x * 2 + 0 * len(json.dumps(x))\nimport json"),
                "grow", "code of twice changed"),
    "result removed": (lambda p: p.forget(), "total", None),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_why_names_what_changed(project, cause):
    def replace(old, new):
        assert old in project.module + project.tube
        project.module = project.module.replace(old, new)
        project.tube = project.tube.replace(old, new)

    def forget():
        for file in (project.folder / "home" / "cache").glob("??/*"):
            file.unlink()

    project.edit, project.forget = replace, forget
    change, node, wanted = CAUSES[cause]
    project.run()
    change(project)
    counts = project.run()[node]
    assert counts["runs"] > 0
    reasons = why(project, node)
    if wanted is None:
        assert reasons == []
        assert "its kept result was gone" in project.penstock("why", node)
    else:
        assert wanted in reasons, reasons


def test_why_tells_of_nodes_that_did_not_run(project):
    project.run()
    first = project.last_run()
    project.run()
    assert "its kept result was used" in project.penstock("why", "total")
    assert "nothing needed it" in project.penstock("why", "numbers")
    assert "keeps no results" in project.penstock("why", "log")
    project.n = 6
    project.run()
    assert why(project, "numbers", "--against", first) == ["input n: 4 -> 6"]
    message = project.penstock("why", "totals", code=1)
    assert "PS0421" in message and "did you mean 'total'?" in message
    assert "PS0421" in project.penstock("why", "total", "--against", "nosuchrun", code=1)


def test_one_node_runs_alone_with_the_inputs_it_had(project):
    project.run()
    run = project.last_run()
    project.module = project.module.replace("sum(xs) + more", "1000 * more + len(xs)")
    lines = project.penstock("run", "edited.yaml", "--json", "--only", "total", "--inputs-from", run).splitlines()
    assert json.loads(lines[0])["value"] == 4004
    nodes = json.loads(lines[-1])["summary"]["nodes"]
    assert [id for id, counts in nodes.items() if counts["runs"] and id not in ("each", "all", "total")] == []
    mapped = project.penstock("run", "edited.yaml", "--json", "--only", "grow", "--inputs-from", run).splitlines()
    assert json.loads(mapped[0])["value"] == [3, 5, 7, 9]
    # log keeps nothing, and needs only what was kept.
    alone = project.penstock("run", "edited.yaml", "--only", "log", "--inputs-from", run, "--runner", "processes", "-q")
    assert alone.strip() == "28"
    assert "PS0422" in project.penstock("run", "edited.yaml", "--only", "lable", "--inputs-from", run, code=1)
    assert "PS0907" in project.penstock("run", "edited.yaml", "--only", "log", "--inputs-from", "nosuch", code=1)
    for file in (project.folder / "home" / "cache").glob("??/*"):
        file.unlink()
    message = project.penstock("run", "edited.yaml", "--only", "total", "--inputs-from", run, code=1)
    assert "PS0422" in message and "cache: true" in message
