"""Generators and objects of plain classes: noob makes them for each run, where Penstock keeps them as long as the tube."""

from __future__ import annotations

from typing import Any

from penstock import _kinds, _nodes


class Reborn:
    """Stands for what a node calls, and makes it anew when a run begins after another has ended."""

    is_noob_node = True  # so `init` and `deinit` are called

    def __init__(self, target: Any, params: dict, made: Any) -> None:
        self._target = target
        self._params = params
        self._method = _nodes._process_method_of(target) if isinstance(target, type) else None
        # What the load has made is that of the first run.
        self._call = made
        self.instance = _owner(made) if self._method is not None else None
        self._is_used = False

    def init(self) -> Any:
        """Make it, if it has been in a run; then the object's own marked method."""
        if self._is_used:
            self._make()
        self._is_used = True
        begin = _kinds._life_method(self.instance, "init")
        return begin() if begin is not None else None

    def _make(self) -> None:
        made = self._target(**self._params)
        if self._method is not None:
            self.instance = made
            made = getattr(made, self._method)
            if hasattr(self._call, "__next__"):
                made = made()
        self._call = made

    def deinit(self) -> Any:
        """The object's own marked method."""
        end = _kinds._life_method(self.instance, "deinit")
        return end() if end is not None else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __iter__(self) -> Reborn:
        return self

    def __next__(self) -> Any:
        return next(self._call)


def _owner(made: Any) -> Any:
    """The object that a bound method, or a generator of one, belongs to."""
    if hasattr(made, "gi_frame"):
        return made.gi_frame.f_locals["self"]
    return getattr(made, "__self__", made)
