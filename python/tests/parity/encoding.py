"""encode, decode, digest, cid, register_codec: all kinds of values, and bytes that are no value."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from unittest import mock

import numpy
from hypothesis import strategies as st
from penstock.reference import arrays, blake3, decoding, encoding, identity

import penstock as ps
from parity import Case, backend_of, outcome

BITS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", bits.to_bytes(8, "big"))[0])
NANS = st.integers(1, 2**52 - 1).map(lambda bits: struct.unpack(">d", (0x7FF << 52 | bits).to_bytes(8, "big"))[0])
EDGES = [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**64), -(2**64) - 1]
KEYS = st.text(max_size=6) | st.sampled_from(["id", "name", "$penstock", "\u00e9", "x" * 24])
ARRAYS = st.tuples(
    st.just("array"),
    st.sampled_from(sorted(arrays.ITEM_BYTES)),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from(["plain", "fortran", "reversed", "stepped", "swapped"]),
)
ODD = st.sampled_from(["set", "object", "complex", "surrogate", "surrogate key", "number key", "date array", "masked", "loop"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.sampled_from(EDGES)
    | st.integers()
    | BITS
    | NANS
    | st.sampled_from([0.0, -0.0, float("inf"), -float("inf")])
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
LEAVES = SCALARS | ARRAYS.map(lambda recipe: {"make": recipe})
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.builds(lambda payload: {"make": ("registered", payload)}, inner)
    ),
    max_leaves=12,
)
SPECIAL = ODD.map(lambda name: {"make": ("odd", name)}) | st.integers(250, 260).map(lambda n: {"make": ("deep", n)})


class Boxed:
    """A registered type."""

    def __init__(self, payload):
        self.payload = payload


ps.register_codec(Boxed, "parity.boxed", lambda box: box.payload, Boxed)


def build(tree):
    """The value of a program: recipes become arrays, registered and odd objects."""
    if isinstance(tree, (list, tuple)):
        return type(tree)(map(build, tree))
    if not isinstance(tree, dict):
        return tree
    if list(tree) == ["make"]:
        kind, *recipe = tree["make"]
        return {"array": build_array, "registered": lambda p: Boxed(build(p)), "odd": build_odd, "deep": build_deep}[kind](*recipe)
    return {key: build(item) for key, item in tree.items()}


def build_array(dtype, shape, layout):
    array = numpy.arange(int(numpy.prod(shape))).reshape(shape).astype(dtype)
    if layout == "fortran":
        return numpy.asfortranarray(array)
    if layout == "swapped":
        return array.astype(array.dtype.newbyteorder(">"))
    if shape and layout in ("reversed", "stepped"):
        return array[::-1] if layout == "reversed" else array[..., ::2]
    return array if shape else array[()]


def build_odd(name):
    loop = []
    loop.append(loop)
    return {
        "set": {1, 2},
        "object": object(),
        "complex": 1j,
        "surrogate": "\ud800",
        "surrogate key": {"\udfff": 1},
        "number key": {1: 2},
        "date array": numpy.array(["2020-01-01"], "M8[D]"),
        "masked": numpy.ma.masked_array([1, 2], [0, 1]),
        "loop": loop,
    }[name]


def build_deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def shown(value):
    """A value as text that says everything about it: type, content, the bits of a float."""
    if isinstance(value, Boxed):
        return f"Boxed({shown(value.payload)})"
    if type(value) is float:
        return struct.pack(">d", value).hex()
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(shown, value))})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        writeable = isinstance(value, numpy.ndarray) and value.flags.writeable
        return f"{type(value).__name__} {value.dtype.name} {value.shape} {value.tobytes().hex()} {writeable}"
    return f"{type(value).__name__} {value!r}"


def show_decoded(backend, data, blocks=None):
    found = outcome(backend.decode, data, blocks)
    return ("gives", shown(found[1])) if found[0] == "gives" else found


def run_encode(name, tree):
    backend, value = backend_of(name), build(tree)
    blocks = {}
    encoded = outcome(backend.encode, value, blocks)
    seen = [encoded, sorted(blocks), outcome(backend.digest, value), outcome(backend.cid, value)]
    if encoded[0] == "gives":
        seen.append(show_decoded(backend, encoded[1], blocks))
    return seen


def run_mutated(name, program):
    tree, changes = program
    data = bytearray(ps.encode(build(tree)))
    for kind, at, byte in changes:
        at %= len(data) + 1
        if kind == "insert":
            data.insert(at, byte)
        elif at < len(data):
            if kind == "delete":
                del data[at]
            else:
                data[at] = byte if kind == "set" else data[at] ^ 1 << byte % 8
    return show_decoded(backend_of(name), bytes(data))


def raw(item):
    """CBOR of a tree as it stands: nothing is escaped or put in order, so any form can be said wrongly."""
    head = encoding.head
    if isinstance(item, bool) or item is None:
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[item]
    if isinstance(item, int):
        return head(0, item) if item >= 0 else head(1, -1 - item)
    if isinstance(item, bytes):
        return head(2, len(item)) + item
    if isinstance(item, str):
        return head(3, len(item.encode())) + item.encode()
    if isinstance(item, list):
        return head(4, len(item)) + b"".join(map(raw, item))
    if isinstance(item, Link):
        return head(6, item.tag) + raw(item.content)
    return head(5, len(item)) + b"".join(raw(key) + raw(value) for key, value in item.items())


class Link:
    def __init__(self, tag, content):
        self.tag, self.content = tag, content

    def __repr__(self):
        return f"Link({self.tag}, {self.content!r})"


SIZES = st.sampled_from([0, 1, 2, 3, 65536, 65537, 2**20, 2**20 + 1, 2**40, 2**62, 2**63, 2**64 - 1])
PREFIX = b"\x00\x01\x55\x1e\x20"
WHOLE = b"a" * 65537
WHOLE_HASH = blake3.blake3(WHOLE)
LINKS = st.builds(
    Link,
    st.sampled_from([42, 42, 42, 43]),
    st.sampled_from([PREFIX + bytes(32)] * 20 + [PREFIX + WHOLE_HASH, PREFIX, b"", 1]),
)
WORDS = st.sampled_from(
    "float int tuple map tensor table ext ext bytes buffer arrow nothing parity.boxed parity.boxed\0 parity.unknown float64 int8".split()
) | st.just("x" * 39 + "\u00e9")
PARTS = st.recursive(
    SIZES | WORDS | LINKS | st.sampled_from([-1, b"", b"\x01" + bytes(8), b"\x7f\xf8" + bytes(6), None, True]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(lambda items: {"$penstock": items}, st.lists(inner, max_size=4))
        | st.builds(lambda name, items: {"$penstock": [name, *items]}, WORDS, st.lists(inner, max_size=3))
        | st.builds(lambda key, inner: {"a": inner, key: inner}, KEYS, inner)
    ),
    max_leaves=10,
)
FORMS = (
    st.builds(lambda name, items: {"$penstock": [name, *items]}, WORDS, st.lists(PARTS, min_size=1, max_size=3))
    | st.builds(lambda n, links: {"$penstock": ["bytes", n, links]}, SIZES, st.lists(LINKS, max_size=2))
    | st.dictionaries(KEYS, PARTS, max_size=3)
    | st.builds(
        lambda shape, data: {"$penstock": ["tensor", "int16", shape, data]},
        st.lists(st.sampled_from([0, 1, 2, 2**62, 2**63]), max_size=3),
        st.binary(max_size=8),
    )
    | st.builds(lambda pairs: {"$penstock": ["map", [[key, value] for key, value in pairs]]}, st.lists(st.tuples(KEYS, PARTS), max_size=3))
)


def run_forms(name, tree):
    blocks = {identity.cid_text(0x55, WHOLE_HASH): WHOLE, identity.cid_text(0x55, bytes(32)): b"wrong"}
    return show_decoded(backend_of(name), raw(tree), blocks)


def run_long(name, program):
    """Data in linked blocks, delivered, kept, spoiled or lost."""
    backend, (size, deed) = backend_of(name), program
    value = {"a": b"x" * size, "b": (b"x" * size, numpy.zeros(size // 8))}
    blocks = {}
    encoded = outcome(backend.encode, value, blocks)
    seen = [encoded, sorted((cid, len(block)) for cid, block in blocks.items())]
    for cid in sorted(blocks)[:1]:
        if deed == "lose":
            del blocks[cid]
        elif deed == "spoil":
            blocks[cid] = blocks[cid][:-1] + b"!"
        elif deed == "shorten":
            blocks[cid] = blocks[cid][1:]
        elif deed == "number":
            blocks[cid] = 5
    found = outcome(backend.decode, encoded[1], None if deed == "no store" else blocks)
    return seen + [found[0] if found[0] == "gives" else found]


def run_register(name, program):
    """Types and names registered in any order, then used. What was registered goes again."""
    backend, by_tables = backend_of(name), ps._core.registered_codecs()
    types = [type(f"Made{i}", (), {"payload": i}) for i in range(3)]
    deeds = {"payload": lambda o: o.payload, "fail": lambda o: 1 // 0, "itself": lambda o: o, "none": lambda o: None}
    seen = []
    try:
        for kind, which, number, deed in program:
            cls = types[which]
            if kind == "register":
                back = {"fail": lambda p: 1 // 0}.get(deed, lambda p, cls=cls: (cls.__name__, p))
                seen.append(outcome(backend.register_codec, cls, f"parity.made{number}", deeds[deed], back))
            elif kind == "wrong":
                seen.append(outcome(backend.register_codec, *[(1, "n", str, str), (cls, 2, str, str), (cls, "n", 3, str)][number]))
            else:
                encoded = outcome(backend.encode, [cls(), {"deep": cls()}])
                seen += [encoded, *([show_decoded(backend, encoded[1])] if encoded[0] == "gives" else [])]
    finally:
        for cls in types:
            by_tables[0].pop(cls, None)
        for number in range(3):
            by_tables[1].pop(f"parity.made{number}", None)
    return seen


@contextmanager
def floats_cut_short():
    with mock.patch.object(encoding._Encoder, "real", lambda self, value: self.parts.append(b"\xf9" + struct.pack(">e", 0))):
        yield


def patched(owner, name, value):
    return lambda: mock.patch.object(owner, name, value)


def without_order(self, previous):
    key = self.take(self.head(encoding.TEXT, "wanted a text string")[2])
    return key


CHANGES = st.lists(
    st.tuples(st.sampled_from(["flip", "set", "delete", "insert"]), st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["register", "register", "use", "wrong"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from(["payload", "payload", "fail", "itself", "none"]),
    ),
    max_size=6,
)
LONG = st.tuples(st.sampled_from([65536, 65537, 65544]), st.sampled_from(["keep", "lose", "spoil", "shorten", "number", "no store"]))

CASES = [
    Case(
        "encode",
        TREES | SPECIAL,
        run_encode,
        [
            ("keys in order of making", lambda: mock.patch.object(encoding, "sorted", lambda items, key: items, create=True)),
            ("floats of 16 bits", floats_cut_short),
            ("one level less", patched(encoding, "MAX_DEPTH", 251)),
            ("hash with two words exchanged", patched(blake3, "_PERMUTATION", (6, 2, *blake3._PERMUTATION[2:]))),
        ],
        covers=("encode", "digest", "cid"),
    ),
    Case(
        "decode",
        st.tuples(TREES, CHANGES),
        run_mutated,
        [
            ("integers that are none", patched(decoding, "UNSIGNED", 99)),
        ],
        covers=("decode",),
    ),
    Case(
        "decode forms",
        FORMS,
        run_forms,
        [
            ("keys in any order", patched(decoding._Decoder, "key", without_order)),
            ("fewer bytes in line", patched(decoding, "INLINE_BYTES", 2)),
            ("escaped maps unchecked", patched(decoding, "RESERVED_KEY", "$other")),
        ],
        covers=("decode",),
    ),
    Case(
        "linked data",
        LONG,
        run_long,
        [("blocks of half the size", patched(encoding, "BLOCK_BYTES", 1 << 15))],
        covers=("encode", "decode"),
        share=0.03,
    ),
    Case(
        "register_codec",
        STEPS,
        run_register,
        [("a second codec for a type", patched(identity, "registered_codecs", lambda: ({}, {})))],
        covers=("register_codec",),
    ),
]
