"""fork() and the end of a program, in every state of a run: no crash, no hang, nothing left behind, and who
goes on gives right results. Each case is a program of its own.

137 cases; about 80 of them, drawn with a fixed seed, unless PENSTOCK_LONG_TESTS is set.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import ending_programs
import pytest
from process_tools import shared_memory, wait_until_gone

LIMIT_S = 30
IS_LONG = bool(os.environ.get("PENSTOCK_LONG_TESTS"))
# What a process says that was ended by its own broken state.
CRASHES = ("Fatal Python error", "terminate called", "FATAL: ", "nanobind: ", "AddressSanitizer")

BOUND = {"threads": 8, "processes": 8, "iterating_threads": 8, "coroutines": 8, "midway_threads": 8, "midway_processes": 8, "cached": 8}
CHILDREN = {
    "own_then_leave_at_once": lambda state: 7,
    "own_then_leave": lambda state: 7,
    "raise_error": lambda state: 1,
    "kill_itself": lambda state: -9,
    "use_inherited": lambda state: BOUND.get(state, 7),
}


def drawn(cases, count):
    """All cases in the long form, else ``count`` of them."""
    return cases if IS_LONG else random.Random("20261121").sample(cases, count)


def finish(process, wanted, before):
    """Both streams of a program that has to end with this exit code and leave nothing."""
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"did not end within {LIMIT_S} s\n{out}\n{err}")
    assert process.returncode == wanted, f"{process.returncode}\n{out}\n{err}"
    assert not any(word in err for word in CRASHES), err
    assert wait_until_gone(process.pid) == []
    assert shared_memory(before) == set()
    return out, err


@pytest.fixture
def run(tmp_path):
    """Runs a program that has the names of ending_programs.py, in a folder of its own."""
    before = set(os.listdir("/dev/shm"))

    def run(code, wanted=0):
        (tmp_path / "program.py").write_text(code if "import *" in code else "from ending_programs import *\n" + code)
        environment = os.environ | {
            "PENSTOCK_HOME": str(tmp_path / "home"), "PENSTOCK_CACHE": "on", "PYTHONPATH": str(Path(ending_programs.__file__).parent),
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "program.py"], cwd=tmp_path, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        return finish(process, wanted, before)

    return run


@pytest.mark.parametrize(("state", "child"), drawn([(state, child) for state in ending_programs.STATES for child in CHILDREN], 26))
def test_a_fork_in_each_state(run, state, child):
    out, err = run(f"case({state!r}, {child})")
    assert out.splitlines()[-1] == f"child {CHILDREN[child](state)}", out + err
    assert ("RuntimeError: of the child" in err) == (child == "raise_error"), err


# {kind} is a runner; the exit code, what is on standard output, and what the program does.
ENDS = {
    "an_open_runner": (0, "", """
runner = KINDS[{kind!r}](ps.Tube.load(SPEC))
assert runner.process(x=4) == 14
"""),
    "an_open_runner_in_a_circle": (0, "", """
runner = KINDS[{kind!r}](ps.Tube.load(SPEC))
class Holder: pass
holder = Holder()
holder.runner, holder.itself = runner, holder
runner.add_callback(lambda event, holder=holder: None)
runner.process(x=4)
"""),
    "sys_exit": (3, "", """
with KINDS[{kind!r}](ps.Tube.load(SPEC)) as runner:
    assert runner.process(x=4) == 14
    sys.exit(3)
"""),
    "an_exception": (1, "", """
runner = KINDS[{kind!r}](ps.Tube.load(SPEC))
runner.process(x="no number")
"""),
    "a_running_iterator": (0, "", """
state = iterating({kind!r})
state.__enter__()
"""),
    "a_daemon_thread": (0, "", """
in_daemon({kind!r})
"""),
    "daemon_threads_and_a_run_of_its_own": (0, "", """
for _ in range(3):
    in_daemon({kind!r})
fresh({kind!r})
"""),
    "a_node_that_does_not_end": (0, "", """
os.mkfifo("gate")
runner = KINDS[{kind!r}](ps.Tube.load(one("ending_programs.never_ends")))
threading.Thread(target=lambda: runner.process(x=1), daemon=True).start()
open("gate", "rb").read()
"""),
    "os_exit_in_a_node": (5, "", """
runner = KINDS["sync" if {kind!r} == "processes" else {kind!r}](ps.Tube.load(one("ending_programs.leaves_at_once")))
with KINDS["processes"](ps.Tube.load(SPEC)) as other:
    other.process(x=4)
    runner.process(x=1)
"""),
    "sys_exit_in_a_callback": (4, "told\n", """
def callback(event):
    sys.exit(4)
