"""Files that vanish, fill the disk, are huge or refer to each other: one clear error each, and nothing left behind."""

import os
import resource
import signal
import subprocess
import sys
import textwrap

import pyarrow as pa
import pyarrow.parquet
import pytest
from test_processes import no_leftovers  # noqa: F401 - a fixture

import penstock as ps

RUNNERS = {"sync": ps.SynchronousRunner, "threads": ps.ThreadedRunner, "processes": lambda tube: ps.MultiProcessRunner(tube, max_workers=2)}

READ = """
input: {path: {type: str, scope: process}, keep: {type: bool, scope: process}}
nodes:
  check: {type: hostile_nodes.check, depends: [{path: input.path}, {keep: input.keep}]}
  read: {type: table.read, depends: [{path: check.value}]}
  out: {type: return, depends: read.value}
"""
WRITE = """
input: {path: {type: str, scope: process}, rows: {type: int, scope: process}}
nodes:
  make: {type: hostile_nodes.table, depends: [{rows: input.rows}]}
  write: {type: table.write, depends: [{table: make.value}, {path: input.path}]}
  out: {type: return, depends: write.value}
"""
LARGE = """
input: {mib: {type: int, scope: process}}
nodes:
  make: {type: hostile_nodes.zeros, depends: [{mib: input.mib}]}
  size: {type: hostile_nodes.size, depends: [{array: make.value}]}
  out: {type: return, depends: size.value}
"""


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_file_that_vanishes_during_the_run(runner, tmp_path, no_leftovers):  # noqa: F811
    path = tmp_path / "there.parquet"
    pa.parquet.write_table(pa.table({"a": [1, 2]}), path)
    with RUNNERS[runner](ps.Tube.load(READ)) as active:
        assert active.process(path=str(path), keep=True).num_rows == 2
        with pytest.raises(ps.NodeError, match="no such file: .*there.parquet.*at node 'read'"):
            active.process(path=str(path), keep=False)
        pa.parquet.write_table(pa.table({"a": [1]}), path)
        assert active.process(path=str(path), keep=True).num_rows == 1


@pytest.fixture
def small_files():
    """Files of 64 KiB at most, for this process and those it starts."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("runner", ["sync", "threads"])
def test_a_full_disk_leaves_the_old_file(runner, suffix, tmp_path, small_files):
    path = tmp_path / f"out.{suffix}"
    with RUNNERS[runner](ps.Tube.load(WRITE)) as active:
        active.process(path=str(path), rows=3)
        before = path.read_bytes()
        with pytest.raises(ps.NodeError, match=f"out.{suffix}.*at node 'write'"):
            active.process(path=str(path), rows=1_000_000)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == [path.name]
        active.process(path=str(path), rows=4)
        assert path.read_bytes() != before


def test_a_result_too_large_for_shared_memory(no_leftovers):  # noqa: F811
    with RUNNERS["processes"](ps.Tube.load(LARGE)) as active:
        assert active.process(mib=1) == 1 << 20
        with pytest.raises(ps.Error, match="shared memory.*node 'make'"):
            active.process(mib=200)
        assert active.process(mib=2) == 2 << 20


def test_two_runs_sharing_an_output(tmp_path):
    (tmp_path / "tube.yaml").write_text(WRITE)
    script = """
        import sys
        import penstock as ps
        sys.path.insert(0, sys.argv[1])
        with ps.SynchronousRunner(ps.Tube.load("tube.yaml")) as runner:
            for _ in range(30):
                runner.process(path="out.parquet", rows=int(sys.argv[2]))
    """
    tests = os.path.dirname(__file__)
    sizes = (20_000, 30_000)
    children = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), tests, str(rows)], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for rows in sizes
    ]
    seen = set()
    while any(child.poll() is None for child in children):
        if (tmp_path / "out.parquet").exists():
            with open(tmp_path / "out.parquet", "rb") as file:
                seen.add(pa.parquet.read_table(file).num_rows)  # never half of one
    for child in children:
        assert (child.communicate(timeout=60)[1], child.returncode) == ("", 0)
    assert seen <= set(sizes) and seen
    assert {file.name for file in tmp_path.iterdir()} == {"tube.yaml", "out.parquet"}


# PENSTOCK_LONG_TESTS=1: a hundred megabytes.
SIZE = 100_000_000 if os.environ.get("PENSTOCK_LONG_TESTS") else 10_000_000
HUGE = {
    "one text": lambda: 'description: "' + "x" * SIZE + '"\nnodes: {}\n',
    "one line of a comment": lambda: "nodes: {}\n#" + "x" * SIZE + "\n",
    "brackets": lambda: "nodes: " + "[" * SIZE,
    "keys": lambda: "nodes:\n" + "".join(f"  n{k}: 1\n" for k in range(SIZE // 12)),
    "aliases": lambda: "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"b{k}: &b{k} [*a,*a,*a,*a]\n" for k in range(SIZE // 28)),
    "nothing": lambda: "\n" * SIZE,
}


@pytest.mark.parametrize("kind", HUGE)
def test_huge_yaml(kind, tmp_path):
    (tmp_path / "huge.yaml").write_text(HUGE[kind]())
    if kind in ("one line of a comment", "one text"):
        command = [sys.executable, "-m", "penstock", "check", "huge.yaml"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert "huge.yaml" in check("huge.yaml", tmp_path)


def check(name, folder):
    """Of a tube with a fault: each problem once, and a hundred of them at most."""
    command = [sys.executable, "-m", "penstock", "check", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode in (1, 3), (done.stdout, done.stderr)
    assert done.stdout.startswith("error[PS") and "Traceback" not in done.stderr
    problems = done.stdout.split("error[PS")[1:]
    assert len(set(problems)) == len(problems) <= 100
    return done.stdout


EXTENDS = {
    "itself": "extends: [tube.yaml]\n",
    "in a circle": "extends: [other.yaml]\n",
    "what is missing": "extends: [nowhere.yaml]\n",
    "a binary file": "extends: [binary.yaml]\n",
    "a folder": "extends: [.]\n",
    "a device without end": "extends: [/dev/zero]\n",
    "a pipe nobody writes to": "extends: [pipe.yaml]\n",
    "a list of lists": "extends: [[tube.yaml]]\n",
    "ten thousand": "extends: [" + "other.yaml, " * 10_000 + "]\n",
    "each twice": "extends: [twice0.yaml]\n",
}


@pytest.mark.parametrize("kind", EXTENDS)
def test_hostile_extends(kind, tmp_path):
    (tmp_path / "tube.yaml").write_text(EXTENDS[kind] + "nodes: {a: {type: builtins.int}}\n")
    (tmp_path / "other.yaml").write_text("extends: [tube.yaml]\nnodes: {b: {type: builtins.int}}\n")
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)) * 40)
    os.mkfifo(tmp_path / "pipe.yaml")
    for k in range(30):
        (tmp_path / f"twice{k}.yaml").write_text(f"extends: [twice{k + 1}.yaml, twice{k + 1}.yaml]\nnodes: {{}}\n")
    (tmp_path / "twice30.yaml").write_text("nodes: {}\n")
    check("tube.yaml", tmp_path)
    (tmp_path / "outer.yaml").write_text("nodes: {a: {type: tube, params: {tube: tube.yaml}}}\n")
    check("outer.yaml", tmp_path)


def test_a_tube_that_is_no_file(tmp_path):
    for name in ("/dev/zero", str(tmp_path)):
        check(name, tmp_path)
