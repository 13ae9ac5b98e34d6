"""penstock._core.Serializer and the codecs that come with the package: answers, memory, bad input."""

import dataclasses
import datetime
import decimal
import enum
import gc
import mmap
import os
import pathlib
import subprocess
import sys
import threading
import tracemalloc
import typing
import uuid
import zoneinfo

import numpy
import pyarrow
import pytest

import penstock as ps
from penstock import _codecs, _core, reference

SERIALIZER = _core.Serializer()
LONG = numpy.arange(100_000.0)


def address(array):
    return array.__array_interface__["data"][0]


def round_trip(value, serializer=SERIALIZER):
    return serializer.deserialize(serializer.serialize(value))


# ---- messages


def test_short_values_are_their_canonical_encoding():
    for value in (None, 2**80, [1.5, "x"], {"b": (1,), "a": b"\0"}, {3, 1}, numpy.arange(5), pyarrow.table({"a": [1, None]})):
        message = SERIALIZER.serialize(value)
        assert type(message) is bytes and message == ps.encode(value)


def test_a_long_message_without_long_data_is_still_the_encoding():
    value = [f"text number {n}" for n in range(10_000)]
    message = SERIALIZER.serialize(value)
    assert isinstance(message, memoryview) and message.readonly
    assert bytes(message) == ps.encode(value)
    assert SERIALIZER.deserialize(message) == value


def test_arrays_are_views_of_the_message_and_keep_it():
    message = SERIALIZER.serialize({"a": LONG, "b": [LONG[:9_000]]})
    start, size = address(numpy.frombuffer(message, "u1")), len(message)
    back = SERIALIZER.deserialize(message)
    for array in (back["a"], back["b"][0]):
        assert start < address(array) < start + size
        assert address(array) % 64 == 0 and not array.flags.writeable
    del message
    gc.collect()
    others = [SERIALIZER.serialize(LONG + n) for n in range(4)]  # would take the memory if it were free
    assert numpy.array_equal(back["a"], LONG) and len(others) == 4


def test_memory_comes_back_when_the_last_view_dies():
    message = SERIALIZER.serialize(LONG)
    where = address(numpy.frombuffer(message, "u1"))
    view = SERIALIZER.deserialize(message)[10:20]
    del message
    assert address(numpy.frombuffer(kept := SERIALIZER.serialize(LONG), "u1")) != where
    del view, kept
    again = [SERIALIZER.serialize(LONG) for _ in range(2)]
    assert where in [address(numpy.frombuffer(message, "u1")) for message in again]


def test_buffers_beside_the_header_are_not_copied():
    value = {"x": LONG, "text": "t", "blob": bytes(70_000)}
    header, buffers = SERIALIZER.serialize_buffers(value)
    assert type(header) is bytes and len(header) < 300
    assert [len(buffer) for buffer in buffers] == [LONG.nbytes, 70_000]  # shorter keys are first
    assert address(numpy.frombuffer(buffers[0], "u1")) == address(LONG)
    back = SERIALIZER.deserialize_buffers(header, buffers)
    assert address(back["x"]) == address(LONG) and back["blob"] == value["blob"]
    copies = [bytes(buffer) for buffer in buffers]
    assert numpy.array_equal(SERIALIZER.deserialize_buffers(header, tuple(copies))["x"], LONG)


def test_a_buffer_outlives_what_it_was_taken_from():
    array = LONG.copy()
    _, (buffer,) = SERIALIZER.serialize_buffers([array])
    references = sys.getrefcount(array)
    del array
    gc.collect()
    assert references == 3 and bytes(buffer) == LONG.tobytes()
    header, buffers = SERIALIZER.serialize_buffers([LONG.copy()])
    back = SERIALIZER.deserialize_buffers(header, buffers)
    for view in buffers:
        view.release()
    assert numpy.array_equal(back[0], LONG)


@pytest.mark.parametrize("offset", range(1, 9))
def test_a_message_anywhere_in_memory(offset):
    value = {"a": LONG, "t": pyarrow.table({"a": LONG})}
    memory = bytearray(offset) + SERIALIZER.serialize(value)
    back = SERIALIZER.deserialize(memoryview(memory)[offset:])
    assert back["a"].flags.aligned and numpy.array_equal(back["a"], LONG)
    assert back["t"].equals(value["t"])


