"""SynchronousRunner: one node after another, on the calling thread."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Self

import penstock._runners
from penstock.compat.noob._result import NO_RESULT
from penstock.compat.noob.exceptions import SchedulerExhaustedError
from penstock.compat.noob.runner.base import TubeRunner, call, or_none


class SynchronousRunner(TubeRunner):
    """Runs every node on the calling thread."""

    native_class = penstock._runners.SynchronousRunner

    def init(self) -> None:
        """Initialise nodes and assets. Called by the first `process` if need be."""
        if not self.running:
            with self._context():
                call(self._native.init)

    def deinit(self) -> None:
        """Deinitialise nodes and assets. The runner can be used again."""
        call(self._native.deinit)

    def __enter__(self) -> Self:
        self.init()
        return self

    def __exit__(self, *_: object) -> None:
        self.deinit()

    def process(self, **inputs: Any) -> Any:
        """Run one epoch: its result, or None."""
        return or_none(self._process(inputs))

    def _process(self, inputs: dict[str, Any]) -> Any:
        values = self._begin(inputs)
        self.init()
        return self._end(call(self._native._runner.step, values), values)

    def iter(self, n: int | None = None) -> Generator[Any, None, None]:
        """Yield ``n`` results, over as many epochs as they take; without a return, None for each epoch.

        Ends when every source has ended. A result is looked for in ``max_iter_loops`` epochs.
        """
        self._check_no_process_input("iter")
        self.init()
        given = 0
        try:
            while n is None or given < n:
                result = self._next_result()
                if result is NO_RESULT:
                    return
                yield result
                given += 1
        finally:
            self.deinit()

    def _next_result(self) -> Any:
        """None in an epoch of a tube without a return; NO_RESULT when there will be no more."""
        for _ in range(self.max_iter_loops + 1):
            if self._finished or self.tube._is_over():
                return NO_RESULT
            result = self.process()
            if result is not None or not self.has_return:
                return result
        raise RuntimeError("Reached maximum process calls per iteration")

    def run(self, n: int | None = None) -> list | None:
        """Run ``n`` epochs, or until every source has ended: the results that are not None, or None."""
        self._check_no_process_input("run")
        results = []
        done = 0
        try:
            while done < n if n is not None else not self._finished:
                result = self._process({})
                if result is not NO_RESULT and result is not None:
                    results.append(result)
                done += 1
        except (KeyboardInterrupt, StopIteration, SchedulerExhaustedError):
            pass
        return results or None

    def enable_node(self, node_id: str) -> None:
        """Let a node run from the next epoch on; its ``init`` is called. Epochs are counted anew."""
        self._switch(node_id, True)

    def disable_node(self, node_id: str) -> None:
        """From the next epoch on a node does not run, nor what needs it; its ``deinit`` is called."""
        self._switch(node_id, False)

    def _switch(self, node_id: str, enabled: bool) -> None:
        if node_id not in self.tube.nodes:
            raise KeyError(node_id)
        with self._context():
            call(self._native.enable_node if enabled else self._native.disable_node, node_id)
        self._switched(node_id, enabled)

    def collect_return(self, epoch: Any = None) -> Any:
        """None: the result of an epoch has been given to the caller of `process`."""
        if epoch is not None:
            raise ValueError("a synchronous runner keeps the last epoch only")
        return None
