"""Penstock's core parts by themselves, for any Python program: no pipeline is needed.

======================  ================================================  ===========================
name                    what it is                                        in place of
======================  ================================================  ===========================
:class:`EventStore`     events by node, signal and epoch                  a dict of lists
:class:`Scheduler`      what is ready next, in a graph of dependencies    ``graphlib``
:class:`Serializer`     values to canonical bytes and back                ``pickle``
:class:`BufferPool`     memory that is used again                         ``bytearray(n)`` each time
======================  ================================================  ===========================

Each has a native class and a twin in :mod:`penstock.reference` with the same methods and errors; which one
a name here means is said by ``PENSTOCK_BACKEND`` when the name is first used (docs/guide/backends.md), and
by the ``backend`` of every object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock._core import (
        BufferPool as BufferPool,
        EventStore as EventStore,
        Scheduler as Scheduler,
        Serializer as Serializer,
    )

_CLASSES = ("EventStore", "Scheduler", "Serializer", "BufferPool")

__all__ = [
    "BufferPool",
    "EventStore",
    "Scheduler",
    "Serializer",
    "get_event_store",
    "get_scheduler",
    "get_serializer",
]


def get_event_store(cache_size: int = 256, force_python: bool = False, *, strict: bool = False) -> EventStore:
    """An empty event store.

    Parameters
    ----------
    cache_size : int
        Keys that are looked up often are kept at hand, this many of them.
    force_python : bool
        The plain-Python twin, whatever ``PENSTOCK_BACKEND`` says.
    strict : bool
        An error where the wanted backend is not there, in place of a warning and the other one.
    """
    return _class_of("EventStore", force_python, strict)(cache_size=cache_size)


def get_scheduler(tube: Any, force_python: bool = False, *, strict: bool = False) -> Scheduler:
    """A scheduler of the nodes of a tube, or of a dict of node -> what it depends on, as graphlib takes it.

    ``force_python`` and ``strict`` as in :func:`get_event_store`.
    """
    return _class_of("Scheduler", force_python, strict)(tube)


def get_serializer(force_python: bool = False, *, strict: bool = False) -> Serializer:
    """A serializer. ``force_python`` and ``strict`` as in :func:`get_event_store`."""
    return _class_of("Serializer", force_python, strict)()


def _class_of(name: str, force_python: bool = False, strict: bool = False) -> Any:
    from penstock import _backend, reference

    backend = _backend.choose(
        f"penstock.accelerate.{name}",
        native=hasattr(_backend.core, name),
        twin=name in reference.__all__,
        backend="reference" if force_python else None,
        strict=strict,
    )
    return getattr(reference if backend == "reference" else _backend.core, name)


def __getattr__(name: str) -> object:
    if name not in _CLASSES:
        raise AttributeError(f"module 'penstock.accelerate' has no attribute {name!r}")
    value = _class_of(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
