"""Types that functions of noob tubes are annotated with."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from penstock._events import Epoch as Epoch, EventMap as EventMap, Name as Name, RunnerContext as RunnerContext

CONFIG_ID_PATTERN = r"[\w\-\/#]+"

PythonIdentifier = str
AbsoluteIdentifier = str
DependencyIdentifier = str
ConfigID = str
NodeID = str
SignalName = str
ConfigSource = Any
ReturnNodeType = Any


class NodeSignal(NamedTuple):
    """A signal of a node."""

    node_id: str
    signal: str


def valid_config_id(value: Any) -> bool:
    """True for what names a tube by its noob_id; a path has a dot."""
    return isinstance(value, str) and re.fullmatch(CONFIG_ID_PATTERN, value) is not None
