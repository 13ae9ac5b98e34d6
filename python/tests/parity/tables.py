"""encode and decode of Arrow tables: every layout, however the columns lie, and forms that are no table."""

from __future__ import annotations

import datetime
import decimal
from unittest import mock

import pyarrow as pa
from hypothesis import strategies as st
from penstock.reference import table_canonical, table_restore, tables

import penstock as ps
from parity import Case, backend_of, outcome
from parity.encoding import raw

SMALL = st.integers(-128, 127)
TEXT = st.text(max_size=4) | st.just("longer than twelve bytes")
STAMP = st.integers(0, 10**9).map(lambda n: datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=n))


def optional(values):
    return st.none() | values


def lists(values, **size):
    return st.lists(optional(values), **{"max_size": 3} | size)


STRUCT = pa.struct([("x", pa.int8()), pa.field("y", pa.string(), nullable=False)])
ROWS = st.fixed_dictionaries({"x": optional(SMALL), "y": TEXT})
TYPES = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    (pa.int8(), SMALL),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float16(), SMALL.map(float)),
    (pa.float64(), st.floats(width=64)),
    (pa.decimal128(12, 3), st.integers(-999, 999).map(decimal.Decimal)),
    (pa.timestamp("us", tz="UTC"), STAMP),
    (pa.date32(), STAMP.map(lambda stamp: stamp.date())),
    (pa.duration("ns"), st.integers(0, 9)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.string(), TEXT),
    (pa.large_string(), TEXT),
    (pa.binary(), st.binary(max_size=4)),
    (pa.string_view(), TEXT),
    (pa.list_(pa.int16()), lists(SMALL)),
    (pa.large_list(pa.string()), lists(TEXT)),
    (pa.list_(pa.int16(), 2), lists(SMALL, min_size=2, max_size=2)),
    (pa.list_(pa.list_(pa.bool_())), lists(lists(st.booleans()))),
    (pa.map_(pa.string(), pa.int32()), st.lists(st.tuples(TEXT, optional(SMALL)), max_size=2)),
    (STRUCT, ROWS),
    (pa.list_(STRUCT), lists(ROWS)),
    (pa.dictionary(pa.int8(), pa.string()), TEXT),
    (pa.dictionary(pa.uint32(), pa.int64()), SMALL),
    (pa.dictionary(pa.int64(), pa.string_view()), TEXT),
]
COLUMN = st.integers(0, len(TYPES) - 1).flatmap(
    lambda i: st.tuples(st.just(i), st.booleans(), st.lists(optional(TYPES[i][1]), min_size=6, max_size=6))
)
TABLES = st.tuples(
    st.lists(COLUMN, max_size=4),
    st.integers(0, 6),  # rows
    st.integers(0, 2),  # rows cut off in front
    st.booleans(),  # in two batches
)


def build(program):
    columns, num_rows, cut, split = program
    fields, arrays = [], []
    for number, (kind, nullable, values) in enumerate(columns):
        cls = TYPES[kind][0]
        values = values[:num_rows]
        nullable = nullable or cls == pa.null() or None in values
        fields.append(pa.field(f"c{number}", cls, nullable=nullable))
        arrays.append(pa.array(values, cls) if not pa.types.is_dictionary(cls) else dictionary(values, cls))
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={"left": "behind"}))
    table = table.slice(cut)
    return pa.concat_tables([table.slice(0, 1), table.slice(1)]) if split else table


def dictionary(values, cls):
    """A dictionary in no good order: an unused entry, one twice, one null."""
    known = [value for value in dict.fromkeys(values) if value is not None][::-1]
    entries = [*known, None, *known[:1]]
    indices = [None if value is None else entries.index(value) for value in values]
    return pa.DictionaryArray.from_arrays(pa.array(indices, cls.index_type), pa.array(entries, cls.value_type))


def shown(found):
    if found[0] == "raises":
        return found
    table = found[1]
    return ("gives", str(table.schema), table.num_rows, outcome(ps.encode, table)) if isinstance(table, pa.Table) else found


def run_encode(name, program):
    backend = backend_of(name)
    encoded = outcome(backend.encode, {"table": build(program)})
    return encoded if encoded[0] == "raises" else (encoded, shown(outcome(backend.decode, encoded[1][7:])))


def run_other(name, what):
    things = {
        "numbers": pa.chunked_array([[1, 2]]),
        "rows with null": pa.chunked_array([pa.array([{"x": 1}, None])]),
        "rows": pa.chunked_array([pa.array([{"x": 1}, {"x": 2}])]),
        "union": pa.table({"u": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])}),
        "run ends": pa.table({"r": pa.RunEndEncodedArray.from_arrays([1], [5])}),
        "batch": pa.record_batch({"a": [1]}),
        "failing": Failing(),
        "no stream": NoStream(),
    }
    return outcome(backend_of(name).encode, things[what])


