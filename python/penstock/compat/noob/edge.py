"""Edges, and what they connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Slot:
    """An input of a node."""

    name: str
    annotation: Any = Any
    required: bool = True


@dataclass
class Signal:
    """An output of a node."""

    name: str
    annotation: Any = Any


@dataclass(frozen=True)
class Edge:
    """From a signal to a slot: a name, a position, or None for a scalar ``depends``."""

    source_node: str
    source_signal: str
    target_node: str
    target_slot: str | int | None = None
    required: bool = True
