"""TubeRunner: what noob's runners have in common, over one of Penstock's."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from penstock import _errors, _kinds
from penstock.compat.noob import _load
from penstock.compat.noob._records import Translator
from penstock.compat.noob._result import NO_RESULT
from penstock.compat.noob._wiring import Values
from penstock.compat.noob.event import Event, MetaSignal
from penstock.compat.noob.exceptions import InputMissingError, SchedulerExhaustedError
from penstock.compat.noob.input import InputScope
from penstock.compat.noob.store import EventStore
from penstock.compat.noob.tube import Tube

_CALL = 4  # a record of a call, not of an event


class TubeRunner:
    """Runs a tube; results, events and callbacks have noob's shapes.

    ``store`` has the events of the last epoch. ``max_iter_loops``: how many epochs without a result `iter`
    accepts, one after another.
    """

    native_class: ClassVar[Callable]

    def __init__(
        self,
        tube: Tube,
        store: EventStore | None = None,
        max_iter_loops: int = 100,
        _callbacks: list[Callable[[Event], Any]] | None = None,
    ) -> None:
        self.tube = tube
        self.store = EventStore() if store is None else store
        self.max_iter_loops = max_iter_loops
        self._callbacks: list[Callable[[Event], Any]] = []
        with _load.watching({}):  # worker processes load the tube by noob's rules too
            self._native = self.native_class(tube._native)
        self._shape = tube._result_shape()
        self._signals = tube._signals()
        self._records: list[tuple] = []
        self._native._runner.add_sink(self._records.append)
        self._translator: Translator | None = None
        self._epochs = 0  # that this runner has begun
        self._finished = False  # there can be no result any more
        for callback in _callbacks or ():
            self.add_callback(callback)

    @property
    def running(self) -> bool:
        """True between `init` and `deinit`."""
        return self._native.running

    def add_callback(self, callback: Callable[[Event], Any]) -> None:
        """Call ``callback`` with every event of the tube's nodes, and at the end of every root epoch."""
        self._callbacks.append(callback)
        if self._translator is None:
            self._translator = self._translate_to(self._call_callbacks)
            self._native._runner.add_sink(self._translator.take)

    def _switched(self, node_id: str, enabled: bool) -> None:
        """As noob's scheduler, the tube begins to count epochs anew."""
        self.tube._views[node_id].enabled = enabled
        own = self.tube.nodes[node_id]
        own.enabled = enabled
        self.tube._epochs = 0
        self.tube._ended.clear()

    def get_context(self) -> dict:
        """What an ``init`` with a parameter annotated RunnerContext gets."""
        return {"runner": self, "input_collection": self.tube.input_collection}

    def _call_callbacks(self, event: Event) -> None:
        for callback in self._callbacks:
            callback(event)

    def _translate_to(self, sink: Callable[[Event], Any]) -> Translator:
        return Translator(self.tube._wiring, self._signals, self._is_enabled, self._shape, sink)

    def _is_enabled(self, node: str) -> bool:
        return self.tube._views[node].enabled

    @contextlib.contextmanager
    def _context(self) -> Iterator[contextvars.Context]:
        """A context in which nodes that are started get this runner's."""
        token = _kinds.more_context.set(self.get_context())
        try:
            yield contextvars.copy_context()
        finally:
            _kinds.more_context.reset(token)

    # ---- around one epoch ------------------------------------------------------------------------

    def _begin(self, inputs: dict[str, Any]) -> dict[str, Any]:
        values = self.tube.input_collection.validate_input(InputScope.process, inputs)
        if self.tube._is_over():
            raise SchedulerExhaustedError("every node of the tube has ended, or waits for one that has")
        self._records.clear()
        # Epochs are counted by the tube, in noob.
        self._offset = self.tube._epochs - self._epochs
        self.tube._epochs += 1
        self._epochs += 1
        if self._translator is not None:
            self._translator.begin(self._offset)
        self.store.fill_later(self._stored)
        return values

    def _end(self, step: tuple, inputs: dict[str, Any]) -> Any:
        """The epoch's result in noob's shape, or NO_RESULT."""
        value, has_value, self._finished = step
        self.tube._ended.update(r[0] for r in self._records if len(r) == _CALL and r[1] == "exhausted")
        if self._shape is None:
            return NO_RESULT
        if not self._shape.needs_values:
            return self._shape.of_native(value) if has_value else NO_RESULT
        if not self._is_enabled(self._shape.node_id):
            return NO_RESULT
        values = Values()
        for node, signal, _, path, *rest in self._records:
            if rest and node in self._signals:
                values.add(node, signal, path, rest[0])
        return self._shape.of_values(values, {**self.tube.input_collection.chain, **inputs})

    def _stored(self) -> list[Event]:
        events: list[Event] = []
        translator = self._translate_to(events.append)
        translator.begin(self._offset)
        for record in self._records:
            translator.take(record)
        return [event for event in events if event["node_id"] != "meta"]

    def _check_no_process_input(self, method: str) -> None:
        try:
            self.tube.input_collection.validate_input(InputScope.process, {})
        except InputMissingError as error:
            raise InputMissingError(
                f"'{method}' gives no process-scoped inputs, and the tube requires some: {error.message}; "
                "call process() with them",
                id="PS0301",
            ) from error

    @property
    def has_return(self) -> bool:
        """True when the tube gives results."""
        return self._shape is not None


def call(function: Callable, *args: Any) -> Any:
    """``function(*args)``; what a node or a callback raised comes out as it is, as in noob."""
    try:
        return function(*args)
    except _errors.Error as error:
        failed = error
    raise original(failed)


def original(error: _errors.Error) -> BaseException:
    """What the node or the callback raised, else the error itself."""
    cause = error.__cause__
    if cause is None:
        return error
    if error.origin:
        cause.add_note(f"in {error.origin}")
    return cause


def or_none(result: Any) -> Any:
    """`process` gives None when there is no result."""
    return None if result is NO_RESULT else result


def or_marker(result: Any) -> Any:
    """noob's process runner gives the marker when there is no result."""
    return MetaSignal.NoEvent if result is NO_RESULT else result