def test_layouts_and_tables():
    square = LONG.reshape(100, 1000)
    for array in (square.T, square[::-1], square[:, ::2], square.astype(">f8"), numpy.broadcast_to(LONG, (3, 100_000))):
        back = round_trip(array)
        assert numpy.array_equal(back, array) and back.dtype == numpy.float64
    table = pyarrow.table({"a": LONG, "b": pyarrow.array([None, "x"] * 50_000)})
    chunked = pyarrow.concat_tables([table[:3], table[3:]])
    assert round_trip(table).equals(table)
    assert bytes(SERIALIZER.serialize(chunked)) == bytes(SERIALIZER.serialize(table))
    header, buffers = SERIALIZER.serialize_buffers(table)
    assert SERIALIZER.deserialize_buffers(header, buffers).equals(table)
    assert address(numpy.frombuffer(buffers[0], "u1")) == table["a"].chunk(0).buffers()[1].address


def test_batches():
    values = [1, {"a": LONG}, None]
    messages = SERIALIZER.serialize_batch(iter(values))
    assert [bytes(m) for m in messages] == [bytes(SERIALIZER.serialize(v)) for v in values]
    back = SERIALIZER.deserialize_batch(tuple(messages))
    assert back[0] == 1 and back[2] is None and numpy.array_equal(back[1]["a"], LONG)
    with pytest.raises(ps.DataLossError):
        SERIALIZER.deserialize_batch([messages[0], b"\xff"])
    with pytest.raises(ps.InvalidArgumentError):
        SERIALIZER.serialize_batch([1, object()])


def test_a_frame_is_no_encoding_and_the_other_way_round():
    message = bytes(SERIALIZER.serialize(LONG))
    with pytest.raises(ps.DataLossError):
        ps.decode(message)
    blocks = {}
    with pytest.raises(ps.FailedPreconditionError, match="no block store"):
        SERIALIZER.deserialize(ps.encode(LONG, blocks))
    for bad in (b"", b"\xd9", message[:23], message[:-1], message + b"\0", message[:100] + b"\1" + message[101:]):
        with pytest.raises(ps.DataLossError, match=r"^invalid "):
            SERIALIZER.deserialize(bad)
    arrow = ["arrow", [], [], []]
    root = ps.encode({"$penstock": arrow}).replace(b"\x82cmap\x81\x82i$penstock", b"", 1)
    with pytest.raises(ps.DataLossError, match="form=arrow"):
        SERIALIZER.deserialize_buffers(root, [])


