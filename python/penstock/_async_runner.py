"""AsyncRunner: a tube run from asyncio, its coroutines on the caller's event loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from typing import Any

from penstock import _core
from penstock._loop import Loop
from penstock._runners import as_tags
from penstock._tube import Tube, _warn_about_extra

_CANCEL_S = 1.0  # what a cancelled epoch has to close before its waiter goes on


class AsyncRunner:
    """Runs a tube for a program that uses asyncio.

    Coroutine nodes run on the caller's event loop, all that are ready at once; other nodes run on
    ``max_workers`` threads (None: one per core). Order, results and errors are those of the other
    runners. One epoch after another: a second ``process`` waits for the first. To cancel the task that
    waits for it cancels the epoch; the runner stays usable.

    Callbacks are called from another thread than the event loop's.
    """

    def __init__(
        self,
        tube: Tube,
        max_workers: int | None = None,
        *,
        seed: int = 0,
        shuffle: int | None = None,
        cache: bool = True,
        resources: dict[str, Any] | None = None,
        tags: Iterable[str] = ("local",),
    ) -> None:
        if max_workers is not None and max_workers < 1:
            from penstock._errors import InvalidArgumentError

            raise InvalidArgumentError(f"max_workers must be >= 1 or None, seen {max_workers}")
        self.tube = tube
        self._loop = Loop()
        self._runner = _core.Runner(
            tube._plan,
            "async",
            max_workers or 0,
            0,
            seed,
            shuffle,
            64,
            self._loop,
            cache,
            resources=resources or {},
            tags=as_tags(tags),
        )
        self._process_inputs = {id for id, scope in tube.inputs.items() if scope == "process"}
        # The engine's loop, which waits, has a thread of its own.
        self._thread: _EngineThread | None = None
        self._turn: asyncio.Lock | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._running = False

    async def init(self) -> None:
        """Start threads and nodes. Called by the first :meth:`process` if need be."""
        await self._call(self._runner.init)
        self._running = True

    async def deinit(self) -> None:
        """Stop nodes and threads and end the run's record. The runner can be used again."""
        if self._runner.is_copied:  # its threads are those of another process
            self._running = False
            return
        try:
            await self._call(self._runner.deinit)
        finally:
            self._running = False
            thread, self._thread = self._thread, None
            if thread is not None:
                thread.end()

    @property
    def running(self) -> bool:
        """True between :meth:`init` and :meth:`deinit`."""
        return self._running

    async def __aenter__(self) -> AsyncRunner:
        await self.init()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.deinit()

    async def process(self, **inputs: Any) -> Any:
        """Run one epoch; the value of the tube's ``return``, or None when it did not run."""
        if inputs:
            _warn_about_extra(inputs, self._process_inputs, "the tube's process-scoped inputs")
        self._running = True
        return await self._call(self._runner.process, inputs)

    async def run(self, n: int | None = None, **inputs: Any) -> list:
        """Run ``n`` epochs, or until every source has ended; the results in epoch order."""
        self._running = True
        return await self._call(self._runner.run, n, inputs)

    async def iter(self, n: int | None = None, **inputs: Any) -> AsyncIterator[Any]:
        """Yield up to ``n`` results, one epoch at a time, until every source has ended."""
        given = 0
        exhausted = False
        while not exhausted and (n is None or given < n):
            self._running = True
            value, has_value, exhausted = await self._call(self._runner.step, inputs)
            if has_value:
                given += 1
                yield value

    async def enable_node(self, id: str) -> None:
        """Let a node run from the next epoch on, as :meth:`penstock.SynchronousRunner.enable_node`.

        An error while an epoch is open: it does not wait for its end.
        """
        await self._switch(id, True)

    async def disable_node(self, id: str) -> None:
        """From the next epoch on a node does not run, nor what needs its signals."""
        await self._switch(id, False)

    async def _switch(self, id: str, enabled: bool) -> None:
        if self._attach().locked():
            _core.Runner.refuse_switch(id)  # a node that waited here for its epoch's end never ends
        await self._call(self._runner.set_enabled, id, enabled)

    def add_callback(self, callback: Callable[[dict], Any]) -> None:
        """Call ``callback`` with every event, as :meth:`penstock.SynchronousRunner.add_callback`."""
        self._runner.add_callback(callback)

    @property
    def metrics(self) -> dict:
        """Counts and times of the run so far, per node and in all."""
        return self._runner.metrics()

    def _attach(self) -> asyncio.Lock:
        home = asyncio.get_running_loop()
        if self._turn is None or self._home is not home:
            if self._turn is not None and self._turn.locked():
                from penstock._errors import FailedPreconditionError

                raise FailedPreconditionError("this runner is running in another event loop")
            self._home, self._turn = home, asyncio.Lock()
        return self._turn

    async def _call(self, function: Callable, *args: Any) -> Any:
        if self._runner.is_copied:
            return function(*args)  # which says so
        async with self._attach():
            assert self._home is not None
            self._loop.attach(self._home)
            if self._thread is None:
                self._thread = _EngineThread()
            future = asyncio.wrap_future(self._thread.submit(function, *args))
            try:
                return await asyncio.shield(future)
            except asyncio.CancelledError:
                if not future.done():
                    self._runner.cancel()
                    self._loop.cancel()
                    await asyncio.wait((future,), timeout=_CANCEL_S)
                future.add_done_callback(_look_at)
                raise
            finally:
                if future.done():
                    self._loop.detach()


class _EngineThread:
    """Makes calls one after the other. Not an executor of concurrent.futures: those are waited for when
    the program ends, and a call whose event loop is gone would never come back."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(self._calls,), name="penstock-async", daemon=True).start()

    def submit(self, function: Callable, *args: Any) -> Future:
        future: Future = Future()
        self._calls.put((future, function, args))
        return future

    def end(self) -> None:
        self._calls.put(None)

    def __del__(self) -> None:
        self.end()


def _serve(calls: queue.SimpleQueue) -> None:
    while (call := calls.get()) is not None:
        future, function, args = call
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(*args))
            except BaseException as error:
                future.set_exception(error)
        del call, future, function, args  # nothing is kept while the next one is waited for


def _look_at(future: asyncio.Future) -> None:
    """What a cancelled epoch ended with is nobody's business any more."""
    if not future.cancelled():
        future.exception()
