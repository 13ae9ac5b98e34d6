"""noob's names over Penstock's runners: programs written for noob run with another import root.

``from noob import Tube, SynchronousRunner`` becomes ``from penstock.compat.noob import Tube,
SynchronousRunner``; submodules have the places they have in noob. Results have noob's shapes, which follow
the data; the shapes of :mod:`penstock` itself do not. What differs is listed in
docs/guide/coming-from-noob.md.
"""

from __future__ import annotations

import importlib

# Where each name lives. Imported on first use: pydantic, if it is there, only with what needs it.
_HOMES = {
    "Asset": "asset",
    "AssetScope": "asset",
    "AssetSpecification": "asset",
    "Edge": "edge",
    "Epoch": "types",
    "EpochCompletedError": "exceptions",
    "Event": "event",
    "EventMap": "types",
    "EventStore": "store",
    "ExtraInputWarning": "exceptions",
    "Gather": "node",
    "InputCollection": "input",
    "InputMissingError": "exceptions",
    "InputScope": "input",
    "InputSpecification": "input",
    "Map": "node",
    "MetaEvent": "event",
    "MetaEventType": "event",
    "MetaSignal": "event",
    "Name": "types",
    "NoEventable": "event",
    "Node": "node",
    "NodeSpecification": "node",
    "Return": "node",
    "RunnerContext": "types",
    "State": "state",
    "AsyncRunner": "runner",
    "SynchronousRunner": "runner",
    "TubeRunner": "runner",
    "ZMQRunner": "runner",
    "get_runner": "runner",
    "Tube": "tube",
    "TubeSpecification": "tube",
    "add_config_source": "config",
    "deinit_method": "node",
    "init_logger": "logging",
    "init_method": "node",
    "process_method": "node",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
