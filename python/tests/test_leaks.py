"""References and memory blocks after calls of every public callable: none more in three warm rounds.

A public callable without a scenario in leak_scenarios.py fails the test, and so does a scenario that does not
call what it is there for.
"""

import array
import ctypes
import gc
import inspect
import itertools
import sys
import threading
import time

import leak_scenarios
import penstock.accelerate as accelerate
import penstock.compat.noob as noob
import penstock.testing as testing
import pytest

import penstock as ps

WARM, ROUNDS, ATTEMPTS = 2, 3, 8
PATIENCE_S = 15


def public():
    """{name: object} of everything that can be called: functions, classes, their methods and properties."""
    found, seen = {}, set()
    for prefix, module in (("", ps), ("accelerate.", accelerate), ("testing.", testing), ("noob.", noob)):
        for name in module.__all__:
            thing = getattr(module, name)
            if not callable(thing) or id(thing) in seen:
                continue
            seen.add(id(thing))
            found[prefix + name] = thing
            for base in inspect.getmro(thing) if inspect.isclass(thing) else ():
                if not base.__module__.startswith("penstock"):
                    continue
                for member, value in vars(base).items():
                    is_called = inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod, property))
                    if not member.startswith("_") and is_called:
                        found.setdefault(f"{prefix}{name}.{member}", value)
    return found


PUBLIC = public()
EXCEPTIONS = {name for name, thing in PUBLIC.items() if inspect.isclass(thing) and issubclass(thing, BaseException)}
BY_SCENARIO = {}
for _name, _function in leak_scenarios.SCENARIOS.items():
    BY_SCENARIO.setdefault(_function, []).append(_name)


def code_of(thing):
    """The code that runs when it is called; None where that is not Python's, or not ours."""
    if isinstance(thing, property):
        thing = thing.fget
    elif isinstance(thing, (classmethod, staticmethod)):
        thing = thing.__func__
    elif inspect.isclass(thing):
        thing = thing.__init__
    thing = inspect.unwrap(thing)
    return thing.__code__ if inspect.isfunction(thing) and thing.__module__.startswith("penstock") else None


def calls_of(function):
    """All code that runs, in any thread."""
    seen = set()

    def note(frame, what, _):
        if what == "call":
            seen.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        leak_scenarios.quiet(function)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return seen


class MallocInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = MallocInfo
WATCHED = [None, True, False, (), "", b"", 0, 1, ps.NoEvent, *{id(v): v for v in PUBLIC.values() if inspect.isclass(v)}.values()]


class Counts:
    """What is alive. Kept in an array, so that to remember it allocates nothing."""

    NAMES = ["blocks", "objects", "native bytes", *(f"references to {thing!r}" for thing in WATCHED)]

    def __init__(self):
        self.counts = array.array("q", [0] * len(self.NAMES))

    def take(self):
        counts = self.counts
        for _ in range(4):
            gc.collect()  # a tuple of constants is looked at no longer after as many rounds as it is deep
        while gc.collect():
            pass  # what ends may let go of more
        # It holds the name of each method that C code asked for, and those are made anew for each call.
        sys._clear_type_cache()
        counts[0] = sys.getallocatedblocks()
        counts[1] = len(gc.get_objects())
        info = libc.mallinfo2()
        counts[2] = info.uordblks + info.hblkhd
        at = 3
        for thing in WATCHED:
            counts[at] = sys.getrefcount(thing)
            at += 1


def grown(function, patience_s=PATIENCE_S):
    """What three rounds leave behind however often they are made: {} or {what: how much}.

    Caches and free lists fill up (of our boxes for objects: up to 4,096) and the malloc of other threads keeps
    some of what they freed, so a count may grow now and then; what leaks grows each time.
    """
    # A tool that measures coverage keeps something of each thread that it traces: new threads are not.
    trace = threading.gettrace()
    threading.settrace(None)
    try:
        return grown_untraced(function, patience_s)
    finally:
        threading.settrace(trace)


def grown_untraced(function, patience_s):
    before, after = Counts(), Counts()
    for _ in range(WARM):
        leak_scenarios.quiet(function)
        before.take()
        after.take()
    left = dict.fromkeys(Counts.NAMES, sys.maxsize)
    deadline = time.monotonic() + patience_s
    for attempt in itertools.count():
        if attempt >= ATTEMPTS and time.monotonic() > deadline:
            break
        before.take()
        for _ in range(ROUNDS):
            leak_scenarios.quiet(function)
        after.take()
        for what, old, new in zip(Counts.NAMES, before.counts, after.counts, strict=True):
            if what in left:
                left[what] = min(left[what], new - old)
                if left[what] <= 0:
                    del left[what]
        if not left:
            break
    return left


def test_every_public_callable_has_a_scenario():
    covered = set(leak_scenarios.SCENARIOS) | EXCEPTIONS
    assert set(PUBLIC) - covered == set()
    assert covered - set(PUBLIC) == set()
    assert len(PUBLIC) > 200


@pytest.mark.parametrize("function", BY_SCENARIO, ids=[names[0] for names in BY_SCENARIO.values()])
def test_nothing_is_left_behind(function):
    calls = calls_of(function)
    names = BY_SCENARIO[function]
    missed = [name for name in names if (code := code_of(PUBLIC[name])) is not None and code not in calls]
    assert missed == []
    assert grown(function) == {}


def test_no_exception_is_left_behind():
    classes = [PUBLIC[name] for name in sorted(EXCEPTIONS)]
    assert len(classes) > 15
    assert grown(lambda: [leak_scenarios.errors(cls) for cls in classes]) == {}


def test_functions_that_are_made_anew_are_let_go_of():
    assert grown(leak_scenarios.run_cell) == {}


@pytest.mark.parametrize("leak", [lambda kept: kept.append([]), lambda kept: kept.append(None), lambda kept: kept.append(ps.Epoch)])
def test_a_leak_is_noticed(leak):
    kept = []
    assert grown(lambda: leak(kept), patience_s=0) != {}


def test_a_leak_of_native_memory_is_noticed():
    libc.malloc.restype = ctypes.c_void_p
    # More than what other threads may give back meanwhile.
    assert "native bytes" in grown(lambda: libc.malloc(100_000), patience_s=0)
