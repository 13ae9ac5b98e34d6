"""A node as its file has it."""

from __future__ import annotations

from typing import Any, TypedDict

from penstock.compat.noob._model import Model
from penstock.compat.noob.edge import Signal, Slot


class NodeInfo(TypedDict):
    """What a node has besides what its file says."""

    node_id: str
    type: str
    signals: dict[str, Signal]
    slots: dict[str, Slot]


class NodeSpecification(Model):
    """One entry of ``nodes``."""

    FIELDS = {
        "type_": ...,
        "id": ...,
        "depends": None,
        "params": None,
        "enabled": True,
        "stateful": None,
        "description": None,
        "retry": None,
        "timeout_ms": None,
        "resources": None,
        "cache": None,
        "where": None,
    }

    type_: str
    id: str
    depends: Any
    params: dict | None
    enabled: bool | str
    stateful: bool | None
    description: str | None