with KINDS[{kind!r}](ps.Tube.load(SPEC)) as runner:
    runner.add_callback(callback)
    try:
        runner.process(x=4)
    except ps.Error as error:
        assert "SystemExit: 4" in str(error), error
        print("told")
        sys.exit(4)
"""),
    "os_exit_in_a_callback": (6, "", """
runner = KINDS[{kind!r}](ps.Tube.load(SPEC))
runner.add_callback(lambda event: os._exit(6))
runner.process(x=4)
"""),
    "an_atexit_handler_that_runs": (0, "before\nafter\n", """
import atexit
def handler():
    fresh({kind!r})
    print("after")
atexit.register(handler)
print("before")
"""),
    "an_atexit_handler_older_than_penstock": (0, "late\n", None),
    "raising_del": (0, "", """
class Raises:
    def __del__(self):
        raise ValueError("of __del__")
runner = KINDS["threads" if {kind!r} == "processes" else {kind!r}](ps.Tube.load(one("ending_programs.hand_back")))
held = runner.process(x=Raises())
runner.kept = Raises()
"""),
    "a_del_that_runs": (0, "", """
class Runs:
    def __init__(self):
        self.runner = KINDS[{kind!r}](ps.Tube.load(SPEC))
        self.runner.process(x=4)
    def __del__(self):
        self.runner.process(x=3)
kept = Runs()
sys.kept = kept
"""),
    "a_thread_that_goes_on": (0, "19\n", """
import ending_programs
def work():
    threading.main_thread().join()
    with KINDS[{kind!r}](ps.Tube.load(SPEC)) as runner:
        runner.process(x=4)
        print(runner.process(x=3))
threading.Thread(target=work).start()
"""),
    "a_signal": (-15, "", """
import signal
runner = KINDS[{kind!r}](ps.Tube.load(SPEC))
runner.process(x=4)
os.kill(os.getpid(), signal.SIGTERM)
signal.pause()
"""),
    "a_handler_that_leaves_midway": (9, "", """
import signal
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9))
runner = KINDS[{kind!r}](ps.Tube.load(SPEC))
main = threading.main_thread().ident
runner.add_callback(lambda event: signal.pthread_kill(main, signal.SIGUSR1) if event["node_id"] == "square" else None)
try:
    runner.process(x=4)
except (ps.Error, KeyboardInterrupt) as error:
    assert "SystemExit: 9" in str(error), error
    sys.exit(9)
"""),
}
OLDER = """
import atexit
def handler():
    import ending_programs
    ending_programs.fresh({kind!r})
    print("late")
atexit.register(handler)
from ending_programs import *
in_daemon({kind!r})
"""


@pytest.mark.parametrize(("end", "kind"), drawn([(end, kind) for end in ENDS for kind in ending_programs.KINDS], 34))
def test_the_end_of_a_program_with(run, end, kind):
    code, text, program = ENDS[end]
    out, err = run((program or OLDER).format(kind=kind), code)
    assert out == text
    wanted = {"an_exception": "NodeError", "raising_del": "ValueError: of __del__"}.get(end)
    assert wanted is None or wanted in err, err
    assert wanted is not None or "Traceback" not in err, err


FORK_IN_A_NODE = """
def node(x):
    statuses.append(fork(own_then_leave_at_once))
    return x + 1
statuses = []
with KINDS["%s"](ps.Tube.load(one("__main__.node"))) as runner:
    results = [runner.process(x=0), runner.process(x=1)]
assert statuses == [7, 7]
print(7, results)
"""
# Further programs: the exit code and what is on standard output.
MORE = {
    "the_parent_ends_first": (0, "parent\nchild\n", """
with opened("processes"):
    ready, go = os.pipe()
    if os.fork() == 0:
        os.close(go)
        os.read(ready, 1)  # the parent is gone
        own_runs()
        print("child", flush=True)
        os._exit(0)
    print("parent", flush=True)
    os._exit(0)
"""),
    "a_killed_parent_takes_its_workers_along": (-9, "alone\n", """
from process_tools import children
with opened("processes") as again:
    workers = children()
    assert len(workers) == 2
    watched = [os.pidfd_open(pid) for pid in workers]
    ready, go = os.pipe()
    if os.fork() == 0:
        import select
        os.close(go)
        os.read(ready, 1)  # the parent is gone, and this copy of it lives
        for worker in watched:
            assert select.select([worker], [], [], 10)[0]
        print("alone", flush=True)
        os._exit(0)
    os.kill(os.getpid(), 9)
"""),
    "a_child_that_ends_an_iterator": (0, "[2, 3, 4]\n", """
with iterating("threads") as again:
    def child():
        global again
        del again
        sys.exit(0)
    status = fork(child)
    assert status == 0, status
    again()
    print([2, 3, 4])
"""),
    "forks_of_forks": (0, "7\n", """
