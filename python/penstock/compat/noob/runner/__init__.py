"""Runners by noob's names."""

from __future__ import annotations

from typing import Any

from penstock.compat.noob.runner.asyncio import AsyncRunner
from penstock.compat.noob.runner.base import TubeRunner
from penstock.compat.noob.runner.sync import SynchronousRunner
from penstock.compat.noob.runner.zmq import ZMQRunner

__all__ = ["AsyncRunner", "SynchronousRunner", "TubeRunner", "ZMQRunner", "get_runner"]


def get_runner(runner: str = "sync") -> Any:
    """The class by its short name: 'sync', 'async' or 'zmq'."""
    return {"sync": SynchronousRunner, "async": AsyncRunner, "zmq": ZMQRunner}[runner]
