"""The event loop of one runner: where the coroutines of its nodes run.

Made by the extension when a runner meets its first coroutine, one per runner and for its life. The loop
is driven by the runner's own thread while that waits for one coroutine (`run`), else by a helper thread;
an AsyncRunner lends the caller's loop instead.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

_WATCH_S = 0.004  # how soon a coroutine that the runner's thread waits for learns of a cancelled run
_END_S = 1.0  # what a cancelled coroutine has to come to its end

# The call (_core.CoroutineCall) that the present coroutine belongs to: what it prints is its log.
current_call: contextvars.ContextVar[Any] = contextvars.ContextVar("penstock_call", default=None)


class Loop:
    """Runs coroutines for one runner. `start` and `cancel` may be called from any thread."""

    def __init__(self, is_cancelled: Callable[[], bool] | None = None) -> None:
        self._is_cancelled = is_cancelled
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_borrowed = False
        self._context: contextvars.Context | None = None
        self._thread: threading.Thread | None = None
        self._here: asyncio.Task | None = None  # what run() waits for on this very thread
        self._waiting: deque = deque()
        self._is_woken = False
        self._tasks: set[asyncio.Task] = set()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the caller's loop, and the context of the caller."""
        self._loop = loop
        self._is_borrowed = True
        self._context = contextvars.copy_context()

    def detach(self) -> None:
        """Nothing of the caller's is kept between its calls."""
        self._context = None

    def run(self, awaitable: Awaitable, timeout: float | None = None) -> Any:
        """Its result, once it has one. It is cancelled after ``timeout`` seconds."""
        coroutine = _as_coroutine(awaitable, timeout)
        if self._is_borrowed or self._thread is not None or asyncio._get_running_loop() is not None:
            return self._run_there(coroutine)
        return self._run_here(coroutine)

    def start(self, awaitable: Awaitable, call: Any, timeout: float | None = None) -> None:
        """Begin it, on the loop's thread; ``call(task)`` is called there when it has ended. It is
        cancelled after ``timeout`` seconds."""
        loop = self._loop_with_thread()
        self._waiting.append((_as_coroutine(awaitable, timeout), call))
        if not self._is_woken:
            self._is_woken = True
            loop.call_soon_threadsafe(self._begin)

    def cancel(self) -> None:
        """Cancel everything that was started."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel)

    def close(self) -> None:
        """End what is left and close the loop; a borrowed one is the caller's to close."""
        loop, self._loop = self._loop, None
        self._is_cancelled = None
        if loop is None or self._is_borrowed:
            return
        if self._thread is None and asyncio._get_running_loop() is None:
            _finish(loop)
        elif self._thread is None:  # this thread has a loop that runs, and cannot drive another
            helper = threading.Thread(target=_finish, args=(loop,))
            helper.start()
            helper.join()
        elif self._thread is not threading.current_thread():
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()

    # ---- on the runner's thread ------------------------------------------------------------------

    def _open(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.new_event_loop()
        return self._loop

    def _run_here(self, coroutine: Any) -> Any:
        loop = self._loop
        if loop is None:
            loop = self._open()
            loop.call_later(_WATCH_S, self._watch)
        self._here = task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        except BaseException:
            if not task.done():  # Ctrl-C reached the loop, not the coroutine
                task.cancel()
                loop.run_until_complete(asyncio.wait((task,), timeout=_END_S))
            raise
        finally:
            self._here = None

    def _watch(self) -> None:
        if self._loop is None:
            return
        if self._here is not None and self._is_cancelled is not None and self._is_cancelled():
            self._here.cancel()
            self._here = None  # once: what it does at its end is not to be cut short
        self._loop.call_later(_WATCH_S, self._watch)

    def _run_there(self, coroutine: Any) -> Any:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop_with_thread())
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
            raise

    def _loop_with_thread(self) -> asyncio.AbstractEventLoop:
        loop = self._loop or self._open()
        if self._thread is None and not self._is_borrowed:
            self._thread = threading.Thread(
                target=_serve, args=(loop,), name="penstock-coroutines", daemon=True
            )
            self._thread.start()
        return loop

    # ---- on the loop's thread --------------------------------------------------------------------

    def _begin(self) -> None:
        self._is_woken = False
        loop = self._loop
        while self._waiting:
            coroutine, call = self._waiting.popleft()
            context = self._context.copy() if self._context is not None else contextvars.Context()
            context.run(current_call.set, call)
            task = loop.create_task(coroutine, context=context)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(call)

    def _cancel(self) -> None:
        self._begin()
        for task in tuple(self._tasks):
            task.cancel()


def _as_coroutine(awaitable: Awaitable, timeout: float | None) -> Any:
    if timeout is not None:
        return _within(awaitable, timeout)
    return awaitable if asyncio.iscoroutine(awaitable) else _await(awaitable)


async def _await(awaitable: Awaitable) -> Any:
    return await awaitable


async def _within(awaitable: Awaitable, timeout: float) -> Any:
    task = asyncio.current_task()
    alarm = asyncio.get_running_loop().call_later(timeout, task.cancel)
    try:
        return await awaitable
    finally:
        alarm.cancel()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
            break
        except (KeyboardInterrupt, SystemExit):
            continue  # raised by a coroutine: its task has it, and the others go on
    _finish(loop)


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """As asyncio.run() ends: cancel what nodes left behind, close asynchronous generators."""
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_END_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
