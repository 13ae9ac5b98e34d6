"""Assets: how a Python class or function becomes an object that nodes share, and how it ends."""

from __future__ import annotations

import copy as _copy
import inspect
import sys
import types
import weakref

from penstock import _nodes
from penstock._errors import InvalidArgumentError

# As long as the function or class lives.
_signatures: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def _signature(target) -> inspect.Signature:
    if not isinstance(target, (types.FunctionType, type)):
        return inspect.signature(target)
    signature = _signatures.get(target)
    if signature is None:
        signature = _signatures[target] = inspect.signature(target)
    return signature


class Factory:
    """Makes the objects of one asset and ends them.

    A class is called, a function too; what comes back as a context manager is entered, and what
    it gives is the object. An object ends when its scope does: the context manager is left then.
    """

    def __init__(self, type_name: str, params: dict | list) -> None:
        target = _nodes.find(type_name)
        if target is None or not callable(target):
            seen = "nothing" if target is None else f"a {type(target).__name__}"
            raise InvalidArgumentError(
                f"'{type_name}' is {seen}, wanted a class or a function", id="PS0206"
            )
        self._target = target
        self._args = tuple(params) if isinstance(params, list) else ()
        self._kwargs = params if isinstance(params, dict) else {}
        self._open: list = []  # (object, context manager) in the order they were entered
        if _is_noob_asset(target):
            return
        try:
            _signature(target).bind(*self._args, **self._kwargs)
        except TypeError as error:
            raise InvalidArgumentError(
                f"params do not fit '{type_name}': {error}", id="PS0202"
            ) from None
        except ValueError:
            pass  # a builtin without a signature: it says so itself when it is called

    def make(self):
        if _is_noob_asset(self._target):
            return self._make_noob_asset()
        made = self._target(*self._args, **self._kwargs)
        if inspect.isclass(self._target) or not _is_context_manager(made):
            return made
        value = made.__enter__()
        self._open.append((value, made))
        return value

    def _make_noob_asset(self):
        """noob's Asset holds the object, between its init() and its deinit()."""
        asset = self._target.model_construct(id=self._target.__name__, params={}, depends=None)
        for name, value in self._kwargs.items():
            setattr(asset, name, value)
        asset.init()
        self._open.append((asset.obj, _Initialised(asset)))
        return asset.obj

    def release(self, value) -> None:
        for i in range(len(self._open) - 1, -1, -1):
            if self._open[i][0] is value:
                _, manager = self._open.pop(i)
                manager.__exit__(None, None, None)
                return

    def release_all(self) -> None:
        """Also what was replaced on the way: each is left once."""
        while self._open:
            _, manager = self._open.pop()
            manager.__exit__(None, None, None)

    @staticmethod
    def copy(value):
        return _copy.deepcopy(value)


class _Initialised:
    """Ends noob's Asset as a context manager is left."""

    def __init__(self, asset) -> None:
        self._asset = asset

    def __exit__(self, *_: object) -> None:
        self._asset.deinit()


def _is_noob_asset(target) -> bool:
    own = getattr(sys.modules.get("noob.asset"), "Asset", None)
    return own is not None and inspect.isclass(target) and issubclass(target, own)


def _is_context_manager(made) -> bool:
    return hasattr(type(made), "__enter__") and hasattr(type(made), "__exit__")
