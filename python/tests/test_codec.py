"""penstock.encode, decode, digest and cid: values, bytes, errors."""

import collections
import enum
import gc
import math
import pickle
import sys
import threading

import numpy
import pyarrow
import pytest
from hypothesis import given, settings, strategies as st

import penstock as ps
from penstock import _core

TEXT = st.text(max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, -(2**64), -(2**64) - 1])
    | st.floats()
    | TEXT
    | st.binary(max_size=12)
)
KEYS = TEXT | st.sampled_from(["id", "name", "value", "$penstock", "x" * 30, "\u00e9"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=6)
        | st.dictionaries(KEYS, inner, min_size=15, max_size=20)
    ),
    max_leaves=30,
)


def same(a, b):
    """Equal in type and content; NaN equals NaN, -0.0 differs from 0.0, the order of keys is free."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


@settings(max_examples=600, deadline=None)
@given(VALUES)
def test_round_trip_and_same_bytes_as_through_values(value):
    data = ps.encode(value)
    assert data == _core.encode_by_value(value)
    assert same(ps.decode(data), value)
    assert same(_core.decode_by_value(data), value)
    assert ps.encode(ps.decode(data)) == data


@settings(max_examples=300, deadline=None)
@given(VALUES, st.data())
def test_damaged_bytes_are_refused_alike_or_canonical(value, data):
    good = bytearray(ps.encode(value))
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    bad = bytes(good)
    try:
        found = ps.decode(bad)
    except ps.Error as error:
        with pytest.raises(type(error)) as other:
            _core.decode_by_value(bad)
        assert str(other.value) == str(error)
    else:
        assert ps.encode(found) == bad


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, SCALARS, max_size=20), st.randoms())
def test_key_order_does_not_matter(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert ps.encode({key: value[key] for key in keys}) == ps.encode(value)
    assert ps.digest({key: value[key] for key in keys}) == ps.digest(value)


def test_known_bytes_and_address():
    event = {"id": 123456789, "ts": 1700000000.25, "user": "alice", "ok": True, "tags": ["a", "b"]}
    assert ps.encode(event).hex() == ("a56269641a075bcd15626f6bf5627473fb41d954fc4010000064746167738261616162647573657265616c696365")
    assert ps.cid(event) == "bafyr4ihcvu6dze7a3l6w6rclm6pw6oeav2q2nvzyyvjn5f4zbhxfurxaoi"
    assert ps.cid({}) == "bafyr4ia7stf7ge5tzyrsk6tskhva7sk2erkw5jqr4t4pi5pfjglrxlw3ai"
    assert len(ps.digest(event)) == 64


def test_shapes_that_share_a_place_in_the_key_table():
    """Dicts inside dicts, thousands of shapes: more than the table of shapes has places."""
    for n in range(3000):
        name = sys.intern(f"k{n}")
        value = {name: {sys.intern(f"a{n}"): {name: n}, "b": n}, "z": [{name: 1}, {"b": 2, name: 1}]}
        assert ps.decode(ps.encode(value)) == value
        assert ps.encode(value) == _core.encode_by_value(value)


def test_subclasses_are_written_as_their_base():
    class Colour(enum.IntEnum):
        RED = 3

    class Name(str):
        pass

    class Text(enum.StrEnum):
        A = "a"

    Point = collections.namedtuple("Point", "x y")
    ordered = collections.OrderedDict([("b", 1), ("a", 2)])
    value = [Colour.RED, Name("n"), Text.A, Point(1, 2), ordered, collections.defaultdict(int, c=3)]
    plain = [3, "n", "a", (1, 2), {"a": 2, "b": 1}, {"c": 3}]
    assert ps.encode(value) == ps.encode(plain) == _core.encode_by_value(value)
    assert ps.decode(ps.encode(value)) == plain


@pytest.mark.parametrize("value", [bytearray(b"\0\xff"), memoryview(b"\0\xff"), memoryview(b"\0-\xff-")[::2]])
def test_byte_buffers_are_bytes(value):
    assert ps.encode(value) == ps.encode(b"\0\xff") == _core.encode_by_value(value)


DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4), (2, 1, 2)])
def test_arrays_round_trip(dtype, shape):
    array = numpy.arange(math.prod(shape)).reshape(shape).astype(dtype)
    data = ps.encode(array)
    assert data == _core.encode_by_value(array)
    back = ps.decode(data)
    assert back.dtype == array.dtype and back.shape == array.shape
    assert numpy.array_equal(back, array)
    if shape:
        assert not back.flags.writeable


def test_array_layout_does_not_matter():
    array = numpy.arange(24.0).reshape(4, 6)
    for view in (array[::-1], array.T, array[1:3, ::2], array[:, ::-2], numpy.broadcast_to(array[0], (3, 6))):
        copy = numpy.ascontiguousarray(view)
        assert ps.encode(view) == ps.encode(copy) == _core.encode_by_value(view)
    assert ps.encode(array.astype(">f8")) == ps.encode(array)
    assert ps.encode(numpy.asfortranarray(array)) == ps.encode(array)


def test_a_broadcast_beyond_all_memory_is_refused():
    huge = numpy.broadcast_to(numpy.float64(1), (1 << 27, 1 << 27))
    for encode in (ps.encode, ps.digest, _core.encode_by_value):
        with pytest.raises(ps.ResourceExhaustedError, match="size_bytes="):
            encode([huge])


def test_numpy_scalars_keep_their_type():
    for scalar in (numpy.float64(1.5), numpy.float32(1.5), numpy.int64(-3), numpy.uint8(7), numpy.bool_(True)):
        back = ps.decode(ps.encode(scalar))
        assert type(back) is type(scalar) and back == scalar
        assert ps.encode(scalar) == _core.encode_by_value(scalar)
    assert ps.decode(ps.encode(numpy.str_("x"))) == "x"


def test_arrays_are_shared_and_released():
    array = numpy.arange(1000.0)
    references = sys.getrefcount(array)
    again = _core.through_value(array)
    assert again.__array_interface__["data"][0] == array.__array_interface__["data"][0]
    assert sys.getrefcount(array) > references
    again_view = again[10:20]
    del again
    assert again_view[0] == 10.0
    del again_view
    assert sys.getrefcount(array) == references
    with pytest.raises(ValueError, match="read-only"):
        _core.through_value(array)[0] = 1


def test_dlpack_objects_are_arrays():
    class Foreign:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    array = numpy.arange(6.0).reshape(2, 3)
    assert ps.encode(Foreign(array)) == ps.encode(array)
    shared = _core.through_value(Foreign(array))
    assert shared.__array_interface__["data"][0] == array.__array_interface__["data"][0]


def test_decoded_arrays_go_out_through_buffer_and_dlpack():
    array = numpy.arange(6.0).reshape(2, 3)
    shared = _core.through_value(array)
    address = array.__array_interface__["data"][0]
    assert numpy.from_dlpack(shared).__array_interface__["data"][0] == address
    assert numpy.asarray(memoryview(shared)).__array_interface__["data"][0] == address


def test_tables_round_trip_and_are_shared():
    table = pyarrow.table({"a": [1, 2, None], "b": ["x", None, "zz"], "c": [[1.5], [], None]})
    data = ps.encode(table)
    assert data == _core.encode_by_value(table)
    assert ps.decode(data).equals(table)
    chunked = pyarrow.concat_tables([table.slice(0, 1), table.slice(1)])
    assert ps.cid(chunked) == ps.cid(table)
    again = _core.through_value(table)
    assert again.equals(table)
    assert again.column("a").chunk(0).buffers()[1].address == table.column("a").chunk(0).buffers()[1].address


def test_long_buffers_are_linked_blocks():
    array = numpy.arange(300_000, dtype=numpy.int32)
    for value in (array, b"x" * 65_537, {"deep": [array, (b"y" * 1_048_577,)]}):
        blocks = {}
        data = ps.encode(value, blocks)
        assert data == ps.encode(value) == _core.encode_by_value(value)
        assert len(data) < 1000
        assert all(len(block) <= 1 << 20 for block in blocks.values())
        back = ps.decode(data, blocks=blocks)
        assert ps.encode(back) == data
        with pytest.raises(ps.FailedPreconditionError, match="no block store"):
            ps.decode(data)
        name = next(iter(blocks))
        with pytest.raises(ps.NotFoundError, match=name):
            ps.decode(data, {})
        blocks[name] = b"\0" + blocks[name][1:] if blocks[name][0] else b"\1" + blocks[name][1:]
        with pytest.raises(ps.DataLossError, match=name):
            ps.decode(data, blocks)
    assert ps.encode(b"x" * 65_536)[:5] == b"\x5a\x00\x01\x00\x00"


def test_nesting_limit():
    value = 1
    for _ in range(256):
        value = [value]
    assert ps.decode(ps.encode(value)) == value
    for wrapped in ([value], {"k": value}, (value,)):
        for encode in (ps.encode, _core.encode_by_value):
            with pytest.raises(ps.ResourceExhaustedError, match="limit=256"):
                encode(wrapped)
    loop = []
    loop.append(loop)
    with pytest.raises(ps.ResourceExhaustedError):
        ps.digest(loop)
    with pytest.raises(ps.DataLossError, match="nested too deeply"):
        ps.decode(b"\x81" * 257 + b"\x01")


class Opaque:
    pass


BAD_VALUES = [
    (Opaque(), "type=Opaque"),
    (slice(1, 2), "type=slice"),
    ([1, Opaque()], "type=Opaque"),
    (..., "type=ellipsis"),
    ({1: 2, Opaque(): 2}, "type=Opaque"),
    ({1, Opaque()}, "type=Opaque"),
    ("\ud800", "surrogate"),
    ({"\udfff": 1}, "surrogate"),
    (numpy.array([object()]), "tensor form"),
    (numpy.array(["2020-01-01"], dtype="M8[D]"), "tensor form"),
    (numpy.ma.masked_array([1, 2], [0, 1]), "MaskedArray"),
]


@pytest.mark.parametrize("value, message", BAD_VALUES, ids=[m for _, m in BAD_VALUES])
def test_what_has_no_encoding(value, message):
    for encode in (ps.encode, ps.digest, ps.cid, _core.encode_by_value):
        with pytest.raises(ps.InvalidArgumentError, match=message):
            encode(value)
    assert ps.encode([1]) == b"\x81\x01"  # usable after a failure


def test_keys_of_equal_text():
    class Key(str):
        def __hash__(self):
            return 7

        def __eq__(self, other):
            return self is other

    for encode in (ps.encode, _core.encode_by_value):
        with pytest.raises(ps.InvalidArgumentError, match="same text"):
            encode({Key("a"): 1, Key("a"): 2})


def test_wrong_arguments():
    with pytest.raises(TypeError):
        ps.encode()
    with pytest.raises(TypeError):
        ps.encode(1, store={})
    with pytest.raises(TypeError):
        ps.decode("text")
    with pytest.raises(TypeError):
        ps.register_codec(int)


class Money:
    def __init__(self, amount, currency):
        self.amount, self.currency = amount, currency

    def __eq__(self, other):
        return (self.amount, self.currency) == (other.amount, other.currency)


class Clumsy:
    pass


def test_registered_types():
    with pytest.raises(ps.InvalidArgumentError, match="type=Money") as error:
        ps.encode(Money(1, "EUR"))
    assert "register_codec" in error.value.help
    ps.register_codec(Money, "test.money", lambda m: [m.amount, m.currency], lambda payload: Money(*payload))
    value = {"price": Money(5, "EUR"), "list": [Money(1, "USD")]}
    assert ps.decode(ps.encode(value)) == value
    assert ps.encode(value) == _core.encode_by_value(value)
    with pytest.raises(ValueError, match="registered already"):
        ps.register_codec(Money, "test.other", list, list)
    with pytest.raises(ValueError, match="registered already"):
        ps.register_codec(Clumsy, "test.money", list, list)
    unknown = ps.encode(Money(5, "EUR")).replace(b"test.money", b"test.honey")
    with pytest.raises(ps.FailedPreconditionError, match="type=test.honey"):
        ps.decode(unknown)


def test_codecs_that_misbehave():
    shared = [1, 2, None, 4]

    def clumsy(obj):
        if obj.deed == "raise":
            raise RuntimeError("cannot")
        if obj.deed == "clear":
            shared.clear()
            return None
        if obj.deed == "nest":
            return ps.encode({"inner": [1, 2]})
        return obj

    class Doer:
        def __init__(self, deed):
            self.deed = deed

    ps.register_codec(Doer, "test.doer", clumsy, lambda payload: payload)
    with pytest.raises(ps.InvalidArgumentError, match="cannot"):
        ps.encode([Doer("raise")])
    with pytest.raises(ps.ResourceExhaustedError):
        ps.encode(Doer("itself"))
    assert ps.decode(ps.decode(ps.encode([Doer("nest"), 1]))[0]) == {"inner": [1, 2]}
    shared[2] = Doer("clear")
    with pytest.raises(ps.InvalidArgumentError):
        ps.encode(shared)


def test_decoding_leaves_the_collector_as_it_was():
    assert gc.isenabled()
    ps.decode(b"\x80")
    assert gc.isenabled()
    gc.disable()
    try:
        ps.decode(b"\x80")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_no_reference_is_lost_or_kept():
    value = {"key one": [1.5, "text of some length", {"inner": (None, True)}], "bytes": b"123"}
    data = ps.encode(value)

    def many():
        for _ in range(2000):
            ps.decode(ps.encode(value))
            for bad in (data[:-1], data + b"\0", b"\xff", b"\xa1\x01\x02"):
                with pytest.raises(ps.DataLossError):
                    ps.decode(bad)

    many()
    before = sys.getallocatedblocks()
    many()
    assert sys.getallocatedblocks() - before < 500


def test_digests_from_many_threads():
    arrays = [numpy.full(2_000_000, n, dtype=numpy.uint8) for n in range(4)]
    expected = [ps.digest(array) for array in arrays]
    failures = []

    def work(n):
        for _ in range(10):
            if ps.digest(arrays[n]) != expected[n]:
                failures.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(set(expected)) == 4


def test_large_records():
    events = [{"id": n, "name": f"event {n}", "value": n / 8, "ok": n % 2 == 0} for n in range(5000)]
    assert ps.decode(ps.encode(events)) == events
    wide = {f"column {n}": list(range(n % 7)) for n in range(5000)}
    assert ps.decode(ps.encode(wide)) == wide
    assert ps.encode(wide) == _core.encode_by_value(wide)
    assert pickle.loads(pickle.dumps(ps.decode(ps.encode(tuple(range(3000)))))) == tuple(range(3000))
