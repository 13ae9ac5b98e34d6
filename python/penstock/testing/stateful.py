"""Classes with state: one instance per tube, called in epoch order."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

from penstock._events import Name, process_method
from penstock._kinds import Node


class StatefulMultiply:
    """left * right * a number that begins with ``start`` and grows by one per call."""

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.current = start

    def process(self, left: float, right: float = 1) -> float:
        value = left * right * self.current
        self.current += 1
        return value


class VolumeProcess:
    """height * width * depth with a fixed height."""

    def __init__(self, height: int = 2) -> None:
        self.height = height

    def process(self, width: int, depth: int) -> Annotated[int, Name("volume")]:
        return self.height * width * depth


class Volume:
    """As VolumeProcess, with a marked method."""

    def __init__(self, height: int = 2) -> None:
        self.height = height

    @process_method
    def volume(self, width: int, depth: int) -> Annotated[int, Name("volume")]:
        return self.height * width * depth


class Now:
    """The time at which it was made, with a prefix."""

    def __init__(self) -> None:
        self.now = datetime.now()

    @process_method
    def print(self, prefix: str = "Now: ") -> Annotated[str, Name("timestamp")]:
        return f"{prefix}{self.now.isoformat()}"


class Multiply(Node):
    """left * right."""

    def process(self, left: int, right: int = 2) -> Annotated[int, Name("product")]:
        return left * right


class InitCounter(Node):
    """How often it has been initialised and deinitialised."""

    _inits = 0
    _deinits = 0

    def init(self) -> None:
        self._inits += 1

    def deinit(self) -> None:
        self._deinits += 1

    def process(self) -> tuple[Annotated[int, Name("inits")], Annotated[int, Name("deinits")]]:
        time.sleep(0.01)  # a source without inputs and without an end
        return self._inits, self._deinits


class DynamicSignals(Node):
    """Signals and slots by its params."""

    signals_: list = []  # noqa: RUF012 - a default, copied for each object
    slots_: list = []  # noqa: RUF012

    def process(self, **kwargs: Any) -> tuple:
        return tuple(kwargs.values())

    @classmethod
    def get_signals(cls, spec: Any = None) -> list[str]:
        return spec.params.get("signals_", []) if spec else []

    @classmethod
    def get_slots(cls, spec: Any = None) -> list[str]:
        return spec.params.get("slots_", []) if spec else []
