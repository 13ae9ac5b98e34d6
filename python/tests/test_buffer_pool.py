"""BufferPool: writable memoryviews that are used again, on both backends."""

import ctypes
import gc
import os
import pickle
import resource
import sys
import threading

import numpy
import pytest

import penstock as ps
from penstock import _core, reference

MIB = 1 << 20


@pytest.fixture(params=[_core, reference], ids=["native", "reference"])
def backend(request):
    return request.param


def balanced(pool):
    numbers = pool.statistics()
    assert numbers["acquired"] == numbers["released"] + numbers["dropped"] + numbers["out"], numbers
    assert numbers["acquired"] == numbers["hits"] + numbers["allocated"], numbers
    held = numbers["pool_size"] + numbers["out"] + numbers["lingering"]
    assert numbers["allocated"] == numbers["freed"] + held, numbers
    assert pool.pool_size == numbers["pool_size"]
    return numbers


def test_a_buffer_is_writable_memory_that_comes_back(backend):
    pool = backend.BufferPool(4096, 2)
    assert (pool.buffer_size, pool.max_pooled, pool.max_out, pool.pool_size) == (4096, 2, None, 0)
    assert pool.backend == {_core: "native", reference: "reference"}[backend]
    view = pool.acquire()
    assert (view.nbytes, view.format, view.ndim, view.readonly, view.contiguous) == (4096, "B", 1, False, True)
    view[:3] = b"abc"
    address = numpy.frombuffer(view, "u1").ctypes.data
    pool.release(view)
    again = pool.acquire()
    assert numpy.frombuffer(again, "u1").ctypes.data == address
    assert bytes(again[:3]) == b"abc", "the same memory, not cleared and not copied"
    pool.release(again)
    assert balanced(pool)["allocated"] == 1


def test_native_buffers_are_aligned():
    for size, border in ((100, 64), (MIB, 64), (2 * MIB, 2 * MIB), (5 * MIB, 2 * MIB)):
        view = _core.BufferPool(size, 1).acquire()
        assert numpy.frombuffer(view, "u1").ctypes.data % border == 0


def test_use_after_release_and_release_twice_are_refused(backend):
    pool = backend.BufferPool(64, 2)
    view = pool.acquire()
    pool.release(view)
    with pytest.raises(ValueError, match="operation forbidden on released memoryview object"):
        view[0] = 1
    with pytest.raises(ps.FailedPreconditionError, match="released already") as caught:
        pool.release(view)
    assert caught.value.id == "PS0462"
    assert balanced(pool)["released"] == 1


def test_what_is_no_buffer_of_the_pool_is_refused(backend):
    pool, other = backend.BufferPool(64, 2), backend.BufferPool(64, 2)
    view, foreign = pool.acquire(), other.acquire()
    for wrong in (foreign, view[:10], view[:], memoryview(view), memoryview(b"abc"), b"abc", None):
        with pytest.raises(ps.InvalidArgumentError) as caught:
            pool.release(wrong)
        assert caught.value.id == "PS0461"
    pool.release(view)
    other.release(foreign)
    balanced(pool)


def test_memory_that_somebody_looks_at_is_not_handed_out(backend):
    pool = backend.BufferPool(1000, 4)
    view = pool.acquire()
    array = numpy.frombuffer(view, "u1")
    part = view[10:20]
    pool.release(view)
    assert balanced(pool)["lingering"] == 1
    other = pool.acquire()
    other[:] = bytes(1000)
    array[:] = 255
    assert bytes(other) == bytes(1000), "what is written late is nobody's"
    del array
    assert balanced(pool)["lingering"] == 1
    assert part[0] == 255
    del part
    assert balanced(pool) | {"lingering": 0, "pool_size": 1} == balanced(pool)


def test_a_direct_export_holds_the_view_itself(backend):
    pool = backend.BufferPool(64, 4)
    view = pool.acquire()
    export = pickle.PickleBuffer(view)
    with pytest.raises(BufferError, match="memoryview has 1 exported buffer"):
        pool.release(view)
    assert balanced(pool)["out"] == 1
    export.release()
    pool.release(view)
    assert balanced(pool)["pool_size"] == 1


def test_no_new_view_of_native_memory_without_the_pool():
    view = _core.BufferPool(64, 4).acquire()
    owner = view.obj
    with pytest.raises(BufferError, match="take a view of the memoryview"):
        memoryview(owner)
    with pytest.raises(TypeError):
        type(owner)()


def test_with_gives_back_at_the_end(backend):
    pool = backend.BufferPool(64, 4)
    with pool.lend() as view:
        view[0] = 1
        assert balanced(pool)["out"] == 1
    with pytest.raises(ValueError, match="released"):
        view[0] = 1
    with pytest.raises(KeyError), pool.lend() as view:
        raise KeyError
    assert balanced(pool) | {"out": 0, "pool_size": 1} == balanced(pool)
    loan = pool.lend()
    with loan:
        pass
    with pytest.raises(ps.FailedPreconditionError, match="entered before"), loan:
        pass


