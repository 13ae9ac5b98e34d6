"""What tests of processes look at."""

import os
import time
from pathlib import Path


def _fields():
    """(process id, fields of its stat after the name) of every process that has not ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                yield int(entry.name), fields


def children():
    """Process ids of this process's children."""
    return {pid for pid, fields in _fields() if int(fields[1]) == os.getpid()}


def in_session(leader):
    """Process ids, zombies left out, of the session that ``leader`` began."""
    return [pid for pid, fields in _fields() if int(fields[3]) == leader]


def wait_until_gone(leader):
    deadline = time.monotonic() + 5
    while in_session(leader) and time.monotonic() < deadline:
        time.sleep(0.005)  # processes of others end: there is nothing to wait on
    return in_session(leader)


def shared_memory(before):
    return {name for name in os.listdir("/dev/shm") if "penstock" in name} - before
