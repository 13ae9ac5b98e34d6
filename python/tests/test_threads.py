"""Eight threads at once: each loads, checks, runs, encodes and uses the cache, and gets what one thread gets."""

import asyncio
import contextlib
import sqlite3
import threading

import numpy as np
import pytest
import thread_nodes

import penstock as ps

THREADS = 8
KINDS = {
    "sync": ps.SynchronousRunner,
    "threads": lambda tube: ps.ThreadedRunner(tube, 2),
    "processes": lambda tube: ps.MultiProcessRunner(tube, 1),
}
TUBE = """
noob_id: threads-%d
input:
  x: {type: int, scope: process}
assets:
  numbers: {type: penstock.testing.counter, scope: runner, params: {start: %d}}
nodes:
  many: {type: thread_nodes.up_to, depends: [n: input.x]}
  each: {type: map, depends: many.value}
  square: {type: thread_nodes.square, depends: [x: each.value]}
  all: {type: gather, depends: square.value}
  memory: {type: thread_nodes.Memory, depends: [xs: all.value]}
  next: {type: penstock.testing.fast_forward, depends: [generator: assets.numbers]}
  later: {type: thread_nodes.later, depends: [x: next.next]}
  out: {type: return, depends: [memory: memory.value, later: later.value]}
"""
BAD = """
noob_id: bad-%d
nodes:
  a: {type: thread_nodes.gone}
  b: {type: thread_nodes.square, depends: [x: c.value]}
  out: {type: return, depends: missing.value}
"""
GATED = """
nodes:
  wait: {type: thread_nodes.wait}
  out: {type: return, depends: wait.value}
"""


def at_once(function, count=THREADS):
    """What ``function(i)`` gives in ``count`` threads that begin together."""
    barrier = threading.Barrier(count)
    results = [None] * count

    def work(i):
        barrier.wait()
        try:
            results[i] = function(i)
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def together_and_alone(function):
    alone = [function(i) for i in range(THREADS)]
    assert at_once(function) == alone


def test_load_and_check():
    def load(i):
        digests = [ps.Tube.load(TUBE % (i, k)).digest for k in range(10)]
        problems = []
        for k in range(10):
            with pytest.raises(ps.LoadError) as caught:
                ps.Tube.load(BAD % k)
            problems.append([(item["id"], item["line"]) for item in caught.value.diagnostics])
        assert len(problems[0]) > 2
        return digests, problems

    together_and_alone(load)


@pytest.mark.parametrize("kind", KINDS)
def test_runs(kind):
    def run(i):
        with KINDS[kind](ps.Tube.load(TUBE % (i, i))) as runner:
            events = []
            runner.add_callback(lambda event: events.append((event["node_id"], str(event["epoch"]))))
            results = [runner.process(x=x) for x in range(20)] + runner.run(5, x=3)
        return results, sorted(events), runner.metrics["epochs"]

    together_and_alone(run)


def test_one_tube_under_many_runners():
    tube = ps.Tube.load("""
nodes:
  count: {type: penstock.testing.CountSourceDecor}
  n: {type: thread_nodes.up_to, params: {n: 5}}
  each: {type: map, depends: n.value}
  square: {type: thread_nodes.square, depends: [x: each.value]}
  out: {type: return, depends: [squares: square.value]}
""")

    def run(i):
        with KINDS[("sync", "threads")[i % 2]](tube) as runner:
            return runner.run(20)

    assert at_once(run) == [[{"squares": [0, 1, 4, 9, 16]}] * 20] * THREADS


def test_encode_and_decode():
    def encode(i):
        values = [list(range(i)), {"a": b"x" * 70_000, "i": i}, np.arange(100_000.0) + i, (i, [float("nan")]), ps.Epoch(i, [("m", 1)])]
        found = []
        for value in values * 3:
            blocks = {}
            data = ps.encode(value, blocks)
            again = ps.encode(ps.decode(data, blocks), {})
            found.append((data == again, sorted(blocks), ps.digest(value), ps.cid(value)))
        return found

    together_and_alone(encode)


