"""`penstock cache ls | rm | verify | prune`."""

import json
import os
import re
import subprocess
import sys
import time

import pytest
from reuse_tools import LOG, Job

TUBE = """input: {x: {type: int, scope: process}}
nodes:
  small: {type: work.small, depends: input.x, cache: true}
  big: {type: work.big, depends: small.value, cache: true}
  out: {type: return, depends: big.value}
"""
WORK = LOG + "def small(x):\n    return x\ndef big(x):\n    return bytes(100_000 + x)\n"


@pytest.fixture
def job(tmp_path, monkeypatch):
    made = Job(tmp_path, monkeypatch)
    made.write(tube=TUBE, work=WORK)
    for x in range(3):
        made.run(inputs={"x": x})
    return made


def cache(*words, code=0):
    done = subprocess.run([sys.executable, "-m", "penstock", "cache", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def listed():
    return [json.loads(line) for line in cache("ls", "--json").stdout.splitlines()]


def test_lists_what_was_used_last_first(job):
    job.run(inputs={"x": 1})
    table = cache("ls")
    lines = table.stdout.splitlines()
    assert lines[0].split() == ["node", "type", "size", "made", "last", "used", "key"]
    assert len(lines) == 7
    assert lines[1].split()[:4] == ["big", "work.big", "100", "kB"]
    assert re.search(r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  [0-9a-f]{12}$", lines[1])
    assert table.stderr.startswith("6 results, 30")
    assert table.stderr.rstrip().endswith("of at most 2.1 GB")
    items = listed()
    assert [item["used_us"] for item in items] == sorted((item["used_us"] for item in items), reverse=True)
    newest = items[0]
    assert newest["node"] == "big" and newest["parts"]["input x"] == "1"
    assert newest["parts"]["code"] and newest["type"] == "work.big" and newest["took_ms"] > 0
    assert abs(newest["made_us"] / 1e6 - time.time()) < 300
    assert len(newest["key"]) == 64 and newest["size_bytes"] > 100_000


def test_says_that_there_is_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path))
    done = cache("ls")
    assert done.stdout == "" and done.stderr == "no results are kept yet\n"
    assert cache("verify").stderr == "0 results, 0 B: all whole\n"
    assert cache("rm", "--all").stderr == "removed 0 results, 0 B\n"


def test_removes_by_the_beginning_of_a_key(job):
    item = listed()[2]
    for key in (item["key"], *item["other_keys"]):
        assert key.startswith(key[:10])
    assert cache("rm", item["key"][:10]).stderr.startswith("removed 1 result, ")
    assert item not in listed() and len(listed()) == 5
    assert "no kept result has a key that begins with" in cache("rm", item["key"][:10], code=1).stderr


def test_removes_nothing_when_the_beginning_is_of_several(job):
    keys = {}
    for x in range(40):
        job.run(inputs={"x": x})
    for item in listed():
        keys.setdefault(item["key"][0], []).append(item["node"])
    beginning = max(keys, key=lambda letter: len(keys[letter]))
    count = len(listed())
    error = cache("rm", beginning, code=1).stderr
    assert error.startswith(f"error[PS0425]: '{beginning}' begins the keys of ")
    assert "help: one of: " in error and len(listed()) == count


def test_removes_by_node(job):
    assert cache("rm", "--node", "big").stderr == "removed 3 results, 301 kB\n"
    assert {item["node"] for item in listed()} == {"small"}
    assert "did you mean 'small'?" in cache("rm", "--node", "smal", code=1).stderr
    job.run(inputs={"x": 2})  # it is made again
    assert len(listed()) == 4


def test_removes_all(job):
    cache("rm", "--all")
    assert listed() == [] and not job.kept()


def test_verify_finds_damage(job):
    assert re.fullmatch(r"6 results, 30\d kB: all whole\n", cache("verify").stderr)
    paths = {path.name: path for path in job.kept_paths()}
    head = next(item for item in listed() if item["node"] == "small")
    value = next(item for item in listed() if item["node"] == "big")
    for item, at in ((head, 60), (value, -5)):
        data = bytearray(paths[item["key"]].read_bytes())
        data[at] ^= 255
        paths[item["key"]].write_bytes(data)
    done = cache("verify", code=3)
    assert done.stderr.startswith("error[PS0426]: 2 of 6 results damaged")
    assert sorted(line.split()[0] for line in done.stdout.splitlines()) == sorted((head["key"], value["key"]))
    assert "a buffer does not fit its digest" in done.stdout and "its head does not fit its digest" in done.stdout
    as_json = [json.loads(line) for line in cache("verify", "--json", code=3).stdout.splitlines()]
    assert {item["key"] for item in as_json} == {head["key"], value["key"]}
    assert all(item["damage"].startswith("kept result: ") for item in as_json)


def test_prunes_by_size(job):
    assert cache("prune").stderr.startswith("removed 0 results, 0 B; left 6 results, ")
    newest = listed()[0]
    assert re.fullmatch(r"removed \d results, 20\d kB; left \d results?, 10\d kB\n", cache("prune", "--max-bytes", "150kB").stderr)
    assert newest in listed()
    assert cache("prune", "--max-bytes", "0").stderr.endswith("left 0 results, 0 B\n")


def test_prunes_by_age(job):
    now = time.time()
    for index, path in enumerate(job.kept()):
        os.utime(path, (now, now - index * 86_400 - 60))
    cache("prune", "--max-age-days", "3")
    assert len(listed()) == 3


def test_works_while_runs_keep_nothing(job, monkeypatch):
    monkeypatch.setenv("PENSTOCK_CACHE", "off")
    assert len(listed()) == 6


def test_a_wrong_size_of_the_cache_is_said(job, monkeypatch):
    monkeypatch.setenv("PENSTOCK_CACHE_BYTES", "much")
    assert "PENSTOCK_CACHE_BYTES is 'much', wanted a number of bytes" in cache("ls", code=1).stderr
