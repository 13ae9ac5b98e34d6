"""The pure-Python twin of Penstock's native parts: the same names, the same answers, the same errors.

Short and obvious rather than fast: it says what the native code must do, answers where the native code
cannot be loaded, and is what the tests compare with (docs/guide/backends.md).
"""

from __future__ import annotations

# Where each name lives: a module is imported when a name of it is first used.
_HOMES = {
    "encode": "encoding",
    "decode": "decoding",
    "digest": "identity",
    "cid": "identity",
    "register_codec": "identity",
    "EventStore": "event_store",
    "Serializer": "serializer",
    "run": "running",
    "BufferPool": "buffer_pool",
    "Scheduler": "scheduler",
}

__all__ = list(_HOMES)  # noqa: PLE0605 - names that __getattr__ finds


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.reference' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"penstock.reference.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
