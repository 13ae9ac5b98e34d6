"""Loggers by name; nothing is written to files, and handlers are the program's own business."""

from __future__ import annotations

import logging
from typing import Any


def init_logger(name: str, *_: Any, **__: Any) -> logging.Logger:
    """The logger of this name below 'noob'."""
    return logging.getLogger(name if name.startswith("noob") else f"noob.{name}")
