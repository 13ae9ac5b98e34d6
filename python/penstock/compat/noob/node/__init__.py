"""Nodes: the base class of those that know a run's beginning and end, and what a tube shows of the others."""

from __future__ import annotations

from typing import Any

from penstock.compat.noob.node.marks import deinit_method, init_method, process_method
from penstock.compat.noob.node.spec import NodeInfo, NodeSpecification
from penstock.compat.noob.node.view import (
    Gather,
    Map,
    NodeView,
    Return,
    TubeNode,
    WrapClassNode,
    WrapFuncNode,
)

SPECIAL_NODES = {"gather": Gather, "map": Map, "return": Return, "tube": TubeNode}

__all__ = [
    "Gather",
    "Map",
    "Node",
    "NodeInfo",
    "NodeSpecification",
    "NodeView",
    "Return",
    "SPECIAL_NODES",
    "TubeNode",
    "WrapClassNode",
    "WrapFuncNode",
    "deinit_method",
    "init_method",
    "process_method",
]


def __getattr__(name: str) -> Any:
    if name == "Node":  # pydantic is imported for it, and only for it
        from penstock.compat.noob.node.base import Node

        return Node
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