def test_a_bound_on_buffers_out(backend):
    pool = backend.BufferPool(64, 4, max_out=2)
    first, second = pool.acquire(), pool.acquire()
    kept = first[1:]
    for _ in range(2):
        with pytest.raises(ps.ResourceExhaustedError, match="no buffer left") as caught:
            pool.acquire()
        assert caught.value.id == "PS0460"
        assert "max_out" in caught.value.help
        if not balanced(pool)["lingering"]:
            pool.release(first)  # still looked at
    assert str(caught.value) == "no buffer left: 1 of 2 are out, and 1 that were released are still looked at"
    del kept
    pool.release(pool.acquire())
    pool.release(second)
    balanced(pool)


def test_no_more_is_kept_than_asked(backend):
    pool = backend.BufferPool(64, 2)
    views = [pool.acquire() for _ in range(5)]
    for view in views:
        pool.release(view)
    assert balanced(pool) | {"pool_size": 2, "freed": 3} == balanced(pool)
    nothing = backend.BufferPool(64, 0)
    nothing.release(nothing.acquire())
    assert balanced(nothing) | {"pool_size": 0, "freed": 1} == balanced(nothing)


def test_a_buffer_that_nobody_gives_back_comes_back_by_itself(backend):
    pool = backend.BufferPool(64, 2)
    pool.acquire()[0] = 1
    assert balanced(pool) | {"dropped": 1, "out": 0, "pool_size": 1} == balanced(pool)


def test_buffers_outlive_their_pool(backend):
    pool = backend.BufferPool(3 * MIB, 2)
    view = pool.acquire()
    array = numpy.frombuffer(view, "u1")
    pool.release(pool.acquire())
    del pool
    gc.collect()
    view[-1] = 5
    assert array[-1] == 5


@pytest.mark.parametrize("arguments", [(0, 1), (-1, 1), (2**63, 1), (1, -1), (1, 1, 0), (1, 2**62 + 1)])
def test_numbers_out_of_range_are_refused(backend, arguments):
    with pytest.raises(ps.InvalidArgumentError, match=r"must be from . to 2\*\*62: "):
        backend.BufferPool(*arguments)
    with pytest.raises(TypeError):
        backend.BufferPool(1.5, 1)


def test_more_memory_than_there_is(backend):
    pool = backend.BufferPool(2**60, 1)
    with pytest.raises(ps.ResourceExhaustedError, match="out of memory") as caught:
        pool.acquire()
    assert caught.value.id == "PS0440"
    balanced(pool)


def test_no_allocation_after_the_first_rounds():
    pool = _core.BufferPool(8 * MIB, 4)

    def rounds(count):
        for _ in range(count):
            first, second = pool.acquire(), pool.acquire()
            first[0] = first[-1] = 1
            pool.release(first)
            pool.release(second)

    class Info(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uord ford keep".split()]

    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Info

    def held():
        info = mallinfo()
        return info.arena, info.hblkhd, info.uord, sys.getallocatedblocks(), pool.statistics()["allocated"]

    def faults():
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    rounds(100)
    held(), held()
    before, before_faults = held(), faults()
    rounds(2000)
    after_faults, after = faults(), held()
    assert before[4] == after[4] == 2
    assert after[:3] == before[:3], "malloc holds what it held"
    assert after[3] - before[3] < 100, "and so does Python"
    assert after_faults - before_faults < 100, "16 MiB a round from the system would be 8 faults or 4096"


def test_each_side_of_a_fork_has_its_own(backend):
    pool = backend.BufferPool(4096, 4)
    view, ready = pool.acquire(), pool.acquire()
    view[0] = 1
    pool.release(ready)
    child = os.fork()
    if child == 0:
        try:
            mine = pool.acquire()
            mine[:] = bytes(4096)
            view[0] = 2
            pool.release(view)
            pool.release(mine)
            os._exit(0 if balanced(pool)["out"] == 0 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert view[0] == 1
    assert balanced(pool)["out"] == 1


def test_threads_never_share_a_buffer(backend):
    pool = backend.BufferPool(256, 8)
    wrong = []
    start = threading.Barrier(32)

    def work(number):
        mark = bytes([number]) * 256
        start.wait()
        for turn in range(200):
            view = pool.acquire()
            view[:] = mark
            other = pool.acquire() if turn % 3 == 0 else None
            if bytes(view) != mark:
                wrong.append(number)
            pool.release(view)
            if other is not None:
                pool.release(other)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    numbers = balanced(pool)
    assert (numbers["out"], numbers["lingering"]) == (0, 0)
