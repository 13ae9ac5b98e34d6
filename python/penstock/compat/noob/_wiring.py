"""Where the nodes of a tube lie: edges, and the maps around each node (docs/design/0002-run-rule.md)."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.compat.noob._load import Face
from penstock.compat.noob.edge import Edge, Slot
from penstock.compat.noob.node.spec import NodeSpecification

Region = tuple[str, ...]
Path = tuple[tuple[str, int], ...]

_GATHER_SLOTS = ("value", "trigger", "n")


def slots_of(spec: NodeSpecification, face: Face | None) -> dict[str, Slot]:
    """Slots by name, required or not, by noob's rules."""
    if spec.type_ == "gather":
        wired = any(isinstance(edge, dict) and "n" in edge for edge in spec.depends or ())
        return {"value": Slot("value"), "trigger": Slot("trigger", required=False), "n": Slot("n", required=wired)}
    if spec.type_ == "map":
        return {"value": Slot("value")}
    named = [name for edge in _listed(spec) if isinstance(edge, dict) for name in edge]
    if spec.type_ == "return":
        return {name: Slot(name, required=False) for name in named}
    if face is None:
        return {name: Slot(name) for name in named}
    slots = {name: Slot(name, required=required) for name, required, *_ in face.slots}
    if face.any_keyword:
        slots |= {name: Slot(name, required=False) for name in named if name not in slots}
    return slots


def _listed(spec: NodeSpecification) -> list:
    return spec.depends if isinstance(spec.depends, list) else []


def edges_of(spec: NodeSpecification, slots: dict[str, Slot]) -> list[Edge]:
    """The incoming edges of a node, in the order of the file."""
    if isinstance(spec.depends, str):
        return [Edge(*spec.depends.split("."), spec.id, None)]
    edges: list[Edge] = []
    position = 0
    for item in _listed(spec):
        if isinstance(item, str):
            edges.append(Edge(*item.split("."), spec.id, position))
            position += 1
            continue
        ((slot, source),) = item.items()
        required = slots[slot].required if slot in slots else True
        edges.append(Edge(*source.split("."), spec.id, slot, required))
    return edges


class Wiring:
    """Regions of the nodes and signals of one tube. A region is the chain of maps around."""

    def __init__(self, types: dict[str, str], edges: dict[str, list[Edge]]) -> None:
        self.types = types
        self.edges = edges
        self._regions: dict[str, Region] = {}

    def region(self, node: str) -> Region:
        """Of a node; a gather lies outside the map it closes. The tube has no cycle."""
        known = self._regions.get(node)
        if known is not None:
            return known
        sources = [self.signal_region(edge.source_node, edge.source_signal) for edge in self.edges[node]]
        region = max(sources, key=len, default=())
        if self.types[node] == "gather":
            region = self.signal_region(*self.gathered(node))[:-1]
        self._regions[node] = region
        return region

    def signal_region(self, node: str, signal: str) -> Region:
        """Of a signal; inputs and assets lie outside every map."""
        if node not in self.types:
            return ()
        region = self.region(node)
        return (*region, node) if self.types[node] == "map" and signal == "value" else region

    def gathered(self, node: str) -> tuple[str, str]:
        """The signal that a gather collects."""
        for edge in self.edges[node]:
            name = _GATHER_SLOTS[edge.target_slot] if isinstance(edge.target_slot, int) else edge.target_slot
            if name in (None, "value"):
                return edge.source_node, edge.source_signal
        return "", ""


class Values:
    """The events of one epoch by signal and path, and how many elements each map gave."""

    def __init__(self) -> None:
        self.present: dict[tuple[str, str], dict[Path, object]] = {}

    def add(self, node: str, signal: str, path: Path, value: object) -> None:
        self.present.setdefault((node, signal), {})[path] = value

    def at(self, node: str, signal: str, path: Path) -> tuple[Path, object] | None:
        """The event a node at ``path`` sees, with its own path: there or nearest around."""
        found = self.present.get((node, signal))
        while found is not None:
            if path in found:
                return path, found[path]
            if not path:
                return None
            path = path[:-1]
        return None

    def leaves(self, region: Region, below: Path = ()) -> Iterator[Path]:
        """The innermost epochs on the way to ``region``: where a map gave nothing, the epoch around it."""
        if len(below) == len(region):
            yield below
            return
        map_id = region[len(below)]
        count = self.present.get((map_id, "n"), {}).get(below, 0)
        if not count:
            yield below
        for index in range(count):  # type: ignore[call-overload]
            yield from self.leaves(region, (*below, (map_id, index)))

    def epochs(self, region: Region, below: Path = ()) -> Iterator[Path]:
        """All epochs of ``region``, in order."""
        return (path for path in self.leaves(region, below) if len(path) == len(region))
