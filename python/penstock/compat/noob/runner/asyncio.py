"""AsyncRunner: for programs that use asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from typing import Any, Self

import penstock._async_runner
from penstock import _errors
from penstock.compat.noob._result import NO_RESULT
from penstock.compat.noob.exceptions import SchedulerExhaustedError
from penstock.compat.noob.runner.base import TubeRunner, or_none, original


class AsyncRunner(TubeRunner):
    """Coroutines run on the caller's event loop, other nodes on threads; order is that of `SynchronousRunner`.

    Callbacks are called from another thread than the event loop's.
    """

    native_class = penstock._async_runner.AsyncRunner

    async def init(self) -> None:
        """Initialise nodes and assets, awaiting those that are coroutines."""
        if not self.running:
            with self._context() as context:
                await _awaited(self._native._call(context.run, self._native._runner.init))
            self._native._running = True

    async def deinit(self) -> None:
        """Deinitialise nodes and assets. The runner can be used again."""
        await _awaited(self._native.deinit())

    async def __aenter__(self) -> Self:
        await self.init()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.deinit()

    async def process(self, **inputs: Any) -> Any:
        """Run one epoch: its result, or None."""
        return or_none(await self._process(inputs))

    async def _process(self, inputs: dict[str, Any]) -> Any:
        await self.init()
        values = self._begin(inputs)
        step = await _awaited(self._native._call(self._native._runner.step, values))
        return self._end(step, values)

    async def iter(self, n: int | None = None) -> AsyncGenerator[Any, None]:
        """Yield ``n`` results, over as many epochs as they take; without a return, None for each epoch."""
        self._check_no_process_input("iter")
        given = 0
        loops = 0
        while (n is None or given < n) and not (self._finished or self.tube._is_over()):
            result = await self.process()
            loops += 1
            if result is None and self.has_return:
                if loops > self.max_iter_loops:
                    raise RuntimeError("Reached maximum process calls per iteration")
                continue
            loops = 0
            yield result
            given += 1

    async def run(self, n: int | None = None) -> list | None:
        """Run ``n`` epochs, or until every source has ended: the results that are not None, or None."""
        self._check_no_process_input("run")
        results = []
        done = 0
        try:
            while done < n if n is not None else not self._finished:
                result = await self._process({})
                if result is not NO_RESULT and result is not None:
                    results.append(result)
                done += 1
        except SchedulerExhaustedError:
            pass
        return results or None

    async def enable_node(self, node_id: str) -> None:
        """As :meth:`SynchronousRunner.enable_node`, to be awaited."""
        await self._switch(node_id, True)

    async def disable_node(self, node_id: str) -> None:
        """As :meth:`SynchronousRunner.disable_node`, to be awaited."""
        await self._switch(node_id, False)

    async def _switch(self, node_id: str, enabled: bool) -> None:
        if node_id not in self.tube.nodes:
            raise KeyError(node_id)
        with self._context() as context:
            await _awaited(self._native._call(context.run, self._native._runner.set_enabled, node_id, enabled))
        self._switched(node_id, enabled)


async def _awaited(awaitable: Awaitable) -> Any:
    """Its result; what a node or a callback raised comes out as it is."""
    try:
        return await awaitable
    except _errors.Error as error:
        failed = error
    raise original(failed)
