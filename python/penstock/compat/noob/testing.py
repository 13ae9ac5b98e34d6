"""noob's node library, which is :mod:`penstock.testing` here."""

from typing import Any

import penstock.testing
from penstock.testing import *  # noqa: F403 - the same names


def __getattr__(name: str) -> Any:
    return getattr(penstock.testing, name)
