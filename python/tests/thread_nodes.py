"""Nodes for test_threads.py."""

import asyncio
import threading

begun = threading.Event()
go_on = threading.Event()


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


async def later(x):
    await asyncio.sleep(0)
    return x


def wait():
    begun.set()
    assert go_on.wait(60)
    return "done"
