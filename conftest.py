"""Tests keep their history and results out of the user's own, and see Ctrl-C as a terminal gives it."""

import os
import signal
import tempfile

_home = tempfile.TemporaryDirectory(prefix="penstock-test-")
os.environ["PENSTOCK_HOME"] = _home.name
# A result that one test has kept must not stand in for a run of another.
os.environ["PENSTOCK_CACHE"] = "off"

# A test run started in the background inherits an ignored SIGINT, and so would every program that the
# tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
