"""A pytest plugin: writes a line of JSON when a test begins and when it ends.

PENSTOCK_TRIALS names the file. Where PENSTOCK_MUTANT_REACHED is set, the line at the end holds the sites that were
reached since the line before; the first line holds those that were reached before the first test.
"""

import json
import mmap
import os
import time

import pytest


class Trials:
    def __init__(self):
        self.log = open(os.environ["PENSTOCK_TRIALS"], "a", buffering=1)  # noqa: SIM115
        self.reached = None
        self.failed = False
        if path := os.environ.get("PENSTOCK_MUTANT_REACHED"):
            with open(path, "r+b") as file:
                self.reached = mmap.mmap(file.fileno(), 0)

    def take(self):
        if self.reached is None:
            return []
        sites = [number for number, byte in enumerate(self.reached[:]) if byte]
        self.reached[:] = bytes(len(self.reached))
        return sites

    def write(self, **fields):
        self.log.write(json.dumps(fields) + "\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.write(begins=item.nodeid, sites=self.take())
        self.failed = False
        started = time.monotonic()
        result = yield
        self.write(ends=item.nodeid, seconds=time.monotonic() - started, sites=self.take(), failed=self.failed)
        return result

    def pytest_runtest_logreport(self, report):
        self.failed |= report.failed


def pytest_configure(config):
    config.pluginmanager.register(Trials(), "penstock-trials")
