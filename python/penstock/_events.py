"""Epochs, events and the small vocabulary that node functions use."""

from __future__ import annotations

from functools import total_ordering


class _NoEvent:
    """Return this from a node for "no event": consumers that need the signal do not run."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "penstock.NoEvent"

    def __reduce__(self) -> str:
        return "NoEvent"

    def __bool__(self) -> bool:
        return False


NoEvent = _NoEvent()


class Name:
    """Names a signal in a return annotation: ``Annotated[int, Name("index")]``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Name({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and other.name == self.name

    def __hash__(self) -> int:
        return hash((Name, self.name))


def process_method(method):
    """Marks the method of a class that a node calls, when it is not called ``process``."""
    method.__penstock_process__ = True
    return method


@total_ordering
class Epoch:
    """One pass through the graph: a root number, then one ``(map id, index)`` per enclosing map.

    Ordered by root, then path; a prefix sorts first. Immutable and hashable.
    """

    __slots__ = ("root", "path")

    def __init__(self, root: int, path: tuple[tuple[str, int], ...] = ()) -> None:
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "path", tuple((name, index) for name, index in path))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an Epoch is immutable")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Epoch) and (self.root, self.path) == (other.root, other.path)

    def __lt__(self, other: Epoch) -> bool:
        return (self.root, self.path) < (other.root, other.path)

    def __hash__(self) -> int:
        return hash((self.root, self.path))

    def __reduce__(self):
        return (Epoch, (self.root, self.path))

    def __repr__(self) -> str:
        return f"Epoch({str(self)!r})"

    def __str__(self) -> str:
        return str(self.root) + "".join(f"/{name}[{index}]" for name, index in self.path)


def make_event(id, timestamp_us, node_id, signal, root, path, value) -> dict:
    """The event dict that callbacks get. Called from the extension."""
    from datetime import datetime, timezone

    return {
        "id": id,
        "timestamp": datetime.fromtimestamp(timestamp_us / 1e6, tz=timezone.utc),
        "node_id": node_id,
        "signal": signal,
        "epoch": Epoch(root, path),
        "value": value,
    }
