"""Coroutine nodes under every runner, and AsyncRunner."""

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import async_nodes
import pytest

import penstock as ps

ONE = """
input:
  x: {{type: any, scope: process}}
nodes:
  node: {{type: async_nodes.{name}, depends: [x: input.x]}}
  out: {{type: return, depends: node.value}}
"""
TUBE = """
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 6}}
  double: {type: async_nodes.double, depends: [x: count.index]}
  two: {type: async_nodes.two, depends: [x: count.index]}
  running: {type: async_nodes.Running, depends: [x: double.value]}
  add: {type: penstock.testing.multiply, depends: [left: running.value, right: double.value]}
  out: {type: return, depends: [add: add.value, low: two.low, high: two.high, running: running.value]}
"""
MAP = """
nodes:
  count: {type: penstock.testing.count_source, params: {limit: 3}}
  some: {type: async_nodes.numbers, depends: [x: count.index]}
  each: {type: map, depends: some.value}
  jitter: {type: async_nodes.jitter, depends: [x: each.value]}
  running: {type: async_nodes.Running, depends: [x: jitter.value]}
  all: {type: gather, depends: [value: running.value]}
  out: {type: return, depends: [all: all.value, each: jitter.value, n: count.index]}
"""
RUNNERS = ("sync", "threads", "processes")


def one(name):
    return ps.Tube.load(ONE.format(name=name))


def runner_of(name, tube):
    return {"sync": ps.SynchronousRunner, "threads": ps.ThreadedRunner, "processes": ps.MultiProcessRunner}[name](tube)


async def run_async(tube, n=None):
    async with ps.AsyncRunner(ps.Tube.load(tube)) as runner:
        return await runner.run(n)


@pytest.mark.parametrize("tube", [TUBE, MAP])
def test_all_runners_agree(tube):
    wanted = ps.run(tube).results
    assert len(wanted) >= 3
    assert ps.run(tube, runner="threads").results == wanted
    assert ps.run(tube, runner="processes").results == wanted
    assert asyncio.run(run_async(tube)) == wanted


def test_the_answers_are_right():
    results = ps.run(TUBE).results
    assert [r["low"] for r in results] == list(range(6))
    assert [r.get("high") for r in results] == [None, 101, None, 103, None, 105]
    assert "high" not in results[0]  # no event
    total, running = 0, []
    for x in range(6):
        total = 3 * total % 1_000_003 + 2 * x
        running.append(total)
    assert [r["running"] for r in results] == running


def test_one_loop_for_the_life_of_a_runner_and_a_real_task():
    with ps.SynchronousRunner(one("where")) as runner:
        first, second = runner.process(x=1), runner.process(x=2)
    assert first == second
    assert first[1:] == (threading.get_ident(), True)


def test_sync_inside_a_running_loop_uses_a_helper_thread():
    async def main():
        with ps.SynchronousRunner(one("where")) as runner:
            return runner.process(x=1), runner.process(x=2)

    first, second = asyncio.run(main())
    assert first == second
    assert first[1] != threading.get_ident()
    assert ps.run(TUBE).results == asyncio.run(inside_a_loop())


async def inside_a_loop():
    return ps.run(TUBE).results


def test_a_runner_may_be_dropped_where_another_loop_runs():
    runner = ps.SynchronousRunner(one("same"))
    assert runner.process(x=1) == 1
    runner.deinit()
    held = [runner]
    del runner

    async def main():
        held.clear()  # its own loop is closed here

    asyncio.run(main())


SLEEPERS = "nodes:\n" + "".join(
    f"  n{i}: {{type: async_nodes.sleep, params: {{x: {i}}}}}\n" for i in range(100)
) + "  out: {type: return, depends: [" + ", ".join(f"n{i}.value" for i in range(100)) + "]}\n"


