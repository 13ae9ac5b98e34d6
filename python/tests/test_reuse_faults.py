"""Reuse by content where things go wrong: failed calls, damaged and full folders, killed runs, many processes."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from reuse_tools import LOG, Job

import penstock as ps

RUNNERS = ["sync", "threads", "processes"]


@pytest.fixture
def job(tmp_path, monkeypatch):
    return Job(tmp_path, monkeypatch)


# ---- calls that give no ordinary value


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_failed_call_is_never_kept(job, runner):
    job.write(
        tube="nodes:\n  a: {type: work.a, cache: true}\n  b: {type: work.b, depends: a.value, cache: true}\n"
        "  out: {type: return, depends: b.value}\n",
        work=LOG + "def a():\n    _ran('a')\n    return 1\ndef b(value):\n    _ran('b')\n    raise ValueError('no')\n",
    )
    for ran in (["a", "b"], ["b"]):
        with pytest.raises(ps.NodeError, match="no"):
            job.run(runner=runner)
        assert job.ran() == ran
        assert len(job.kept()) == 1


@pytest.mark.parametrize("runner", RUNNERS)
def test_absent_events_are_kept_too(job, runner):
    job.write(
        tube="nodes:\n  list: {type: work.numbers, cache: true}\n  each: {type: map, depends: list.value}\n"
        "  odd: {type: work.odd, depends: each.value, cache: true}\n  all: {type: gather, depends: odd.value}\n"
        "  out: {type: return, depends: all.value}\n",
        work=LOG + "import penstock as ps\ndef numbers():\n    return [0, 1, 2, 3, 4]\n"
        "def odd(value):\n    _ran('odd')\n    return value if value % 2 else ps.NoEvent\n",
    )
    assert job.run(runner=runner).result == [1, 3] and len(job.ran()) == 5
    assert job.run(runner=runner).result == [1, 3] and job.ran() == []


@pytest.mark.parametrize("runner", RUNNERS)
def test_several_signals(job, runner):
    job.write(
        tube="nodes:\n  a: {type: work.split, params: {n: 7}, cache: true}\n  big: {type: work.shown, depends: a.big, cache: true}\n"
        "  out: {type: return, depends: [small: a.small, big: big.value]}\n",
        work=LOG + "import penstock as ps\nfrom typing import Annotated as A\n"
        "def split(n) -> tuple[A[int, ps.Name('small')], A[int, ps.Name('big')]]:\n"
        "    _ran('split')\n    return (n, ps.NoEvent if n < 10 else n)\n"
        "def shown(value):\n    _ran('shown')\n    return str(value)\n",
    )
    for ran in (["split"], []):
        assert job.run(runner=runner).result == {"small": 7}
        assert job.ran() == ran
    job.write(tube=(job.folder / "tube.yaml").read_text().replace("n: 7", "n: 12"))
    for ran in (["shown", "split"], []):
        assert job.run(runner=runner).result == {"small": 12, "big": "12"}
        assert job.ran() == ran


@pytest.mark.parametrize("runner", RUNNERS)
def test_nested_tubes_and_coroutines(job, runner):
    (job.folder / "inner.yaml").write_text(
        "noob_id: inner\ninput: {x: {type: int, scope: process}}\nnodes:\n"
        "  up: {type: work.up, depends: input.x, cache: true}\n  out: {type: return, depends: [y: up.value]}\n"
    )
    job.write(
        tube="input: {x: {type: int, scope: process}}\nnodes:\n  child: {type: tube, params: {tube: inner.yaml}, depends: [x: input.x]}\n"
        "  slow: {type: work.slow, depends: child.y, cache: true}\n  out: {type: return, depends: slow.value}\n",
        work=LOG + "import asyncio\ndef up(x):\n    _ran('up')\n    return x + 1\n"
        "async def slow(value):\n    await asyncio.sleep(0)\n    _ran('slow')\n    return value * 2\n",
    )
    for ran in (["slow", "up"], []):
        assert job.run(runner=runner, inputs={"x": 4}).result == 10
        assert job.ran() == ran


# ---- the folder of kept results


CHAIN = "nodes:\n" + "".join(
    f"  n{i}: {{type: work.f{i}, " + (f"depends: n{i - 1}.value, " if i else "") + "cache: true}\n" for i in range(12)
) + "  out: {type: return, depends: n11.value}\n"  # fmt: skip


def chain_module(body="pass"):
    first = "def f0():\n    _ran('f0')\n    return [0]\n"
    rest = "".join(f"def f{i}(value):\n    _ran('f{i}')\n    {body}\n    return [*value, {i}]\n" for i in range(1, 12))
    return LOG + "import time\n" + first + rest


WANTED = list(range(12))


def test_damaged_results_are_made_again(job):
    job.write(tube=CHAIN, work=chain_module())
    assert job.run().result == WANTED
    generator = random.Random(1)
    for _ in range(30):
        for path in job.kept_paths():
            if generator.random() < 0.3:
                data = bytearray(path.read_bytes())
                data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
                path.write_bytes(data[: generator.choice((None, 1 + generator.randrange(len(data))))])
        assert job.run().result == WANTED
    job.run()
    assert job.ran() == []


def test_results_removed_while_a_run_goes_on(job):
    job.write(tube=CHAIN, work=chain_module("__import__('shutil').rmtree(os.environ['PENSTOCK_HOME'] + '/cache', ignore_errors=True)"))
    assert job.run().result == WANTED
    assert job.run().result == WANTED


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_folder_that_cannot_be_written(job, runner):
    job.write(tube=CHAIN, work=chain_module())
    cache = job.folder / "home" / "cache"
    (cache / "tmp").mkdir(parents=True)
    (cache / "tmp").rmdir()
    (cache / "tmp").symlink_to(job.folder / "nowhere" / "at" / "all")  # refuses root too
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "run", "tube.yaml", "--json", "--runner", runner],
        cwd=job.folder, env=os.environ | {"PYTHONPATH": str(job.folder)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and "error[PS0420]: cannot keep results in" in done.stderr  # before anything has run
    assert job.run(runner=runner, cache=False).result == WANTED


def small_disk(folder):
    """A file system of 64 KiB, or None where we may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_full_disk(job):
    """Results of 20 kB on a disk of 64 kB, or (without the right to mount) files of 8 kB at most."""
    job.write(tube=CHAIN, work=chain_module().replace("return [0]", "return [0, *([7] * 20000)]"))
    wanted = [0, *([7] * 20000), *range(1, 12)]
    mounted = small_disk(job.folder / "home")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        if not mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, limits[1]))
        page = []
        for _ in range(2):
            assert job.run(history=False).result == wanted
            page.append(job.ran())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
        temporary = list((job.folder / "home/cache/tmp").iterdir())
        if mounted:
            subprocess.run(["umount", str(job.folder / "home")], check=True)
    assert not temporary, "half a file was left"
    assert page[1], "everything was kept: the disk was not full"


