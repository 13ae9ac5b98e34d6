"""``penstock doctor``, the part that needs Python: packages, and the two backends against each other.

A row is (name, what was found, is it good, the command that mends it).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from penstock import _backend

Row = tuple[str, str, bool, str]

# (import name, distribution, what it is for); numpy alone is needed by all.
_PACKAGES = (
    ("numpy", "numpy", "arrays"),
    ("pyarrow", "'penstock[table]'", "tables shown to Python"),
    ("pydantic", "pydantic", "models as values and parameters"),
    ("pandas", "pandas", "its tables as values"),
    ("polars", "polars", "its tables as values"),
    ("PIL", "pillow", "images as values"),
    ("torch", "torch", "its tensors as values"),
)


def look_around() -> list[Row]:
    """What there is to say beside what the extension knows itself. Called from the extension."""
    return [_chosen(), *_packages(), *_self_tests()]


def _chosen() -> Row:
    try:
        wanted = _backend.wanted()
    except ValueError as error:
        return "backend wanted", str(error), False, "export PENSTOCK_BACKEND=auto"
    return "backend wanted", f"{wanted} (PENSTOCK_BACKEND)", wanted != "native" or _backend.core is not None, ""


def _packages() -> list[Row]:
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    rows = []
    for name, distribution, purpose in _PACKAGES:
        if find_spec(name) is None:
            rows.append((name, f"not installed; for {purpose}", name != "numpy", f"pip install {distribution}"))
            continue
        try:
            found = version("pillow" if name == "PIL" else name)
        except PackageNotFoundError:
            found = "installed, version unknown"
        rows.append((name, found, True, ""))
    return rows


def _self_tests() -> list[Row]:
    """Each core part on each backend, against known answers, and so against each other."""
    from penstock import reference

    rows = []
    for part, operation, test in _TESTS:
        if operation not in reference.__all__ and not hasattr(_backend.core, operation):
            continue
        said, good = [], True
        for name, module in (("native", _backend.core), ("reference", reference)):
            if module is None:
                continue
            if not hasattr(module, operation):
                good = False
                said.append(f"{name}: not there")
                continue
            try:
                wrong = [label for label, found, known in test(module) if found != known]
            except Exception as error:
                wrong = [f"{type(error).__name__}: {error}"]
            good = good and not wrong
            said.append(f"{name} wrong: {', '.join(wrong)}" if wrong else f"{name} good")
        rows.append((f"self-test {part}", ", ".join(said), good, "" if good else _backend.MEND))
    return rows


_Answers = list[tuple[str, Any, Any]]  # (label, found, known)

_EVENT = {"id": 7, "ok": True, "tags": ["a", "b"], "x": (2.5, b"\0", 2**70, None)}
_EVENT_CID = "bafyr4ibuhpwcohxm4dmnnrlvwl7ss33ju2nmuioulnwy35jng5xszhncpu"


def _digest(backend: Any) -> _Answers:
    return [
        ("digest of null", backend.digest(None), "61a9bf10f0ffedc7dc77589ae2ab4ca80b006c806e6636e41b60410cd8f0bbc4"),
        ("address of an event", backend.cid(_EVENT), _EVENT_CID),
    ]


def _codec(backend: Any) -> _Answers:
    data = backend.encode(_EVENT)
    return [
        ("order of keys", backend.encode({"bb": 2, "a": 1}), b"\xa2\x61a\x01\x62bb\x02"),
        ("round trip", backend.decode(data), _EVENT),
        ("canonical", backend.encode(backend.decode(data)), data),
    ]


def _event_store(backend: Any) -> _Answers:
    store = backend.EventStore()
    ids = [store.add_event("node", "signal", epoch, f"value {epoch}") for epoch in (0, 1, 1)]
    values = [event["value"] for event in store.get_events("node", "signal", 1)]
    count = store.event_count
    return [
        ("ids", ids, [0, 1, 2]),
        ("events", values, ["value 1", "value 1"]),
        ("count", count() if callable(count) else count, 3),
    ]


def _scheduler(backend: Any) -> _Answers:
    scheduler = backend.Scheduler({"c": ["a", "b"], "d": ["c"]})
    order = []
    while ready := sorted(scheduler.get_ready_nodes()):
        order.append(ready)
        for node in ready:
            scheduler.mark_completed(node)
    return [("order", order, [["a", "b"], ["c"], ["d"]])]


def _serializer(backend: Any) -> _Answers:
    serializer = backend.Serializer()
    header, buffers = serializer.serialize_buffers(_EVENT)
    return [
        ("round trip", serializer.deserialize(serializer.serialize(_EVENT)), _EVENT),
        ("with buffers", serializer.deserialize_buffers(header, buffers), _EVENT),
    ]


def _buffer_pool(backend: Any) -> _Answers:
    pool = backend.BufferPool(1024, 2)
    view = pool.acquire()
    view[:4] = b"\1\2\3\4"
    answers = [("size", len(view), 1024), ("content", bytes(view[:4]), b"\1\2\3\4")]
    pool.release(view)
    return answers


_TESTS: list[tuple[str, str, Callable[[Any], _Answers]]] = [
    ("digest", "digest", _digest),
    ("codec", "encode", _codec),
    ("event store", "EventStore", _event_store),
    ("scheduler", "Scheduler", _scheduler),
    ("serializer", "Serializer", _serializer),
    ("buffer pool", "BufferPool", _buffer_pool),
]


def main(arguments: list[str]) -> int:
    """The whole command where the extension cannot be loaded."""
    from penstock import __version__

    if set(arguments) - {"--json"}:
        print(f"error: unknown argument: seen {' '.join(arguments)!r}, wanted nothing or --json", file=sys.stderr)
        return 2
    rows: list[Row] = [
        ("version", __version__, True, ""),
        ("backend", f"reference only: {_backend.reason()}", False, _backend.MEND),
        ("cores", str(len(os.sched_getaffinity(0))), True, ""),
        ("memory", f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGESIZE') / (1 << 30):.1f} GiB", True, ""),
        ("python", sys.version.split()[0], True, ""),
        *look_around(),
    ]
    if arguments:
        found: dict[str, Any] = {name: text for name, text, _, _ in rows}
        found["mend"] = {name: mend for name, _, _, mend in rows if mend}
        print(json.dumps(found | {"ok": False}))
        return 3
    width = max(len(name) for name, *_ in rows)
    for name, text, good, mend in rows:
        print(f"{'missing' if not good else 'absent ' if mend else 'ok     '} {name:<{width}}  {text}")
        if mend:
            print(f"        {'':<{width}}  {mend}")
    return 3
