"""BufferPool: bytearrays, and who looks at them by their reference counts. The twin of the native one."""

from __future__ import annotations

import sys
import threading
from operator import index

from penstock._errors import FailedPreconditionError, InvalidArgumentError, ResourceExhaustedError

_MAX_COUNT = 2**62


class BufferPool:
    """Buffers of ``buffer_size`` bytes that are used again; up to ``max_pooled`` lie ready.

    With ``max_out``, so many may be out at once. A buffer is handed out again when nobody looks at it any
    more: not its memoryview, no slice of that, no array over it.
    """

    backend = "reference"

    def __init__(self, buffer_size: int, max_pooled: int, max_out: int | None = None) -> None:
        self.buffer_size = _count("buffer_size", buffer_size, 1)
        self.max_pooled = _count("max_pooled", max_pooled, 0)
        self.max_out = None if max_out is None else _count("max_out", max_out, 1)
        self._lock = threading.RLock()
        self._ready: list[bytearray] = []
        self._out: dict[int, bytearray] = {}  # by id
        self._views: dict[int, int] = {}  # of a buffer that is out: the id of its view
        self._lingering: dict[int, bytearray] = {}
        self._acquired = self._hits = self._released = self._dropped = self._freed = 0

    def acquire(self) -> memoryview:
        """A writable memoryview of buffer_size bytes, not cleared. About 2 us; a new one is cleared."""
        with self._lock:
            self._settle()
            if self.max_out is not None and len(self._out) + len(self._lingering) >= self.max_out:
                raise ResourceExhaustedError(
                    f"no buffer left: {len(self._out)} of {self.max_out} are out, and {len(self._lingering)} that "
                    "were released are still looked at",
                    id="PS0460",
                    help="release() a buffer first, or give the pool a larger max_out",
                )
            is_hit = bool(self._ready)
            try:
                buffer = self._ready.pop() if is_hit else bytearray(self.buffer_size)
            except MemoryError:
                raise ResourceExhaustedError("out of memory", id="PS0440") from None
            view = memoryview(buffer)
            self._out[id(buffer)] = buffer
            self._views[id(buffer)] = id(view)
            self._acquired += 1
            self._hits += is_hit
            return view

    def release(self, view: memoryview, /) -> None:
        """Give back what acquire() returned. It cannot be used any more. About 2 us."""
        if not isinstance(view, memoryview):
            raise InvalidArgumentError(
                f"release() takes a memoryview of acquire(), not an object of type {type(view).__name__}", id="PS0461"
            )
        with self._lock:
            self._settle()
            try:
                key = id(view.obj)
            except ValueError:
                raise FailedPreconditionError(
                    "this memoryview is released already", id="PS0462", help="release() each buffer once"
                ) from None
            if self._views.get(key) != id(view):
                raise InvalidArgumentError(
                    "this memoryview is not one that acquire() of this pool returned",
                    id="PS0461",
                    help="give back the very memoryview, not a part of it, to the pool it is from",
                )
            view.release()
            self._lingering[key] = self._out.pop(key)
            del self._views[key]
            self._released += 1
            self._settle()

    def lend(self) -> _BufferLoan:
        """For a with statement: a buffer until its end."""
        return _BufferLoan(self)

    @property
    def pool_size(self) -> int:
        """How many buffers lie ready."""
        with self._lock:
            self._settle()
            return len(self._ready)

    def statistics(self) -> dict[str, int]:
        """What became of the buffers, as numbers that balance.

        acquired = released + dropped + out; acquired = hits + allocated;
        allocated = freed + pool_size + out + lingering.
        """
        with self._lock:
            self._settle()
            return {
                "acquired": self._acquired,
                "released": self._released,
                "dropped": self._dropped,
                "out": len(self._out),
                "lingering": len(self._lingering),
                "pool_size": len(self._ready),
                "hits": self._hits,
                "allocated": self._acquired - self._hits,
                "freed": self._freed,
            }

    def _settle(self) -> None:
        """Take back what nobody looks at any more, as the native pool does at that moment."""
        for buffers in (self._out, self._lingering):
            for key in _unused(buffers):
                if self._views.pop(key, None) is not None:
                    self._dropped += 1
                buffer = buffers.pop(key)
                if len(self._ready) < self.max_pooled:
                    self._ready.append(buffer)
                else:
                    self._freed += 1


class _BufferLoan:
    def __init__(self, pool: BufferPool) -> None:
        self._pool = pool
        self._view: memoryview | None = None

    def __enter__(self) -> memoryview:
        if self._view is not None:
            raise FailedPreconditionError(
                "this loan has been entered before", id="PS0462", help="call lend() for each with statement"
            )
        self._view = self._pool.acquire()
        return self._view

    def __exit__(self, *exception: object) -> None:
        if self._view is not None:
            self._pool.release(self._view)


def _references(buffers: dict[int, bytearray]) -> dict[int, int]:
    return {key: sys.getrefcount(buffer) for key, buffer in buffers.items()}


_ALONE = _references({0: bytearray()})[0]


def _unused(buffers: dict[int, bytearray]) -> list[int]:
    """Keys of those that no view refers to."""
    return [key for key, count in _references(buffers).items() if count == _ALONE]


def _count(name: str, value: int, least: int) -> int:
    count = index(value)
    if not least <= count <= _MAX_COUNT:
        raise InvalidArgumentError(f"{name} must be from {least} to 2**62: {name}={count}")
    return count