@pytest.mark.parametrize("kind", ["threads", "async"])
def test_ready_coroutines_run_at_once_and_take_no_thread(kind):
    async_nodes.most_active = 0
    tube = ps.Tube.load(SLEEPERS)
    begun = time.monotonic()
    if kind == "threads":
        with ps.ThreadedRunner(tube, max_workers=1) as runner:
            result = runner.process()
    else:

        async def main():
            async with ps.AsyncRunner(tube, max_workers=1) as runner:
                return await runner.process()

        result = asyncio.run(main())
    assert result == tuple(range(100))
    assert async_nodes.most_active == 100
    assert time.monotonic() - begun < 2  # not 100 times 50 ms


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_error_in_a_coroutine_reads_as_in_a_function(runner):
    with runner_of(runner, one("fail")) as active:
        with pytest.raises(ps.NodeError, match="ValueError: cannot use 3") as caught:
            active.process(x=3)
        assert "node 'node', epoch 0" in caught.value.origin
        assert "in fail" in caught.value.trace
        with pytest.raises(ps.NodeError, match="cannot use 4"):  # it goes on
            active.process(x=4)


def test_a_coroutine_that_cancels_itself_is_one_error():
    for runner in ("sync", "threads"):
        with runner_of(runner, one("cancels_itself")) as active, pytest.raises(ps.Error, match="CancelledError"):
            active.process(x=1)


def test_a_function_that_returns_a_coroutine_is_awaited():
    for runner in RUNNERS:
        with runner_of(runner, one("wrapped")) as active:
            assert active.process(x=4) == 8


@pytest.mark.parametrize("name", ["items", "WithAsyncItems"])
def test_asynchronous_generators_are_refused(name):
    with pytest.raises(ps.LoadError, match="asynchronous generator, wanted a coroutine") as caught:
        one(name)
    assert caught.value.id == "PS0221"
    assert caught.value.diagnostics[0]["line"] == 5


def test_events_of_coroutines_reach_callbacks():
    wanted = []
    keys = ("node_id", "signal", "value")
    for kind in (ps.SynchronousRunner, ps.ThreadedRunner):
        seen = []
        with kind(ps.Tube.load(TUBE)) as runner:
            runner.add_callback(lambda e, seen=seen: seen.append((str(e["epoch"]), *(e[key] for key in keys))))
            runner.run()
        wanted.append(sorted(seen, key=str))
    assert wanted[0] == wanted[1]
    assert ("1", "two", "high", 101) in wanted[0]


# ---- AsyncRunner ---------------------------------------------------------------------------------


def test_async_process_iter_and_run():
    async def main():
        runner = ps.AsyncRunner(ps.Tube.load(TUBE))
        assert not runner.running
        first = await runner.process()
        assert runner.running
        some = [result async for result in runner.iter(2)]
        rest = await runner.run()
        await runner.deinit()
        assert not runner.running
        assert runner.metrics["epochs"] == 7  # the last one finds that the source has ended
        return [first, *some, *rest]

    assert asyncio.run(main()) == ps.run(TUBE).results


def test_coroutines_run_on_the_callers_loop_and_in_its_context():
    variable = contextvars.ContextVar("variable")

    async def seen(x):
        return variable.get(), id(asyncio.get_running_loop()), threading.get_ident()

    async_nodes.seen = seen

    async def main():
        variable.set("given")
        async with ps.AsyncRunner(one("seen")) as runner:
            assert await runner.process(x=1) == ("given", id(asyncio.get_running_loop()), threading.get_ident())

    asyncio.run(main())


def test_functions_run_elsewhere_and_objects_keep_their_identity():
    tube = """
    input:
      x: {type: any, scope: process}
    nodes:
      make: {type: async_nodes.make_token, depends: [x: input.x]}
      pass: {type: async_nodes.same, depends: [x: make.value]}
      given: {type: async_nodes.same, depends: [x: input.x]}
      out: {type: return, depends: [pass.value, given.value]}
    """

    async def main():
        mine = object()
        async with ps.AsyncRunner(ps.Tube.load(tube)) as runner:
            made, given = await runner.process(x=mine)
        assert made is async_nodes.token
        assert given is mine

    asyncio.run(main())


