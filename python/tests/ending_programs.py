"""What the programs of test_fork_exit.py are made of: tubes, what each runner gives, and states in which a
program forks or ends. A program imports all names of this module."""

import asyncio
import contextlib
import os
import sys
import threading
import time

import penstock as ps

KINDS = {
    "sync": ps.SynchronousRunner,
    "threads": lambda tube: ps.ThreadedRunner(tube, 2),
    "processes": lambda tube: ps.MultiProcessRunner(tube, 2),
}
SPEC = {
    "noob_id": "ends",
    "input": {"x": {"type": "int", "scope": "process"}},
    "nodes": {
        "many": {"type": "ending_programs.up_to", "depends": [{"n": "input.x"}]},
        "each": {"type": "map", "depends": "many.value"},
        "square": {"type": "ending_programs.square", "depends": [{"x": "each.value"}]},
        "all": {"type": "gather", "depends": "square.value"},
        "memory": {"type": "ending_programs.Memory", "depends": [{"xs": "all.value"}]},
        "out": {"type": "return", "depends": "memory.value"},
    },
}
COROUTINES = {
    "noob_id": "waits",
    "input": {"x": {"type": "int", "scope": "process"}},
    "nodes": {
        "wait": {"type": "ending_programs.wait", "depends": [{"x": "input.x"}]},
        "out": {"type": "return", "depends": "wait.value"},
    },
}


def up_to(n):
    return list(range(n))


def square(x):
    return x * x


class Memory:
    def __init__(self):
        self.total = 0

    def process(self, xs):
        self.total += sum(xs)
        return self.total


async def wait(x):
    await asyncio.to_thread(square, x)  # another thread wakes the loop
    return x + 1


def one(function):
    """A tube of one node, a function of the program or of this module."""
    return {
        "noob_id": "one",
        "input": {"x": {"type": "any", "scope": "process"}},
        "nodes": {"node": {"type": function, "depends": [{"x": "input.x"}]}, "out": {"type": "return", "depends": "node.value"}},
    }


def fresh(kind):
    """A whole run of its own, from the load on."""
    with KINDS[kind](ps.Tube.load(SPEC)) as runner:
        assert [runner.process(x=4), runner.process(x=3)] == [14, 19]
    assert runner.metrics["epochs"] == 2


def own_runs():
    """What the child of a fork does to show that everything works in it."""
    for kind in KINDS:
        fresh(kind)
    assert ps.decode(ps.encode({"a": [1, 2.5]})) == {"a": [1, 2.5]}
    assert ps.run(SPEC, inputs={"x": 4}).result == 14


def fork(child):
    """How a copy of this process ended that called ``child``."""
    pid = os.fork()
    if pid == 0:
        child()
        os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextlib.contextmanager
def nothing():
    yield lambda: fresh("sync")


@contextlib.contextmanager
def opened(kind):
    global runner
    with KINDS[kind](ps.Tube.load(SPEC)) as runner:
        assert runner.process(x=4) == 14

        def again():
            assert runner.process(x=3) == 19

        yield again


@contextlib.contextmanager
def closed(kind):
    with opened(kind):
        pass
    yield lambda: fresh(kind)


@contextlib.contextmanager
def iterating(kind):
    global runner
    runner = KINDS[kind](
        ps.Tube.load({"nodes": {"n": {"type": "ending_programs.numbers"}, "out": {"type": "return", "depends": "n.value"}}})
    )
    given = runner.iter()
    assert [next(given), next(given)] == [0, 1]

    def again():
        assert list(given) == [2, 3, 4]
        runner.deinit()

    yield again


def numbers():
    yield from range(5)


@contextlib.contextmanager
def coroutines():
    global runner
    with ps.SynchronousRunner(ps.Tube.load(COROUTINES)) as runner:
        assert runner.process(x=1) == 2

        def again():
            assert runner.process(x=2) == 3

        yield again


def read_gate(x):
    """Comes back when the program has opened the gate."""
    with open("gate", "rb", buffering=0) as gate:
        assert gate.read(1) == b"x"
    return x + 1


@contextlib.contextmanager
def midway(kind):
    """Another thread runs a tube, and its node waits until the state ends."""
    global runner
    os.mkfifo("gate")
    seen = []
    runner = KINDS[kind](ps.Tube.load(one("ending_programs.read_gate")))
    thread = threading.Thread(target=lambda: seen.append(runner.process(x=1)))
    thread.start()
    with open("gate", "wb", buffering=0) as gate:  # opens when the node has

        def again():
            if not thread.is_alive():  # in the child of a fork
                return runner.process(x=1)
            gate.write(b"x")
            thread.join()
            assert seen == [2]
            runner.deinit()

        yield again


@contextlib.contextmanager
def cached():
    kept = SPEC | {"nodes": SPEC["nodes"] | {"square": SPEC["nodes"]["square"] | {"cache": True}}}
    global runner
    with ps.ThreadedRunner(ps.Tube.load(kept), 2) as runner:
        assert runner.process(x=4) == 14

        def again():
            assert runner.process(x=4) == 28
            assert runner.metrics["nodes"]["square"]["reused"] == 4

        yield again


STATES = {
    "nothing": nothing,
    "sync": lambda: opened("sync"),
    "threads": lambda: opened("threads"),
    "processes": lambda: opened("processes"),
    "closed_threads": lambda: closed("threads"),
    "closed_processes": lambda: closed("processes"),
    "iterating": lambda: iterating("sync"),
    "iterating_threads": lambda: iterating("threads"),
    "coroutines": coroutines,
    "midway_threads": lambda: midway("threads"),
    "midway_processes": lambda: midway("processes"),
    "cached": cached,
}


def use_inherited():
    """The child uses the runner that it was copied with."""
    try:
        again_in_child()
    except ps.Error as error:
        assert error.id == "PS0445", error
        runner.deinit()
        os._exit(8)
    os._exit(7)


def raise_error():
    raise RuntimeError("of the child")


def own_then_leave():
    own_runs()
    sys.exit(7)


def own_then_leave_at_once():
    own_runs()
    os._exit(7)


def kill_itself():
    os.kill(os.getpid(), 9)


def case(state, child):
    """Forks in a state; what happens in the child is told by its exit status."""
    global again_in_child
    with STATES[state]() as again:
        again_in_child = again
        status = fork(child)
        again()
    fresh("threads")
    print("child", status)


def never_ends(x):
    with open("gate", "wb"):
        pass
    while True:
        time.sleep(0.001)


def leaves_at_once(x):
    os._exit(5)


def hand_back(x):
    return x


def in_daemon(kind):
    """A daemon thread runs one epoch after another, for ever; comes back when it has begun."""
    begun = threading.Event()

    def loop():
        with KINDS[kind](ps.Tube.load(SPEC)) as runner:
            while True:
                runner.process(x=4)
                begun.set()

    threading.Thread(target=loop, daemon=True).start()
    begun.wait()


sleeping = threading.Event()


async def sleep_long(x):
    sleeping.set()
    await asyncio.sleep(3600)
