"""Nodes for test_threads.py."""

import asyncio
import threading

from ending_programs import Memory, square, up_to  # noqa: F401 - nodes of both

begun = threading.Event()
go_on = threading.Event()


async def later(x):
    await asyncio.sleep(0)
    return x


def wait():
    begun.set()
    assert go_on.wait(60)
    return "done"
