"""Nodes for test_processes.py: workers import them by name."""

import os
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


def same(x):
    return x


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
