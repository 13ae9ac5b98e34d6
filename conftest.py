"""Tests keep their history and results out of the user's own, and see Ctrl-C as a terminal gives it."""

import os
import signal
import tempfile

_home = tempfile.TemporaryDirectory(prefix="penstock-test-")
os.environ["PENSTOCK_HOME"] = _home.name

# A test run started in the background inherits an ignored SIGINT, and so would every program that the
# tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