def test_one_cache_and_one_history(monkeypatch, tmp_path):
    monkeypatch.setenv("PENSTOCK_CACHE", "on")
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path))
    tube = """
noob_id: kept
input:
  x: {type: int, scope: process}
nodes:
  slow: {type: thread_nodes.square, depends: [x: input.x], cache: true}
  out: {type: return, depends: slow.value}
"""

    def run(i):
        return [(run.result, run.metrics["nodes"]["slow"]["reused"]) for run in (ps.run(tube, inputs={"x": x}) for x in range(10))]

    def run_twice(i):
        return [result for result, _ in run(i)], run(i)

    wanted = [x * x for x in range(10)]
    assert at_once(run_twice) == [(wanted, [(result, 1) for result in wanted])] * THREADS
    [database] = [path for path in tmp_path.rglob("*") if path.suffix in (".db", ".sqlite", ".sqlite3")]
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("select count(*) from runs").fetchone() == (THREADS * 20,)


@pytest.mark.parametrize("kind", ["sync", "threads"])
def test_a_second_thread_is_refused_while_a_runner_runs(kind):
    runner = KINDS[kind](ps.Tube.load(GATED))
    thread_nodes.begun.clear()
    thread_nodes.go_on.clear()
    results = []
    first = threading.Thread(target=lambda: results.append(runner.process()))
    first.start()
    assert thread_nodes.begun.wait(60)
    calls = [
        runner.process, runner.run, runner.init, runner.deinit, lambda: next(runner.iter()), lambda: runner.metrics,
        lambda: runner.add_callback(print), lambda: runner.disable_node("wait"),
    ]  # fmt: skip

    def call(i):
        with pytest.raises(ps.FailedPreconditionError, match="running|runs") as caught:
            calls[i]()
        return caught.value.id

    assert at_once(call) == [""] * 7 + ["PS0430"]
    thread_nodes.go_on.set()
    first.join()
    assert results == ["done"]
    assert runner.process() == "done" and runner.metrics["epochs"] == 2
    runner.deinit()


@pytest.mark.parametrize("kind", KINDS)
def test_many_threads_call_one_runner(kind):
    results = []
    with KINDS[kind](ps.Tube.load(TUBE % (0, 0))) as runner:

        def call(i):
            for x in (3, 3, 3, 3):
                try:
                    results.append(runner.process(x=x)["memory"])
                except ps.FailedPreconditionError as error:
                    assert "this runner is running" in str(error)

        at_once(call)
        assert results  # those that came through counted once each
        assert sorted(results) == [5 * (n + 1) for n in range(len(results))]
        assert runner.process(x=3)["memory"] == 5 * (len(results) + 1)


@pytest.mark.parametrize("kind", KINDS)
def test_used_here_and_closed_there(kind):
    runner = KINDS[kind](ps.Tube.load(TUBE % (0, 0)))
    for n in range(3):
        [result] = at_once(lambda i: runner.process(x=3), 1)
        assert result["memory"] == 5 * (n + 1)
        assert at_once(lambda i: runner.deinit(), 1) == [None]
        assert not runner.running
    iterator = runner.iter(x=3)
    assert next(iterator)["memory"] == 20
    runner.deinit()
    assert at_once(lambda i: next(iterator), 1)[0]["memory"] == 25
    runner.deinit()


def test_async_runners_in_many_loops():
    def run(i):
        async def main():
            async with ps.AsyncRunner(ps.Tube.load(TUBE % (i, i)), 2) as runner:
                return [await runner.process(x=x) for x in range(10)]

        return asyncio.run(main())

    together_and_alone(run)


def test_an_async_runner_is_not_shared_by_two_loops():
    runner = ps.AsyncRunner(ps.Tube.load(GATED))
    thread_nodes.begun.clear()
    thread_nodes.go_on.clear()
    results = []
    first = threading.Thread(target=lambda: results.append(asyncio.run(runner.process())))
    first.start()
    assert thread_nodes.begun.wait(60)
    with pytest.raises(ps.FailedPreconditionError, match="another event loop"):
        asyncio.run(runner.process())
    thread_nodes.go_on.set()
    first.join()
    assert results == ["done"]
    assert asyncio.run(runner.process()) == "done"
    asyncio.run(runner.deinit())