def test_wrong_arguments():
    for call in (
        lambda: SERIALIZER.serialize(),
        lambda: SERIALIZER.deserialize("text"),
        lambda: SERIALIZER.deserialize_buffers(b"\1"),
        lambda: SERIALIZER.deserialize_buffers(b"\1", 3),
        lambda: SERIALIZER.deserialize_buffers(b"\1", [3]),
        lambda: _core.Serializer(3),
        lambda: _core.Serializer([3]),
        lambda: _core.Serializer([dict]),
        lambda: _core.Serializer(other=1),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(BufferError):
        SERIALIZER.deserialize(memoryview(b"abcd")[::2])


def test_no_reference_is_lost_or_kept():
    value = {"a": LONG, "s": {1, (2, "x")}, "d": {1: datetime.date(2020, 1, 2)}}
    message = SERIALIZER.serialize(value)

    def many():
        for _ in range(300):
            round_trip(value)
            SERIALIZER.deserialize_buffers(*SERIALIZER.serialize_buffers(value))
            for bad in (message[:-1], bytes(message[:70]) + b"\xff" + bytes(message[71:])):
                with pytest.raises(ps.DataLossError):
                    SERIALIZER.deserialize(bad)
            with pytest.raises(ps.InvalidArgumentError):
                SERIALIZER.serialize([LONG, {1, object()}])

    many()
    gc.collect()
    references, before = sys.getrefcount(LONG), sys.getallocatedblocks()
    many()
    gc.collect()
    assert sys.getrefcount(LONG) == references and sys.getallocatedblocks() - before < 300


def test_from_many_threads():
    values = [{"n": n, "a": LONG + n, "s": {n, n + 1}} for n in range(8)]
    failures = []

    def work(value):
        for _ in range(30):
            back = round_trip(value)
            if back["n"] != value["n"] or back["s"] != value["s"] or not numpy.array_equal(back["a"], value["a"]):
                failures.append(value["n"])

    threads = [threading.Thread(target=work, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_in_a_forked_process():
    message = SERIALIZER.serialize({"a": LONG})
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = numpy.array_equal(SERIALIZER.deserialize(message)["a"], LONG)
            good = good and numpy.array_equal(round_trip(LONG + 1), LONG + 1)
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# ---- too much


def test_what_no_memory_holds_is_refused():
    huge = numpy.broadcast_to(numpy.float64(1), (1 << 27, 1 << 27))
    for call in (SERIALIZER.serialize, SERIALIZER.serialize_buffers):
        with pytest.raises(ps.ResourceExhaustedError, match="size_bytes="):
            call([huge])


def test_a_sparse_file_beyond_the_memory(tmp_path):
    """In one piece it is refused; beside the header it goes as it lies."""
    size = 4 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(size)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
        array = numpy.frombuffer(memory, "u1")
        with pytest.raises(ps.ResourceExhaustedError, match="longer than this machine's memory"):
            SERIALIZER.serialize(array)
        header, buffers = SERIALIZER.serialize_buffers(array)
        back = SERIALIZER.deserialize_buffers(header, buffers)
        assert len(back) == size and back[-1] == 0
        del array, buffers, back


def test_cycles_and_depths():
    loop = []
    loop.append(loop)
    for value in (loop, {"a": loop}, (loop, LONG)):
        with pytest.raises(ps.ResourceExhaustedError, match="limit=256"):
            SERIALIZER.serialize(value)
    deep = 1
    for _ in range(128):
        deep = frozenset([deep])  # two levels each: the form, and its list
    assert round_trip(deep) == deep
    for value in ([deep], {1: deep}, frozenset([deep])):
        with pytest.raises(ps.ResourceExhaustedError, match="limit=256"):
            SERIALIZER.serialize(value)


TUPLE = "a1 69 24 70656e73746f636b 82 65 7475706c65 "


@pytest.mark.parametrize("claim", ["99 03ff", "9a 00010000", "b9 0100 61 61", "b0 61 61", TUPLE + "99 0100"])
def test_counts_that_nobody_keeps_take_little_memory(claim):
    """Containers in containers, each of which claims what is left of the input."""
    head = bytes.fromhex(claim)
    message = head * 250 + b"\xff" + bytes(70_000)
    for _ in range(2):  # the first error imports what makes errors
        tracemalloc.start()
        try:
            SERIALIZER.deserialize(message)
        except ps.DataLossError as error:
            peak = tracemalloc.get_traced_memory()[1]
            assert "indefinite length" in str(error)
        tracemalloc.stop()
    assert peak < 4 * len(message) + 100_000


# ---- sets, and maps with any keys


def test_sets_are_in_order_whatever_their_own_order_is():
    numbers = list(range(0, 5000, 7))
    assert ps.encode(set(numbers)) == ps.encode(set(reversed(numbers))) == _core.encode_by_value(set(numbers))
    assert ps.encode({1, 2}) != ps.encode(frozenset({1, 2})) != ps.encode([1, 2])
    for value in ({"a", 1, None, (2, 3), b"x"}, frozenset(), set(), {frozenset({1}), frozenset()}, {-1, 2**70, 1.5}):
        back = ps.decode(ps.encode(value))
        assert back == value and type(back) is type(value)
        assert _core.decode_by_value(ps.encode(value)) == value


def test_maps_with_any_keys():
    value = {1: "a", None: {True: 2, "t": [3]}, (1, "x"): {b"b": {2.5: None}}, "text": 1}
    assert ps.encode(value) == ps.encode(dict(reversed(value.items()))) == _core.encode_by_value(value)
    assert ps.decode(ps.encode(value)) == value == _core.decode_by_value(ps.encode(value))
    assert ps.decode(ps.encode({n: n for n in range(1000)})) == {n: n for n in range(1000)}
    blocks = {}
    long = {1: LONG, 2: b"x" * 70_000}
    assert numpy.array_equal(ps.decode(ps.encode(long, blocks), blocks)[1], LONG)


def ext(name, *items):
    return ps.encode({"$penstock": ["ext", name, *items]}).replace(b"\x82cmap\x81\x82i$penstock", b"", 1)


def test_collections_that_are_not_canonical():
    for name, payload, message in [
        ("python.set", [2, 1], "not in order"),
        ("python.set", [1, 1], "not unique"),
        ("python.set", [1, 1.0], "two items or keys are equal"),
        ("python.set", [[]], "not hashable"),
        ("python.set", {"a": 1}, "wanted a list"),
        ("python.dict", [["a", 1]], "wanted a plain map"),
        ("python.dict", [], "wanted a plain map"),
        ("python.dict", [[1, 2], [True, 3]], "equal"),
        ("python.dict", [[2, 2], [1, 3]], "not in order"),
        ("python.dict", [[1, 2, 3]], "wanted"),
    ]:
        for decode in (ps.decode, _core.decode_by_value, SERIALIZER.deserialize):
            with pytest.raises(ps.DataLossError, match=message):
                decode(ext(name, payload))
    for value in ({b"x" * 70_000}, {LONG.tobytes(): 1, 2: 2}):
        for encode in (ps.encode, _core.encode_by_value, SERIALIZER.serialize):
            with pytest.raises(ps.InvalidArgumentError, match="more than 65536 bytes"):
                encode(value)
    with pytest.raises(ps.InvalidArgumentError, match="same encoding"):
        ps.encode({float("nan"), float("nan")})


# ---- shipped codecs

ZONE = zoneinfo.ZoneInfo("Europe/Vienna")
SHIPPED = [
    1 - 2j,
    complex(-0.0, float("inf")),
    range(3, 30, 4),
    datetime.date(2024, 2, 29),
    datetime.time(1, 2, 3, 4, tzinfo=datetime.UTC),
    datetime.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZONE),
    datetime.datetime(1, 1, 1),
    datetime.timedelta(days=-1, microseconds=1),
    datetime.timezone(datetime.timedelta(hours=5, minutes=45), "NPT"),
    ZONE,
    decimal.Decimal("1.500"),
    decimal.Decimal("-0E+7"),
    uuid.UUID(int=7),
    pathlib.Path("a/b"),
    pathlib.PureWindowsPath("c:/x"),
]


@pytest.mark.parametrize("value", SHIPPED, ids=[f"{type(v).__name__}-{n}" for n, v in enumerate(SHIPPED)])
def test_types_of_the_library(value):
    data = ps.encode({"deep": [value]})
    assert data == _core.encode_by_value({"deep": [value]})
    for back in (ps.decode(data), _core.decode_by_value(data), round_trip({"deep": [value]})):
        found = back["deep"][0]
        assert type(found) is type(value) and found == value and repr(found) == repr(value)
        assert getattr(found, "fold", 0) == getattr(value, "fold", 0)


@pytest.mark.parametrize(
    "name, payload",
    [
        ("python.complex", [1, 2]),
        ("python.range", [1, 2, 0]),
        ("python.date", [2023, 2, 29]),
        ("python.date", "2023"),
        ("python.time", [1, 2, 3, 4, 2, None]),
        ("python.datetime", [2020, 1, 1, 0, 0, 0, 0, 0, "UTC"]),
        ("python.timedelta", [0, 86_400, 0]),
        ("python.timezone", [2, 0, 0, None]),
        ("python.zoneinfo", "../../etc/passwd"),
        ("python.decimal", " 1"),
        ("python.decimal", "x"),
        ("python.uuid", b"short"),
        ("python.path", ["posix", "a//b"]),
        ("python.path", ["other", "a"]),
        ("pillow.image", ["RGB", 1 << 30, 1 << 30, b"", None]),
    ],
)
def test_payloads_that_do_not_fit(name, payload):
    with pytest.raises(ps.DataLossError, match=f"invalid encoding: {name}: "):
        ps.decode(ext(name, payload))


def test_what_is_not_here_or_has_no_form():
    with pytest.raises(ps.FailedPreconditionError, match="key=Mars/Olympus"):
        ps.decode(ext("python.zoneinfo", "Mars/Olympus"))

    class Stamp(datetime.datetime):
        """Might hold more than its base."""

    for value in (Stamp(2020, 1, 1), slice(1), ..., object(), iter([])):
        with pytest.raises(ps.InvalidArgumentError, match="no codec"):
            ps.encode(value)
    with pytest.raises(ps.InvalidArgumentError, match="surrogate"):
        ps.encode(pathlib.Path(os.fsdecode(b"\xff")))


def test_nothing_is_imported_before_it_is_needed():
    code = """
import sys
import penstock as ps
heavy = {"datetime", "decimal", "uuid", "pathlib", "zoneinfo", "PIL", "pydantic", "dataclasses", "numpy"}
before = heavy & set(sys.modules)
ps.encode([1, {2, 3}, {4: 5}, 1j])
ps.decode(ps.encode([1j, {2}, {3: 4}]))
assert heavy & set(sys.modules) <= before, heavy & set(sys.modules) - before
print("ok")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "ok\n", done.stderr


def test_the_name_of_a_users_codec_cannot_be_ours():
    class Mine:
        pass

    with pytest.raises(ValueError, match="Penstock's own"):
        ps.register_codec(Mine, "python.set", list, list)


# ---- classes of the user


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float = 0.0

    def __post_init__(self):
        CALLS.append("post init")


@dataclasses.dataclass
class Track:
    name: str
    points: list[Point] = dataclasses.field(default_factory=list)
    length: float = dataclasses.field(init=False, default=0.0)


class Colour(enum.Enum):
    RED = "r"
    BLUE = (1, 2)
    ALSO_RED = "r"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Size(typing.NamedTuple):
    width: int
    height: int


CALLS = []
TYPES = [Point, Track, Colour, Right, Size]


def test_classes_of_one_serializer():
    own = _core.Serializer(types=TYPES)
    track = Track("a", [Point(1.0), Point(2.0, 3.0)])
    track.length = 4.5
    for value in (track, Colour.BLUE, Colour.ALSO_RED, Right.READ | Right.WRITE, Right(0), Size(1, 2)):
        data = own.serialize([value])
        CALLS.clear()
        (back,) = own.deserialize(data)
        assert back == value and type(back) is type(value)
        assert not CALLS  # no code of the class has run
        with pytest.raises(ps.FailedPreconditionError, match="nobody registered here: type=test_serializer"):
            SERIALIZER.deserialize(data)
    assert ps.encode(Size(1, 2)) == ps.encode((1, 2)) != own.serialize(Size(1, 2))


@pytest.mark.parametrize("value", [Point(1.0), Colour.RED, Right.READ])
def test_a_class_that_nobody_registered(value):
    for encode in (ps.encode, _core.encode_by_value, SERIALIZER.serialize):
        with pytest.raises(ps.InvalidArgumentError, match=f"type={type(value).__name__}") as raised:
            encode(value)
        assert raised.value.id == "PS0403"
        assert raised.value.help.endswith(f"penstock.register_type({type(value).__name__})")


def test_classes_of_the_process():
    @ps.register_type
    @dataclasses.dataclass
    class Local:
        a: int

    @dataclasses.dataclass
    class Named:
        b: int

    assert ps.register_type(Named, name="test.named") is Named
    for value in (Local(1), Named(2)):
        assert ps.decode(ps.encode({"v": value})) == {"v": value} == _core.decode_by_value(_core.encode_by_value({"v": value}))
    assert b"test.named" in ps.encode(Named(2))
    with pytest.raises(ValueError, match="registered already"):
        ps.register_type(Local)
    for wrong in (dict, 3, object):
        with pytest.raises(TypeError, match="wanted a dataclass"):
            ps.register_type(wrong)
    for payload in ({}, {"b": 1, "c": 2}, [1], None):
        with pytest.raises(ps.DataLossError, match="test.named: wanted a map with the fields b"):
            ps.decode(ext("test.named", payload))


def test_a_message_cannot_name_what_is_to_be_run():
    for name in ("os.system", "builtins.eval", "subprocess.Popen", "test_serializer.Point", "penstock._codecs.register_type"):
        with pytest.raises(ps.FailedPreconditionError, match="nobody registered"):
            ps.decode(ext(name, ["true"]))
    own = _core.Serializer(TYPES)
    with pytest.raises(ps.DataLossError, match="the name of a member"):
        own.deserialize(ext("test_serializer.Colour", "__class__"))


def test_own_codecs_go_before_those_of_the_process():
    own = _core.Serializer([(datetime.date, "test.day", lambda d: d.toordinal(), datetime.date.fromordinal)])
    day = datetime.date(2020, 1, 1)
    assert b"test.day" in own.serialize(day) and own.deserialize(own.serialize(day)) == day
    assert b"python.date" in SERIALIZER.serialize(day)
    with pytest.raises(ValueError, match="two codecs"):
        _core.Serializer([Point, Point])
    assert own.backend == "native" and reference.Serializer(TYPES).backend == "reference"


def test_the_table_of_codecs_is_whole():
    names = {name for name, *_ in _codecs._SHIPPED} | {"pillow.image"}
    assert names == set(_codecs._READERS)
    page = (pathlib.Path(__file__).parents[2] / "docs/formats/value-encoding.md").read_text()
    assert not [name for name in names if f"`{name}`" not in page]
