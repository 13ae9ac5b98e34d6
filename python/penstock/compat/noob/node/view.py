"""What a loaded tube shows of its nodes. The objects that run are Penstock's own."""

from __future__ import annotations

from typing import Any

from penstock.compat.noob.edge import Edge, Signal, Slot
from penstock.compat.noob.node.spec import NodeSpecification


class NodeView:
    """A node of a tube: its id, its part of the file, its slots, signals and incoming edges."""

    def __init__(
        self,
        spec: NodeSpecification,
        *,
        enabled: bool,
        stateful: bool,
        signals: list[str],
        slots: dict[str, Slot],
        edges: list[Edge],
        target: Any = None,
    ) -> None:
        self.id = spec.id
        self.spec = spec
        self.enabled = enabled
        self.stateful = stateful
        self.signals = {name: Signal(name) for name in signals}
        self.slots = slots
        self.edges = edges
        self._target = target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}: {self.spec.type_}>"


class Map(NodeView):
    """Runs what follows once per element."""


class Gather(NodeView):
    """Collects what a map spread, or several epochs."""

    @property
    def n(self) -> int | None:
        return (self.spec.params or {}).get("n")

    @property
    def flatten(self) -> bool:
        return bool((self.spec.params or {}).get("flatten", False))


class Return(NodeView):
    """Gives the result."""


class TubeNode(NodeView):
    """Another tube."""


class WrapFuncNode(NodeView):
    """A function or a generator."""

    @property
    def fn(self) -> Any:
        """What the file names."""
        return self._target

    @property
    def params(self) -> dict:
        return self.spec.params or {}


class WrapClassNode(NodeView):
    """An object of a class that is no Node."""

    @property
    def instance(self) -> Any:
        """The object."""
        return getattr(self._target, "instance", self._target)

    @property
    def cls(self) -> type:
        return type(self.instance)

    @property
    def params(self) -> dict:
        return self.spec.params or {}
