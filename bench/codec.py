"""Encode and decode one 5-key event, and a list of 1,000 of them, as DAG-CBOR from Python.

Peers: libipld (Rust) and dag-cbor (Python). The answer is the encoding itself, as hex of its first bytes and SHA-256:
all three write the same canonical bytes. One sample is many encode + decode pairs.
"""

import hashlib
import time

import harness

EVENT = {"id": 2**40 + 7, "node_id": "threshold", "signal": "value", "epoch": [3, ["months", 11]], "value": 0.25}
MANY = [EVENT | {"id": 2**40 + k, "value": k / 8} for k in range(1_000)]
CASES = {"one": (EVENT, 20_000), "many": (MANY, 10)}


def timed(encode, decode, case):
    value, repeats = CASES[case]

    def sample():
        start = time.perf_counter()
        for _ in range(repeats):
            data = encode(value)
            back = decode(data)
        seconds = (time.perf_counter() - start) / repeats
        return seconds, hashlib.sha256(data).hexdigest() if back == value else False

    return sample


def ours(case):
    def side(stack):
        import penstock as ps

        return timed(ps.encode, ps.decode, case)

    return side


def libipld(case):
    def side(stack):
        import libipld

        return timed(libipld.encode_dag_cbor, libipld.decode_dag_cbor, case)

    return side


def dag_cbor(case):
    def side(stack):
        import dag_cbor

        return timed(dag_cbor.encode, dag_cbor.decode, case)

    return side


ours_one, ours_many = ours("one"), ours("many")
libipld_one, libipld_many = libipld("one"), libipld("many")
dag_cbor_one, dag_cbor_many = dag_cbor("one"), dag_cbor("many")


def rows(pairs):
    made = []
    for case, what in (("one", "encode + decode a 5-key event"), ("many", "encode + decode 1,000 events")):
        for peer in ("libipld", "dag_cbor"):
            with (
                harness.python_side("codec", f"ours_{case}") as side,
                harness.python_side("codec", f"{peer}_{case}", harness.PEERS) as other,
            ):
                measured = harness.paired(side, other, pairs)
            made.append(harness.bar_row(what, measured, scale=1e6, unit="us", peer_name=peer, at_least_ratio=1))
    return made
