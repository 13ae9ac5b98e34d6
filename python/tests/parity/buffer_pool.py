"""Programs of a buffer pool: the same calls, the same answers, the same books."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from parity import Case, backend_of, outcome

_which = st.integers(0, 5)
_steps = st.one_of(
    st.tuples(st.sampled_from(["acquire", "acquire", "lend", "foreign", "wrong"])),
    st.tuples(st.sampled_from(["release", "release", "part", "drop", "look", "unlook", "end", "write"]), _which),
)
_counts = st.one_of(st.integers(1, 4), st.sampled_from([0, -1, 2**62, 2**62 + 1, 2**70]))
_programs = st.tuples(
    st.one_of(st.integers(1, 5000), st.sampled_from([0, -3, 2**63])),
    st.one_of(st.integers(0, 3), st.sampled_from([-1, 2**64])),
    st.one_of(st.none(), _counts),
    st.lists(_steps, max_size=25),
)


def _step(pool: Any, views: list, looks: list, step: tuple) -> Any:
    name, at = step[0], step[1] if len(step) > 1 else 0
    if name == "acquire":
        views.append(pool.acquire())
        return views[-1].nbytes, views[-1].readonly, views[-1].format
    if name == "lend":
        with pool.lend() as view:
            view[0] = 1
            return view.nbytes
    if name == "foreign":
        return pool.release(memoryview(bytearray(3)))
    if name == "wrong":
        return pool.release([])
    if name == "unlook":
        return bool(looks) and looks.pop(at % len(looks)) is None
    if not views:
        return None
    view = views[at % len(views)]
    if name == "release":
        return pool.release(view)
    if name == "part":
        return pool.release(view[:1])
    if name == "end":
        return view.release()
    if name == "look":
        return looks.append(view[1:])
    if name == "write":
        view[-1] = 7
        return view[-1]
    del views[at % len(views)]  # "drop": nobody gives it back
    return None


def _run(backend: str, program: Any) -> Any:
    size, max_pooled, max_out, steps = program
    made = outcome(backend_of(backend).BufferPool, size, max_pooled, max_out)
    if made[0] == "raises":
        return made
    pool = made[1]
    views: list = []
    looks: list = []
    seen = []
    for step in steps:
        seen.append((step, outcome(_step, pool, views, looks, step), pool.statistics(), pool.pool_size))
    return pool.buffer_size, pool.max_pooled, pool.max_out, seen


@contextmanager
def _hands_out_too_early():
    from penstock.reference import buffer_pool

    kept = buffer_pool._unused
    buffer_pool._unused = lambda buffers: kept(buffers) or list(buffers)[:1]
    try:
        yield
    finally:
        buffer_pool._unused = kept


@contextmanager
def _keeps_one_more():
    from penstock.reference.buffer_pool import BufferPool

    kept = BufferPool.__init__

    def init(self, *args: Any) -> None:
        kept(self, *args)
        self.max_pooled += 1

    BufferPool.__init__ = init
    try:
        yield
    finally:
        BufferPool.__init__ = kept


CASES = [
    Case(
        "buffer_pool",
        _programs,
        _run,
        [("hands out a buffer that is looked at", _hands_out_too_early), ("keeps one too many", _keeps_one_more)],
        covers=("BufferPool",),
    )
]
