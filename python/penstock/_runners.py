"""Runners: the same tube on this thread, on all cores, or in worker processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock._tube import Tube, _warn_about_extra

if TYPE_CHECKING:
    from penstock.accelerate import EventStore


def as_tags(tags: Iterable[str]) -> list[str]:
    """A list of tags; a single text is one tag."""
    return [tags] if isinstance(tags, str) else list(tags)


class Runner:
    """Runs a tube. Use as a context manager, or call :meth:`init` and :meth:`deinit`.

    Not thread-safe: one call at a time, and none from inside a node or a callback. An error closes
    its epoch; the runner stays usable.

    ``resources`` says what the run has for nodes that ask for some: ``cpu`` (cores; else the machine's),
    ``io`` (slots; else 64), ``memory`` (bytes, or a text such as ``"8GiB"``; else the machine's).
    ``tags`` are what this place is called, for nodes that say ``where`` they may run.
    """

    _name = ""

    def __init__(
        self,
        tube: Tube,
        *,
        max_workers: int | None = None,
        task_timeout: float = 300,
        seed: int = 0,
        shuffle: int | None = None,
        cache: bool = True,
        resources: dict[str, Any] | None = None,
        tags: Iterable[str] = ("local",),
    ) -> None:
        if max_workers is not None and max_workers < 1:
            from penstock._errors import InvalidArgumentError

            raise InvalidArgumentError(f"max_workers must be >= 1 or None, seen {max_workers}")
        if (worker := sys.modules.get("penstock._worker")) is not None:
            worker.refuse_run()
        self.tube = tube
        in_flight = 1 if self._name == "sync" else 64
        self._runner = _core.Runner(
            tube._plan,
            self._name,
            max_workers or 0,
            task_timeout,
            seed,
            shuffle,
            in_flight,
            None,
            cache,
            resources=resources or {},
            tags=as_tags(tags),
        )
        self._process_inputs = {id for id, scope in tube.inputs.items() if scope == "process"}
        self._running = False

    def init(self) -> None:
        """Start workers. Called by the first :meth:`process` if need be."""
        self._runner.init()
        self._running = True

    def deinit(self) -> None:
        """Stop workers and end the run's record. The runner can be used again."""
        self._runner.deinit()
        self._running = False

    @property
    def running(self) -> bool:
        """True between :meth:`init` and :meth:`deinit`."""
        return self._running

    def __enter__(self):
        self.init()
        return self

    def __exit__(self, *_: object) -> None:
        self.deinit()

    def process(self, /, **inputs: Any) -> Any:
        """Run one epoch.

        Returns the value of the tube's ``return`` (shape by its ``depends``: scalar -> value, list ->
        tuple, keys -> dict), or None when it did not run.
        """
        if inputs:
            _warn_about_extra(inputs, self._process_inputs, "the tube's process-scoped inputs")
        self._running = True
        return self._runner.process(inputs)

    def run(self, n: int | None = None, **inputs: Any) -> list:
        """Run ``n`` epochs, or until every source has ended; the results in epoch order.

        Epochs in which the return did not run leave no result.
        """
        return self._run(n, inputs)

    def _run(self, n: int | None, inputs: dict[str, Any]) -> list:
        """run() for inputs of any name, such as 'n'."""
        self._running = True
        return self._runner.run(n, inputs)

    def iter(self, n: int | None = None, **inputs: Any) -> Iterator[Any]:
        """Yield up to ``n`` results, one epoch at a time, until every source has ended."""
        given = 0
        exhausted = False
        while not exhausted and (n is None or given < n):
            self._running = True
            value, has_value, exhausted = self._runner.step(inputs)
            if has_value:
                given += 1
                yield value

    def enable_node(self, id: str) -> None:
        """Let a node run from the next epoch on.

        Undoes :meth:`disable_node` and ``enabled: false``. ``id`` is that of a node, or
        ``outer.inner`` for one of a nested tube; the id of a nested tube means all in it. A
        :class:`penstock.Node` is initialised at once when the runner is running. An error while an
        epoch is open, so not from a node or a callback.
        """
        self._runner.set_enabled(id, True)

    def disable_node(self, id: str) -> None:
        """From the next epoch on a node does not run, nor what needs its signals.

        A :class:`penstock.Node` is deinitialised. What a node remembers is kept, and epoch numbers
        go on.
        """
        self._runner.set_enabled(id, False)

    def add_callback(self, callback: Callable[[dict], Any]) -> None:
        """Call ``callback`` with every event: ``{id, timestamp, node_id, signal, epoch, value}``.

        The end of a root epoch is the event ``node_id='meta', signal='EpochEnded'``.
        """
        self._runner.add_callback(callback)

    def record_events(self, store: EventStore) -> None:
        """Keep every event from now on in ``store``, a native :class:`penstock.accelerate.EventStore`.

        The store may be read while the run goes on, by any thread; what it no longer needs to hold is for
        the caller to clear (``store.clear_epoch(n)``). A store with a log wants values that have an encoding.
        """
        self._runner.record_events(store)

    @property
    def metrics(self) -> dict:
        """Counts and times of the run so far, per node and in all. ``peak_rss_bytes`` adds the peak
        memory of worker processes to that of this process, ``backend`` says who did the work."""
        return {"backend": "native", **self._runner.metrics()}


class SynchronousRunner(Runner):
    """Runs every node on the calling thread."""

    _name = "sync"

    def __init__(
        self,
        tube: Tube,
        *,
        seed: int = 0,
        shuffle: int | None = None,
        cache: bool = True,
        resources: dict[str, Any] | None = None,
        tags: Iterable[str] = ("local",),
    ) -> None:
        super().__init__(
            tube, seed=seed, shuffle=shuffle, cache=cache, resources=resources, tags=tags
        )


class ThreadedRunner(Runner):
    """Runs nodes on ``max_workers`` threads (None: one per core). Native operators run without the GIL."""

    _name = "threads"

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
        super().__init__(
            tube,
            max_workers=max_workers,
            seed=seed,
            shuffle=shuffle,
            cache=cache,
            resources=resources,
            tags=tags,
        )


class MultiProcessRunner(Runner):
    """Runs nodes in ``max_workers`` worker processes (None: one per core).

    Values cross in the canonical codec, large buffers through shared memory. A stateful node lives in
    one worker. A worker that is killed is replaced and its tasks run again; a task that takes longer
    than ``task_timeout`` seconds is an error. Functions and classes of the program itself (a script, a
    notebook, a prompt) are sent by value, so a script needs no ``__main__`` guard.
    """

    _name = "processes"

    def __init__(
        self,
        tube: Tube,
        max_workers: int | None = None,
        task_timeout: float = 300,
        *,
        seed: int = 0,
        shuffle: int | None = None,
        cache: bool = True,
        resources: dict[str, Any] | None = None,
        tags: Iterable[str] = ("local",),
    ) -> None:
        super().__init__(
            tube,
            max_workers=max_workers,
            task_timeout=task_timeout,
            seed=seed,
            shuffle=shuffle,
            cache=cache,
            resources=resources,
            tags=tags,
        )


RUNNERS = {cls._name: cls for cls in (SynchronousRunner, ThreadedRunner, MultiProcessRunner)}
