"""Nodes for test_processes.py: workers import them by name."""

import os
import sys
import time


def count(n=40):
    yield from range(n)


def double(x):
    return 2 * x


def add(a, b):
    return a + b


def up_to(x):
    return list(range(x))


class Running:
    """A state that depends on every call before."""

    def __init__(self):
        self.total = 0

    def process(self, x):
        self.total = 3 * self.total % 1_000_003 + x
        return self.total


class NotThirteen:
    """A state that depends on every call before; a call that fails leaves it as it was."""

    def __init__(self):
        self.total = 0

    def process(self, x):
        if x == 13:
            raise ValueError("thirteen")
        self.total = 3 * self.total % 1_000_003 + x
        return self.total


def same(x):
    return x


def inheritable(x):
    """Descriptors that a program started here would get."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:
            continue  # the one of listdir itself
    return sorted(found)


def touch(x, mib):
    return len(b"x" * (mib << 20))


def pid(x):
    return os.getpid()


def sleep(x, seconds):
    time.sleep(seconds)
    return x


def fail(x):
    raise ValueError(f"cannot use {x}")


def say(x):
    print(f"said {x}")
    return x


def opaque(x):
    return object()


def die(x):
    os.kill(os.getpid(), 9)


def array(x):
    import numpy as np

    return np.full((1024, 1024), float(x))


def total(x):
    return float(x.sum())


def leave(x):
    if x == 13:
        sys.exit(3)
    return x


def leave_at_once(x):
    if x == 13:
        os._exit(5)
    return x


def fork_and_wait(x):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return x


def fork_and_return(x):
    child = os.fork()
    if child != 0:
        os.waitpid(child, 0)
    return x


def fork_and_leave(x):
    child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)
    return x


def print_much(x):
    line = "x" * 1023
    for _ in range(x << 10):
        print(line)
    return x


def opaque_on_13(x):
    return object() if x == 13 else x


def append(x):
    x.append("more")
    return x


def write(x):
    x[0] = 1
    return x


def hang_on_13(x):
    while x == 13:
        time.sleep(0.01)
    return x


def modulo(x):
    return x % 5


def note(items, x):
    items.append(x)
    return list(items)


def burn(x):
    return sum(range(20_000)) + x
