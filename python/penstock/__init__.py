"""Penstock runs pipelines: graphs of nodes written once, run anywhere, with one result everywhere.

>>> import penstock as ps
>>> tube = ps.Tube.load('''
... nodes:
...   count: {type: penstock.testing.count_source, params: {limit: 3}}
...   double: {type: penstock.testing.multiply, depends: [{left: count.index}]}
...   out: {type: return, depends: double.value}
... ''')
>>> ps.run(tube).results
[0, 2, 4]

What is heavy (numpy, pyarrow, asyncio) is imported when it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock import _backend
from penstock._events import Epoch, EventMap, Name, NoEvent, RunnerContext, process_method

if TYPE_CHECKING:
    # "as" tells type checkers that the name is public here.
    from penstock._arrays import empty as empty
    from penstock._async_runner import AsyncRunner as AsyncRunner
    from penstock._codecs import register_type as register_type
    from penstock._core import (
        cid as cid,
        decode as decode,
        digest as digest,
        encode as encode,
        register_codec as register_codec,
    )
    from penstock._errors import (
        AlreadyExistsError as AlreadyExistsError,
        BackendWarning as BackendWarning,
        CancelledError as CancelledError,
        DataLossError as DataLossError,
        DeadlineExceededError as DeadlineExceededError,
        Error as Error,
        ExtraInputWarning as ExtraInputWarning,
        FailedPreconditionError as FailedPreconditionError,
        InputMissingError as InputMissingError,
        InternalError as InternalError,
        InvalidArgumentError as InvalidArgumentError,
        LoadError as LoadError,
        NodeError as NodeError,
        NotFoundError as NotFoundError,
        OutOfRangeError as OutOfRangeError,
        ResourceExhaustedError as ResourceExhaustedError,
        UnavailableError as UnavailableError,
        UnimplementedError as UnimplementedError,
    )
    from penstock._kinds import Node as Node
    from penstock._run import (
        Run as Run,
        run as run,
    )
    from penstock._runners import (
        MultiProcessRunner as MultiProcessRunner,
        SynchronousRunner as SynchronousRunner,
        ThreadedRunner as ThreadedRunner,
    )
    from penstock._tube import Tube as Tube, add_config_source as add_config_source

__version__ = "0.1.0"

if _backend.core is not None:
    _backend.core.set_no_event(NoEvent)
    _register = _backend.core.register_codec
else:
    from penstock.reference.identity import register_codec as _register
_register(Epoch, "penstock.epoch", Epoch.to_payload, Epoch.from_payload)
_register(EventMap, "penstock.events", EventMap.to_payload, EventMap.from_payload)
if _backend.wanted() == "native" and _backend.core is None:
    raise _backend.no_native("PENSTOCK_BACKEND=native")

# Where each lazily imported name lives: `import penstock` stays fast, and a name costs its module
# on first use only.
_HOMES = {
    "Tube": "_tube",
    "add_config_source": "_tube",
    "run": "_run",
    "Run": "_run",
    "SynchronousRunner": "_runners",
    "ThreadedRunner": "_runners",
    "MultiProcessRunner": "_runners",
    "AsyncRunner": "_async_runner",
    "Node": "_kinds",
    "Error": "_errors",
    "LoadError": "_errors",
    "NodeError": "_errors",
    "InputMissingError": "_errors",
    "ExtraInputWarning": "_errors",
    "BackendWarning": "_errors",
    "InvalidArgumentError": "_errors",
    "NotFoundError": "_errors",
    "AlreadyExistsError": "_errors",
    "OutOfRangeError": "_errors",
    "FailedPreconditionError": "_errors",
    "ResourceExhaustedError": "_errors",
    "CancelledError": "_errors",
    "DeadlineExceededError": "_errors",
    "UnavailableError": "_errors",
    "DataLossError": "_errors",
    "UnimplementedError": "_errors",
    "InternalError": "_errors",
    "encode": "either",
    "decode": "either",
    "digest": "either",
    "cid": "either",
    "register_codec": "either",
    "register_type": "_codecs",
    "empty": "_arrays",
}
# Homes that can do without the extension.
_PURE = {"_errors", "_kinds", "_run", "_codecs"}

__all__ = [
    "Epoch",
    "EventMap",
    "Name",
    "NoEvent",
    "RunnerContext",
    "process_method",
    "__version__",
    *_HOMES,
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    import importlib

    if home == "either":  # of the backend that was wanted when the name was first used
        home = {"native": "_core", "reference": "reference"}[_backend.choose(f"penstock.{name}")]
    elif home not in _PURE:
        _backend.choose(f"penstock.{name}", twin=False)
    value = getattr(importlib.import_module(f"penstock.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
