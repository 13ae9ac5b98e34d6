"""Classes with state: one instance per tube, called in epoch order."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from penstock._events import Name, process_method


class StatefulMultiply:
    """start * left * right; the start grows by one per call."""

    def __init__(self, start: float = 1) -> None:
        self._start = start

    def process(self, left: float, right: float = 2) -> float:
        value = self._start * left * right
        self._start += 1
        return value


class Volume:
    """height * width * depth with a fixed height."""

    def __init__(self, height: float = 1) -> None:
        self.height = height

    def process(self, width: float, depth: float) -> Annotated[float, Name("volume")]:
        return self.height * width * depth


class VolumeProcess:
    """As Volume, with a marked method."""

    def __init__(self, height: float = 1) -> None:
        self.height = height

    @process_method
    def volume(self, width: float, depth: float) -> Annotated[float, Name("volume")]:
        return self.height * width * depth


class Now:
    """The time, with a prefix."""

    def process(self, prefix: str = "Now: ") -> Annotated[str, Name("timestamp")]:
        return prefix + datetime.now(tz=timezone.utc).isoformat()


class Multiply:
    """left * right."""

    def process(self, left: float, right: float) -> Annotated[float, Name("product")]:
        return left * right
