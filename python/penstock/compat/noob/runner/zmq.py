"""ZMQRunner: noob's name for worker processes. Nothing here needs ZeroMQ."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import penstock._runners
from penstock.compat.noob._result import NO_RESULT
from penstock.compat.noob.exceptions import SchedulerExhaustedError
from penstock.compat.noob.runner.base import or_marker
from penstock.compat.noob.runner.sync import SynchronousRunner


class ZMQRunner(SynchronousRunner):
    """Runs nodes in worker processes, one per core.

    As in noob, `process` gives ``MetaSignal.NoEvent`` when there is no result, `iter` and `run` want an
    initialised runner, and ``run()`` without a number returns at once and runs until `stop`.
    """

    native_class = penstock._runners.MultiProcessRunner

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stopping = threading.Event()
        self._free_run: threading.Thread | None = None

    @property
    def initialized(self) -> bool:
        """True between `init` and `deinit`."""
        return self._native.running

    def deinit(self) -> None:
        """Stop what runs, and the workers. The runner can be used again."""
        self.stop()
        super().deinit()

    def process(self, **inputs: Any) -> Any:
        """Run one epoch: its result, or ``MetaSignal.NoEvent``."""
        if self._free_run is not None:
            raise RuntimeError("Runner is running on its own: stop() it first")
        return or_marker(self._process(inputs))

    def iter(self, n: int | None = None) -> Generator[Any, None, None]:
        """Yield ``n`` results, over as many epochs as they take."""
        self._check_initialized()
        self._check_no_process_input("iter")
        given = 0
        while n is None or given < n:
            result = self._next_result()
            if result is NO_RESULT:
                return
            given += 1
            yield result

    def _next_result(self) -> Any:
        for _ in range(self.max_iter_loops + 1):
            if self._finished or self.tube._is_over():
                return NO_RESULT
            result = self._process({})
            if result is not NO_RESULT:
                return result
            if not self.has_return:
                return None
        raise RuntimeError("Reached maximum process calls per iteration")

    def run(self, n: int | None = None) -> list | None:
        """``n`` results if the tube has a return, else ``n`` epochs; without ``n`` until `stop`."""
        self._check_initialized()
        self._check_no_process_input("run")
        if n is None:
            self._stopping.clear()
            self._free_run = threading.Thread(target=self._run_freely, name="penstock-free-run", daemon=True)
            self._free_run.start()
            return None
        results = list(self.iter(n))
        return results if self.has_return else None

    def _run_freely(self) -> None:
        try:
            while not self._stopping.is_set() and not self._finished:
                self._process({})
        except SchedulerExhaustedError:
            return

    def stop(self) -> None:
        """End what ``run()`` began, after its present epoch."""
        self._stopping.set()
        thread, self._free_run = self._free_run, None
        if thread is not None:
            thread.join()

    def _check_initialized(self) -> None:
        if not self.initialized:
            raise RuntimeError("a ZMQRunner is initialised by 'with', or by init()")
