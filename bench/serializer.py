"""Serializer against pickle 5, marshal, msgspec, ormsgpack and libipld: plain values, and a 64 MiB array.

The event is what an event store gives: {id, node_id, signal, epoch, value, timestamp}. A sample is many calls; the
answer is the value that comes back (a digest of it), which both sides must have right. pickle and marshal share equal
key objects within a message, which the event lists give them. The array goes in one piece (in band: our side writes
into recycled memory and reads by a view, pickle copies twice) and with its buffer apart. What is not measured: size,
peak memory, several threads.
"""

import hashlib
import json
import random
import time

import harness

EVENT = {"id": 2**40 + 7, "node_id": "threshold", "signal": "value", "epoch": 11, "value": 0.25, "timestamp": 1_700_000_000.25}
ARRAY_BYTES = 64 << 20


def many():
    return [EVENT | {"id": 2**40 + k, "epoch": k, "value": k / 8, "timestamp": EVENT["timestamp"] + k} for k in range(1_000)]


def deep():
    """The events of a tube with maps: their epoch is a path."""
    return [event | {"epoch": [event["epoch"], ["months", k % 12]]} for k, event in enumerate(many())]


def floats():
    numbers = random.Random(1)
    return [numbers.uniform(-1e3, 1e3) for _ in range(100_000)]


def nested():
    """About 1 MB: maps of maps, lists of numbers, short and long texts."""
    numbers = random.Random(2)
    return {
        f"sensor-{i:04d}": {
            "name": f"unit {i} of the line",
            "position": {"x": numbers.random(), "y": numbers.random(), "floor": i % 7},
            "readings": [numbers.randrange(1 << 20) for _ in range(60)],
            "tags": ["a", "b", f"t{i % 50}"],
            "labels": {f"k{j}": f"value {i * j}" for j in range(15)},
            "ok": i % 3 == 0,
            "note": None if i % 2 else "checked by hand, " * 4,
            "limits": [numbers.random() for _ in range(30)],
        }
        for i in range(1_000)
    }


CASES = {"event": (lambda: EVENT, 20_000), "many": (many, 20), "deep": (deep, 20), "floats": (floats, 10), "nested": (nested, 5)}


def functions(name):
    """(encode, decode) of a library."""
    if name == "ours":
        from penstock.accelerate import Serializer

        one = Serializer()
        return one.serialize, one.deserialize
    if name == "msgspec":
        import msgspec

        return msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode
    if name == "ormsgpack":
        import ormsgpack

        return ormsgpack.packb, ormsgpack.unpackb
    if name == "libipld":
        import libipld

        return libipld.encode_dag_cbor, libipld.decode_dag_cbor
    if name == "marshal":
        import marshal

        return marshal.dumps, marshal.loads
    import pickle

    return lambda value: pickle.dumps(value, 5), pickle.loads


def plain_side(name, case, deed):
    make, repeats = CASES[case]
    value = make()
    encode, decode = functions(name)
    data = encode(value)
    function, argument = (encode, value) if deed == "encode" else (decode, data)

    def sample():
        start = time.perf_counter()
        for _ in range(repeats):
            made = function(argument)
        seconds = (time.perf_counter() - start) / repeats
        back = decode(made) if deed == "encode" else made
        # The order of keys is the encoding's own affair.
        return seconds, hashlib.sha256(json.dumps(back, sort_keys=True).encode()).hexdigest()

    return sample


def array_side(name, apart, deed):
    import numpy

    array = numpy.arange(ARRAY_BYTES // 8, dtype=numpy.float64)
    if name == "ours":
        from penstock.accelerate import Serializer

        one = Serializer()
        encode, decode = (one.serialize_buffers, lambda pair: one.deserialize_buffers(*pair)) if apart else (one.serialize, one.deserialize)
    else:
        import pickle

        def encode(value):
            if not apart:
                return pickle.dumps(value, 5)
            buffers = []
            return pickle.dumps(value, 5, buffer_callback=buffers.append), buffers

        def decode(data):
            return pickle.loads(data[0], buffers=data[1]) if apart else pickle.loads(data)

    repeats = 20_000 if apart else (2_000 if name == "ours" and deed == "decode" else 3)
    data = encode(array)
    function, argument = (encode, array) if deed == "encode" else (decode, data)

    def sample():
        start = time.perf_counter()
        for _ in range(repeats):
            made = function(argument)
        seconds = (time.perf_counter() - start) / repeats
        back = decode(made) if deed == "encode" else made
        return seconds, [back.shape[0], str(back.dtype), bool(numpy.array_equal(back, array))]

    return sample


LIBRARIES = ("ours", "pickle", "marshal", "msgspec", "ormsgpack", "libipld")
DEEDS = ("encode", "decode")
# Sides for bench/serve.py, which knows them by name.
for _name in LIBRARIES:
    for _deed in DEEDS:
        for _case in CASES:
            globals()[f"{_name}_{_case}_{_deed}"] = lambda stack, key=(_name, _case, _deed): plain_side(*key)
        for _apart in (False, True):
            globals()[f"{_name}_array{_apart}_{_deed}"] = lambda stack, key=(_name, _apart, _deed): array_side(*key)


def compared(what, function, peer, pairs, **bars):
    with (
        harness.python_side("serializer", f"ours_{function}") as side,
        harness.python_side("serializer", f"{peer}_{function}", harness.PEERS) as other,
    ):
        return harness.bar_row(what, harness.paired(side, other, pairs), scale=1e6, unit="us", peer_name=peer, **bars)


def rows(pairs):
    made = []
    for deed, limit in (("encode", 0.15), ("decode", 0.35)):
        for peer in LIBRARIES[1:]:
            made.append(compared(f"{deed} an event", f"event_{deed}", peer, pairs, at_most=limit, at_least_ratio=1.3))
    for deed, ratio in (("encode", 2), ("decode", 1.3)):
        made.append(compared(f"{deed} 1,000 events", f"many_{deed}", "pickle", pairs, at_least_ratio=ratio))
        for peer in LIBRARIES[2:]:
            made.append(compared(f"{deed} 1,000 events", f"many_{deed}", peer, pairs))
        made.append(compared(f"{deed} 1,000 events whose epochs are paths", f"deep_{deed}", "pickle", pairs))
    for case, what in (("floats", "100,000 floats"), ("nested", "a nested dict of 1 MB")):
        for deed in DEEDS:
            made.append(compared(f"{deed} {what}", f"{case}_{deed}", "pickle", pairs, at_least_ratio=1))
            for peer in LIBRARIES[2:]:
                made.append(compared(f"{deed} {what}", f"{case}_{deed}", peer, pairs))
    for apart, what, limit, ratio in ((False, "in band", 4_000, 6), (True, "out of band", 1, 2)):
        for deed in DEEDS:
            bars = {"at_most": limit, "at_least_ratio": ratio}
            made.append(compared(f"{deed} 64 MiB array {what}", f"array{apart}_{deed}", "pickle", pairs, **bars))
    return made
