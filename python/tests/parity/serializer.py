"""Serializer: messages in one piece and with buffers beside them, shipped codecs, damaged frames."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import zoneinfo
from collections import namedtuple
from dataclasses import dataclass
from unittest import mock

import numpy
from hypothesis import strategies as st
from penstock.reference import encoding, serializer

from parity import Case, backend_of, outcome
from parity.encoding import CHANGES, KEYS, PREFIX, SCALARS, SIZES, patched, raw, shown
from penstock import _codecs


@dataclass(frozen=True)
class Point:
    x: object
    y: object = None


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Right(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


Pair = namedtuple("Pair", "left right")
TYPES = [Point, Colour, Right, (complex, "parity.complex", lambda z: [z.imag, z.real], lambda p: complex(p[1], p[0]))]

ZONES = st.none() | st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(seconds=-90), "x"), zoneinfo.ZoneInfo("UTC")])
SHIPPED = (
    st.complex_numbers()
    | st.builds(range, st.integers(-3, 3), st.integers(), st.sampled_from([-2, 1, 5]))
    | st.dates()
    | st.times(timezones=ZONES)
    | st.datetimes(timezones=ZONES)
    | st.timedeltas()
    | ZONES
    | st.decimals(allow_nan=False)
    | st.just(decimal.Decimal("NaN7"))
    | st.uuids()
    | st.sampled_from(["", "a/b", "/c", "..", "\u00e9"]).map(pathlib.Path)
    | st.sampled_from(["c:/a", "b"]).map(pathlib.PureWindowsPath)
)
OWN = st.sampled_from([Colour.RED, Colour.BLUE, Right(0), Right(5), Right(7), Pair(1, 2)])
LONG = st.tuples(st.just("long"), st.sampled_from(["bytes", "float32", "uint8"]), st.sampled_from([65535, 65536, 65537, 65600]))
HASHABLE = st.recursive(
    SCALARS | SHIPPED | OWN, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=5
)
TREES = st.recursive(
    SCALARS | SHIPPED | OWN | LONG | st.just(("long key",)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=10,
)
DEEP = st.integers(250, 257).flatmap(lambda n: st.tuples(st.just("deep"), st.just(n), st.sampled_from(["list", "set", "keys"])))


def build(tree):
    if isinstance(tree, tuple) and tree[:1] == ("long",):
        _, kind, size = tree
        return bytes(size) if kind == "bytes" else numpy.zeros(size // numpy.dtype(kind).itemsize, kind)
    if isinstance(tree, tuple) and tree[:1] == ("long key",):
        return {1: 2, b"x" * 65_537: 3}
    if isinstance(tree, tuple) and tree[:1] == ("deep",):
        value = 1
        for _ in range(tree[1]):
            value = {"list": lambda v: [v], "set": lambda v: frozenset([v]), "keys": lambda v: {1: v}}[tree[2]](value)
        return value
    if isinstance(tree, list):
        return [build(item) for item in tree]
    if isinstance(tree, dict):
        return {key: build(item) for key, item in tree.items()}
    if isinstance(tree, Point):
        return Point(build(tree.x), build(tree.y))
    return tree


def seen(value):
    """A value as text that says everything about it."""
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}{sorted(map(seen, value))}"
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{seen(key)}: {seen(item)}" for key, item in value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(seen, value))})"
    if isinstance(value, Point):
        return f"Point({seen(value.x)}, {seen(value.y)})"
    if isinstance(value, datetime.datetime | datetime.time):
        return f"{value!r} {value.fold}"
    if isinstance(value, bytes) and len(value) > 100:
        return f"{len(value)} bytes"
    if isinstance(value, numpy.ndarray) and value.nbytes > 100:
        return f"{value.dtype} {value.shape} {value.any()} {value.flags.writeable}"
    return f"{type(value).__name__} {shown(value)}"


def serializer_of(name, own):
    return backend_of(name).Serializer(TYPES) if own else backend_of(name).Serializer()


def found(call, *args):
    made = outcome(call, *args)
    return ("gives", seen(made[1])) if made[0] == "gives" else made


def run_messages(name, program):
    tree, own = program
    value, one = build(tree), serializer_of(name, own)
    message = outcome(lambda: bytes(one.serialize(value)))
    apart = outcome(lambda: [one.serialize_buffers(value)[0], *map(bytes, one.serialize_buffers(value)[1])])
    result = [message, apart, one.backend == name]
    if message[0] == "gives":
        result += [found(one.deserialize, message[1]), found(one.deserialize, bytearray(message[1]))]
        result += [found(one.deserialize_buffers, apart[1][0], apart[1][1:])]
        result += [found(one.deserialize_buffers, apart[1][0], apart[1][2:])]
        result += [found(one.deserialize_batch, [message[1]] * 2)]
    return [*result, outcome(lambda: [bytes(m) for m in one.serialize_batch([1, value])])]


def run_damaged(name, program):
    """Frames whose head, root or padding are changed."""
    parts, changes, cut = program
    one = serializer_of(name, True)
    data = bytearray(one.serialize(build(parts)))
    for kind, at, byte in changes:
        if kind == "insert":
            data.insert(at, byte)
        elif kind == "delete":
            del data[at]
        else:
            data[at] = byte if kind == "set" else data[at] ^ 1 << byte % 8
    return found(one.deserialize, bytes(data[: len(data) - cut]))


def run_roots(name, program):
    """Roots of messages, rightly and wrongly made."""
    tree, buffers = program
    return found(serializer_of(name, True).deserialize_buffers, raw(tree), buffers)


def run_payloads(name, program):
    """Shipped codecs, with payloads that fit and that do not."""
    form, payload = program
    return [
        found(backend_of(name).decode, raw({"$penstock": ["ext", form, payload]})),
        found(serializer_of(name, True).deserialize, raw({"$penstock": ["ext", form, payload]})),
    ]


TENSOR = st.builds(
    lambda shape, size, index, form: {"$penstock": ["tensor", "int8", shape, {"$penstock": [form, index, size]}]},
    st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=2),
    st.sampled_from([0, 1, 2, 3, 6]),
    st.integers(0, 2),
    st.sampled_from(["buffer", "buffer", "buffer", "bytes"]),
)
ROOTS = st.recursive(
    TENSOR | st.builds(lambda i, n: {"$penstock": ["buffer", i, n]}, st.integers(0, 2), st.integers(0, 4)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(lambda n, i: {"$penstock": [n, i]}, st.sampled_from(["tuple", "arrow", "float", "bytes"]), inner)
        | st.builds(lambda i: {"$penstock": ["ext", "python.set", [i, 1]]}, inner)
        | st.builds(lambda items: {"$penstock": ["arrow", *items]}, st.lists(inner, min_size=3, max_size=3))
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(["python.set", "python.frozenset", "python.dict", *_codecs._READERS, "parity.complex", "python.other"])
WORDS = st.sampled_from("UTC Mars/Olympus ../x 1.5 1.50 -0 sNaN1 inf posix pure-posix windows RGB P 1".split()) | st.just("")
FLOATS = st.sampled_from([{"$penstock": ["float", b"\x7f\xf8" + bytes(6)]}])
ZONE_FORMS = st.sampled_from([{"$penstock": ["ext", "python.zoneinfo", "UTC"]}, {"$penstock": ["ext", "python.timezone", [0, 0, 0, None]]}])
ITEMS = SIZES | WORDS | FLOATS | ZONE_FORMS | st.integers(-2, 30) | st.sampled_from([2020, None, True, bytes(16), b"abc", PREFIX])
PAYLOADS = (
    ITEMS
    | st.lists(ITEMS, max_size=9)
    | st.lists(st.integers(1, 12), min_size=3, max_size=9).map(lambda items: [*items, None])
    | st.lists(st.integers(0, 3), max_size=3)
    | st.lists(st.tuples(ITEMS, ITEMS).map(list) | ITEMS, max_size=4)
    | st.lists(st.integers(0, 30), unique=True, max_size=5).map(lambda keys: [[key, None] for key in sorted(keys)])
    | st.builds(lambda m, w, h, n: [m, w, h, bytes(n), None], WORDS, st.integers(-1, 9), st.integers(0, 3), st.integers(0, 12))
)
FRAMED = st.tuples(
    st.builds(lambda size: [1, ("long", "uint8", size), {"k": ("long", "bytes", 65_537)}], st.sampled_from([65_537, 65_600])),
    CHANGES.map(lambda changes: [(kind, at % 130, byte) for kind, at, byte in changes]),
    st.sampled_from([0, 0, 0, 1, 64, 131_000]),
)


def broken_sort():
    def unsorted(self, name, entries, depth):
        self.form("ext", 3)
        self.text(name)
        self.items(list, [list(entry) if len(entry) == 2 else entry[0] for entry in entries], depth + 1)

    return mock.patch.object(encoding._Encoder, "sorted", unsorted)


CASES = [
    Case(
        "messages",
        st.tuples(TREES | DEEP | st.lists(LONG, min_size=1, max_size=3), st.booleans()),
        run_messages,
        [
            ("sets as they come", broken_sort),
            ("buffers on lines of 32 bytes", patched(serializer, "ALIGNMENT", 32)),
            ("long data inside", patched(encoding, "INLINE_BYTES", 65_600)),
        ],
        covers=("Serializer",),
    ),
    Case(
        "damaged messages",
        FRAMED,
        run_damaged,
        [("padding unchecked", lambda: mock.patch.object(serializer, "any", lambda padding: False, create=True))],
    ),
    Case(
        "roots",
        st.tuples(ROOTS, st.lists(st.binary(max_size=6), max_size=2)),
        run_roots,
        [("any buffer", lambda: mock.patch.object(serializer._Decoder, "outside", lambda self, b: self.fail("never")))],
    ),
    Case(
        "payloads",
        st.tuples(NAMES, PAYLOADS),
        run_payloads,
        [("sets in any order", lambda: mock.patch.object(serializer._Decoder, "collection", lambda self, name, depth: self.read(depth)))],
    ),
]