class Failing:
    def __arrow_c_stream__(self, requested_schema=None):
        schema = pa.schema([("a", pa.int8())])

        def batches():
            yield pa.record_batch({"a": pa.array([1], pa.int8())})
            raise OSError("the disk is gone")

        return pa.RecordBatchReader.from_batches(schema, batches()).__arrow_c_stream__(requested_schema)


class NoStream:
    def __arrow_c_stream__(self, requested_schema=None):
        return 5


FORMATS = st.sampled_from(
    "n b c C s S i I l L e f g u U z Z vu vz +l +L +s +m +w:2 +w:0 +w:x w:3 w:0 d:5,2 d:5,2,32 d:5 d:5,-1,77 tdD tsu:UTC tsx: "
    "tDn tin +ud:0,1 +r \u00e9".split()
)
FIELDS = st.recursive(
    st.builds(lambda format, flags: {"name": "f", "type": format, "flags": flags}, FORMATS, st.sampled_from([0, 2, 2, 7, 8, -1, 2**63])),
    lambda inner: (
        st.builds(lambda outer, children: outer | {"children": children}, inner, st.lists(inner, max_size=2))
        | st.builds(lambda outer, values: outer | {"dictionary": values}, inner, inner)
    ),
    max_leaves=4,
)
BUFFERS = st.sampled_from([b"", b"\0", b"\1", b"\3", b"\1\2", bytes(4), bytes(8), b"\0\0\0\0\1\0\0\0", b"ab", b"\xc3", bytes(16)])
FORMS = st.tuples(
    st.lists(FIELDS, max_size=2) | st.sampled_from([5, [5], [{"name": "\0", "type": "c", "flags": 0}], [{"name": 1}]]),
    st.sampled_from([0, 1, 1, 2, 2**40, 2**62, 2**63]),
    st.lists(BUFFERS, max_size=6),
)
# Texts of one and two letters over offsets that may run anywhere.
TEXTS = st.tuples(
    st.just([{"name": "t", "type": "u", "flags": 2}]),
    st.just(2),
    st.tuples(
        st.sampled_from([b"", b"\1", b"\3", b"\7"]),
        st.lists(st.integers(0, 3), min_size=3, max_size=3).map(lambda n: b"".join(i.to_bytes(4, "little") for i in n)),
        st.sampled_from([b"", b"a", b"ab", b"\xc3\xa9", b"\xc3\xa9a"]),
    ).map(list),
)


def run_forms(name, program):
    schema, num_rows, buffers = program
    data = raw({"$penstock": ["table", ordered(schema), num_rows, buffers]})
    return shown(outcome(backend_of(name).decode, data))


def ordered(tree):
    """Maps with their keys in canonical order."""
    if isinstance(tree, list):
        return [ordered(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {key: ordered(tree[key]) for key in sorted(tree, key=lambda key: (len(key), key))}


CASES = [
    Case(
        "tables",
        TABLES,
        run_encode,
        [
            ("bits from the other end", lambda: mock.patch.object(table_canonical, "bit", lambda bits, i: bits[i >> 3] >> (7 - i % 8) & 1)),
            ("offset of a slice forgotten", lambda: mock.patch.object(table_canonical, "Piece", lambda a, begin, n: WHOLE(a, 0, n))),
            ("flags forgotten", lambda: mock.patch.object(tables, "_KNOWN_FLAGS", 0)),
        ],
        covers=("encode", "decode"),
    ),
    Case(
        "objects with a stream",
        st.sampled_from(["numbers", "rows with null", "rows", "union", "run ends", "batch", "failing", "no stream"]),
        run_other,
        [("reasons forgotten", lambda: mock.patch.object(tables, "_check", lambda stream, code, what: None))],
        covers=("encode",),
        share=0.2,
    ),
    Case(
        "forms of tables",
        FORMS | TEXTS,
        run_forms,
        [
            ("schemas unchecked", lambda: mock.patch.object(table_restore, "check_schema", lambda schema: None)),
            ("not canonical accepted", lambda: mock.patch.object(table_canonical, "canonical_buffers", lambda s, b: AnyBuffers())),
        ],
        covers=("decode",),
        share=3.0,
    ),
]


WHOLE = table_canonical.Piece


class AnyBuffers:
    def __ne__(self, other):
        return False
