"""Want of memory is an exception: MemoryError of the interpreter or ours, and the process goes on.

Each case runs in a process whose address space is bounded while it is made. tests/faults fails every single
allocation of the C++ side; this is the way from there into Python.
"""

import subprocess
import sys

import pytest

PREAMBLE = """
import re, resource
import penstock as ps

def bounded(call, extra_mb):
    size_kb = int(re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[1])
    resource.setrlimit(resource.RLIMIT_AS, (size_kb * 1024 + extra_mb * 2**20, resource.RLIM_INFINITY))
    try:
        call()
    except (MemoryError, ps.NodeError) as error:
        return error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    raise AssertionError("there was memory enough")
"""

CASES = {
    "encode": """
value = ["x" * 2**20] * 200
bounded(lambda: ps.encode(value), 64)
assert len(ps.encode(value)) > 200 * 2**20
""",
    "decode": """
data = ps.encode([2**40 + i for i in range(4_000_000)])
bounded(lambda: ps.decode(data), 32)
assert len(ps.decode(data)) == 4_000_000
""",
    "cid": """
value = ["x" * 2**20] * 200
bounded(lambda: ps.cid(value), 64)
assert ps.cid(value).startswith("b")
""",
    "node": """
tube = ps.Tube.load({"nodes": {
    "big": {"type": "no_memory_nodes.big", "depends": []},
    "out": {"type": "return", "depends": "big.value"}}})
with ps.SynchronousRunner(tube) as runner:
    error = bounded(runner.process, 64)
    assert isinstance(error, ps.NodeError) and isinstance(error.__cause__, MemoryError), error
    assert len(runner.process()) == 300 * 2**20
""",
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_an_exception_and_the_process_goes_on(case, tmp_path):
    (tmp_path / "no_memory_nodes.py").write_text("def big():\n    return bytes(300 * 2**20)\n")
    done = subprocess.run([sys.executable, "-c", PREAMBLE + CASES[case]], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