def grandchild():
    own_then_leave()
def child():
    with opened("threads"):
        os._exit(fork(grandchild))
with opened("processes") as again:
    print(fork(child))
    again()
"""),
    "a_fork_in_a_node_under_sync": (0, "7 [1, 2]\n", FORK_IN_A_NODE % "sync"),
    "a_fork_in_a_node_under_threads": (0, "7 [1, 2]\n", FORK_IN_A_NODE % "threads"),
    "a_fork_in_a_node_under_processes": (0, "[7, 7]\n", """
def node(x):
    return fork(own_then_leave_at_once)
with KINDS["processes"](ps.Tube.load(one("__main__.node"))) as runner:
    print([runner.process(x=0), runner.process(x=1)])
"""),
    "a_fork_in_a_callback": (0, "7\n", """
import ending_programs
with opened("threads") as again:
    def callback(event):
        if event["signal"] == "EpochEnded":
            statuses.append(fork(own_then_leave_at_once))
    ending_programs.runner.add_callback(callback)
    statuses = []
    again()
    print(*statuses)
"""),
    "the_async_runner_and_a_fork": (0, "8 2 3\n", """
def child():
    own_runs()
    try:
        asyncio.new_event_loop().run_until_complete(runner.process(x=1))
    except ps.Error as error:
        assert error.id == "PS0445"
        os._exit(8)
async def main():
    global runner
    async with ps.AsyncRunner(ps.Tube.load(COROUTINES)) as runner:
        first = await runner.process(x=1)
        print(fork(child), first, await runner.process(x=2))
asyncio.run(main())
"""),
    "the_async_runner_closed_in_a_child": (0, "0 3\n", """
def child():
    asyncio.new_event_loop().run_until_complete(runner.deinit())
    assert not runner.running
    os._exit(0)
async def main():
    global runner
    async with ps.AsyncRunner(ps.Tube.load(COROUTINES)) as runner:
        await runner.process(x=1)
        print(fork(child), await runner.process(x=2))
asyncio.run(main())
"""),
    "the_async_runner_midway": (0, "left\n", """
async def main():
    runner = ps.AsyncRunner(ps.Tube.load(one("ending_programs.sleep_long")))
    running = asyncio.ensure_future(runner.process(x=1))
    while not sleeping.is_set():
        await asyncio.sleep(0)
    print("left")
asyncio.run(main())
"""),
    "the_async_runner_midway_and_sys_exit": (3, "left\n", """
async def main():
    runner = ps.AsyncRunner(ps.Tube.load(one("ending_programs.sleep_long")))
    running = asyncio.ensure_future(runner.process(x=1))
    while not sleeping.is_set():
        await asyncio.sleep(0)
    print("left")
    sys.exit(3)
asyncio.run(main())
"""),
    "the_async_runner_on_a_loop_that_is_dropped": (0, "left\n", """
async def main():
    global running
    runner = ps.AsyncRunner(ps.Tube.load(one("ending_programs.sleep_long")))
    running = asyncio.ensure_future(runner.process(x=1))
    while not sleeping.is_set():
        await asyncio.sleep(0)
    print("left")
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""),
    "the_async_runner_at_the_very_end": (0, "14\n", """
import atexit
def handler():
    import asyncio, penstock as ps
    from ending_programs import SPEC
    async def main():
        async with ps.AsyncRunner(ps.Tube.load(SPEC)) as runner:
            return await runner.process(x=4)
    print(asyncio.run(main()))
atexit.register(handler)
from ending_programs import *
"""),
    "a_subprocess_with_the_tube": (0, "19\n", """
import json, subprocess
code = '''
import json, sys, penstock as ps
runner = ps.SynchronousRunner(ps.Tube.load(json.load(sys.stdin)))
runner.process(x=4)
print(runner.process(x=3))
'''
with opened("processes") as again:
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(SPEC), capture_output=True, text=True, check=True)
    print(done.stdout, end="")
    again()
"""),
}
METHODS = """
import multiprocessing
def work(kind):
    from ending_programs import fresh
    fresh(kind)
    return os.getpid()
if __name__ == "__main__":
    with opened({kind!r}) as again:
        with multiprocessing.get_context({method!r}).Pool(2) as pool:
            pids = pool.map(work, ["sync", "threads", "sync"])
        assert os.getpid() not in pids
        again()
    fresh("processes")
    print("done")
"""


@pytest.mark.parametrize("name", MORE)
def test_more_programs(run, name):
    code, text, program = MORE[name]
    assert run(program, code) == (text, "")


@pytest.mark.parametrize("kind", ending_programs.KINDS)
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_beside_us(run, method, kind):
    assert run(METHODS.format(method=method, kind=kind)) == ("done\n", "")