def test_a_file_that_changes_during_the_run(job):
    """What was read from the new content is never given for the old."""
    data = job.folder / "data.csv"
    job.write(
        tube="input: {path: {type: str, scope: process}, edit: {type: str, scope: process}}\nnodes:\n"
        "  a_first: {type: work.edit, depends: [path: input.path, text: input.edit]}\n"
        "  read: {type: table.read, depends: [path: input.path]}\n"
        "  big: {type: table.sql, depends: [t: read.value], params: {query: 'select max(a) as m from t', result: value}}\n"
        "  out: {type: return, depends: [m: big.value, edited: a_first.value]}\n",
        work="from pathlib import Path\ndef edit(path, text):\n    if text:\n        Path(path).write_text(text)\n    return text\n",
    )

    def run(edit=""):
        return job.run(inputs={"path": str(data), "edit": edit}).result["m"]

    data.write_text("a\n1\n")
    assert run("a\n2\n") == 2
    assert run() == 2
    data.write_text("a\n1\n")
    assert run() == 1
    assert run() == 1


# ---- killed runs


def start(job, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "penstock", "run", "tube.yaml", "--json", "--quiet", *more],
        cwd=job.folder, env=os.environ | {"PYTHONPATH": str(job.folder)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def lines_of(*words):
    """What the command prints as JSON lines."""
    done = subprocess.run([sys.executable, "-m", "penstock", *words], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


# 20 in CI; PENSTOCK_LONG_TESTS=1 makes it 200.
KILLS = 200 if os.environ.get("PENSTOCK_LONG_TESTS") else 20


def test_killed_runs_repeat_no_finished_node(job):
    """A node has finished when the file of its result is in its place."""
    generator = random.Random(20)
    interrupted = 0
    job.write(work=chain_module("time.sleep(0.01)").replace("f0()", "f0(kill)"))
    for kill in range(KILLS):
        job.write(tube=CHAIN.replace("work.f0,", f"work.f0, params: {{kill: {kill}}},"))  # nothing of it is known
        shutil.rmtree(job.folder / "home/cache", ignore_errors=True)
        (job.folder / "ran").write_text("")
        run = start(job)
        at = generator.randrange(12)
        while run.poll() is None and f"f{at}\n" not in (job.folder / "ran").read_text():
            time.sleep(0.0005)  # leaves the processor to it
        delay = time.monotonic() + generator.random() * 0.012
        while time.monotonic() < delay:
            pass
        run.kill()
        run.communicate()
        interrupted += run.returncode == -signal.SIGKILL
        ran = set(job.ran())
        finished = {f"f{item['node'][1:]}" for item in lines_of("cache", "ls", "--json")}
        assert len(finished) >= len(ran) - 1, "more was lost than the node that was running"
        (job.folder / "ran").write_text("")
        again = start(job)
        out, errors = again.communicate(timeout=60)
        assert again.returncode == 0, errors
        assert json.loads(out.splitlines()[0])["value"] == WANTED
        repeated = finished & set(job.ran())
        assert not repeated, f"kill {kill} at f{at}: {repeated} had finished"
        assert {f"f{i}" for i in range(12)} == finished | set(job.ran())
    assert interrupted >= KILLS // 2


# ---- many processes

LOOP = """
import sys, time
import penstock as ps
process, seconds, most = map(float, sys.argv[1:])
until = time.monotonic() + seconds
count = 0
tube = ps.Tube.load("tube.yaml")
while time.monotonic() < until and count < most:
    x = int(process * 1e6) + count
    assert ps.run(tube, inputs={"x": x}).result == [x % 50 * 2] * 3
    count += 1
print(count)
"""
KEPT_RUNS = 1000  # of a history, by default


def test_sixteen_processes_on_one_store_and_history(job):
    """No lock is waited for in vain, no run is lost."""
    # In CI as many runs as a history keeps; PENSTOCK_LONG_TESTS=1: five minutes, and the last 1000 are looked at.
    seconds, most = (300, 1e9) if os.environ.get("PENSTOCK_LONG_TESTS") else (60, 60)
    job.write(
        tube="input: {x: {type: int, scope: process}}\nnodes:\n  small: {type: work.small, depends: input.x, cache: true}\n"
        "  a: {type: work.twice, depends: small.value, cache: true}\n"
        "  b: {type: work.thrice, depends: a.value, cache: true}\n  out: {type: return, depends: b.value}\n",
        work="def small(x):\n    return x % 50\ndef twice(value):\n    return value * 2\ndef thrice(value):\n    return [value] * 3\n",
        loop=LOOP,
    )
    environment = os.environ | {"PYTHONPATH": str(job.folder), "PENSTOCK_CACHE_BYTES": "60000"}  # pruned all the time
    children = [
        subprocess.Popen(
            [sys.executable, "loop.py", str(process), str(seconds), str(most)],
            cwd=job.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for process in range(16)
    ]  # fmt: skip
    counts = []
    for child in children:
        out, errors = child.communicate(timeout=seconds + 120)
        assert child.returncode == 0 and not errors, errors
        counts.append(int(out))
    assert min(counts) > 0
    runs = lines_of("history", "--json", "--limit", "1000000")
    assert {run["status"] for run in runs} == {"ok"}
    assert len(runs) >= min(sum(counts), KEPT_RUNS), "runs were lost"
    seen = {int(run["inputs"]["x"]) for run in runs}
    newest = 3 if sum(counts) > KEPT_RUNS else None
    for process, count in enumerate(counts):
        wanted = [process * 1_000_000 + index for index in range(count)][-newest if newest else 0 :]
        assert seen >= set(wanted), "runs were lost"
    assert not list((job.folder / "home/cache/tmp").iterdir())
    assert sum(path.stat().st_size for path in job.kept()) < 200_000
