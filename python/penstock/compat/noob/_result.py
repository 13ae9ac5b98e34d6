"""noob's shapes of a result: they follow the data where the return lies below a map.

The return is called once per innermost epoch. Positions of all calls stand one after another; a key has the
list of its values, each once, or the value itself where it is the only one.
"""

from __future__ import annotations

from typing import Any

from penstock.compat.noob._wiring import Path, Values, Wiring
from penstock.compat.noob.edge import Edge

NO_RESULT = object()


class ResultShape:
    """How the results of one tube are made."""

    def __init__(self, node_id: str, depends: Any, edges: list[Edge], wiring: Wiring) -> None:
        self.node_id = node_id
        self.edges = edges
        self.region = wiring.region(node_id)
        self.is_scalar = isinstance(depends, str)
        self.is_mixed = len({isinstance(edge.target_slot, str) for edge in edges}) > 1
        self.required = [edge for edge in edges if not isinstance(edge.target_slot, str)]
        self.named = [edge for edge in edges if isinstance(edge.target_slot, str)]

    @property
    def needs_values(self) -> bool:
        """True when Penstock's own result does not tell enough."""
        return bool(self.region)

    def of_native(self, value: Any) -> Any:
        """From Penstock's result, for a return outside every map."""
        return value[0] if self.is_mixed and not value[1] else value

    def of_values(self, values: Values, inputs: dict[str, Any]) -> Any:
        """From the events of the epoch."""
        positional: list = []
        named: dict[str, dict[Path, Any]] = {}
        for path in self.calls(values):
            positional += [self._value(values, edge, path, inputs)[1] for edge in self.required]
            for edge in self.named:
                found = self._value(values, edge, path, inputs)
                if found is not None:
                    named.setdefault(edge.target_slot, {})[found[0]] = found[1]  # type: ignore[arg-type]
        keys = {}
        for key, by_path in named.items():
            kept = [by_path[path] for path in sorted(by_path)]
            keys[key] = kept[0] if len(kept) == 1 else kept
        if positional and self.is_scalar:
            return positional[0]
        if positional:
            return (tuple(positional), keys) if keys else tuple(positional)
        return keys or NO_RESULT

    def calls(self, values: Values) -> list[Path]:
        """The epochs in which noob's return is called."""
        return [
            path
            for path in values.leaves(self.region)
            if all(
                edge.source_node in ("input", "assets") or values.at(edge.source_node, edge.source_signal, path)
                for edge in self.required
            )
        ]

    @staticmethod
    def _value(values: Values, edge: Edge, path: Path, inputs: dict[str, Any]) -> Any:
        if edge.source_node == "input":
            return (), inputs.get(edge.source_signal)
        return values.at(edge.source_node, edge.source_signal, path)
