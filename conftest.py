"""Tests keep their history and results out of the user's own."""

import os
import tempfile

_home = tempfile.TemporaryDirectory(prefix="penstock-test-")
os.environ["PENSTOCK_HOME"] = _home.name
