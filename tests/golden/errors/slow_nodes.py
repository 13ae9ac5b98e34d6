"""Nodes that take too long."""

import asyncio


async def waits(value: int):
    await asyncio.Event().wait()