def test_the_callers_loop_goes_on_meanwhile():
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticker = asyncio.create_task(tick())
        tube = "nodes:\n  wait: {type: time.sleep, depends: [input.s]}\ninput:\n  s: {type: float, scope: process}\n"
        async with ps.AsyncRunner(ps.Tube.load(tube)) as runner:
            await runner.process(s=0.2)
        ticker.cancel()
        return ticks

    assert asyncio.run(main()) >= 10


def test_calls_at_once_are_one_epoch_after_another():
    async def main():
        async with ps.AsyncRunner(ps.Tube.load(TUBE)) as runner:
            return await asyncio.gather(*(runner.process() for _ in range(4)))

    assert asyncio.run(main()) == ps.run(TUBE, n=4).results


def test_cancelling_the_waiter_cancels_the_epoch():
    async def main():
        async_nodes.begun.clear()
        async_nodes.ended.clear()
        async with ps.AsyncRunner(one("wait_for_ever")) as runner:
            for x in range(3):
                task = asyncio.create_task(runner.process(x=x))
                while len(async_nodes.begun) <= x:  # cancelled sooner, it would never begin
                    await asyncio.sleep(0.001)
                begun = time.monotonic()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert time.monotonic() - begun < 1
                assert async_nodes.ended == list(range(x + 1))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await runner.process(x=3)
        assert async_nodes.ended == [0, 1, 2, 3]

    asyncio.run(main())


def test_a_runner_is_usable_after_a_cancelled_epoch():
    async def main():
        async with ps.AsyncRunner(one("sleep")) as runner:
            task = asyncio.create_task(runner.process(x=1))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await runner.process(x=2) == 2

    asyncio.run(main())


def test_an_error_leaves_the_async_runner_usable():
    async def main():
        async with ps.AsyncRunner(one("fail")) as runner:
            for x in (1, 2):
                with pytest.raises(ps.NodeError, match=f"cannot use {x}"):
                    await runner.process(x=x)

    asyncio.run(main())


def test_an_async_runner_may_meet_several_loops():
    runner = ps.AsyncRunner(ps.Tube.load(TUBE))
    assert [asyncio.run(runner.process()) for _ in range(3)] == ps.run(TUBE, n=3).results
    asyncio.run(runner.deinit())


def test_inputs_are_checked_before_anything_runs():
    async def main():
        async with ps.AsyncRunner(one("same")) as runner:
            with pytest.raises(ps.InputMissingError):
                await runner.process()
            with pytest.warns(ps.ExtraInputWarning, match="Ignoring extra"):
                assert await runner.process(x=1, y=2) == 1

    asyncio.run(main())


# ---- Ctrl-C --------------------------------------------------------------------------------------

SCRIPT = """
import asyncio, sys, time
sys.path.insert(0, {tests!r})
import penstock as ps
tube = ps.Tube.load('''{tube}''')

def report(begin):
    try:
        begin()
    except KeyboardInterrupt:
        print("interrupted", flush=True)

def sync():
    with ps.{runner}(tube) as runner:
        runner.process(x=1)

async def main():
    async with ps.AsyncRunner(tube) as runner:
        await runner.process(x=1)

if __name__ == "__main__":
    report(sync if {runner!r} != "AsyncRunner" else lambda: asyncio.run(main()))
"""


@pytest.mark.parametrize("runner", ["SynchronousRunner", "ThreadedRunner", "MultiProcessRunner", "AsyncRunner"])
def test_ctrl_c_cancels_what_runs(tmp_path, runner):
    path = tmp_path / "script.py"
    tests = str(Path(async_nodes.__file__).parent)
    path.write_text(textwrap.dedent(SCRIPT).format(tests=tests, tube=ONE.format(name="wait_for_ever"), runner=runner))
    environment = {**os.environ, "PYTHONPATH": str(Path(ps.__file__).parent.parent)}
    child = subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    assert child.stdout.readline() == "waiting\n"
    time.sleep(0.05)
    begun = time.monotonic()
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert time.monotonic() - begun < 2  # of which the interpreter's own end is a part
    assert out.splitlines() == ["ended", "interrupted"], err
    assert "Traceback" not in err
