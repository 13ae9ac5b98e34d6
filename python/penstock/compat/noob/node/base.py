"""Node: a pydantic model, as in noob, where pydantic is installed; else a class with fields."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import penstock._kinds
from penstock.compat.noob.logging import init_logger
from penstock.compat.noob.node.marks import (
    deinit_method as deinit_method,
    init_method as init_method,
    process_method as process_method,
)
from penstock.compat.noob.node.view import (
    NodeView,
    WrapClassNode as WrapClassNode,
    WrapFuncNode as WrapFuncNode,
)

try:
    import pydantic
except ModuleNotFoundError:
    pydantic = None  # type: ignore[assignment]


class _Shown:
    """What a tube shows of a node, by way of its view."""

    # Without a value: that would hide the private attribute of a pydantic model.
    _view: NodeView | None

    @property
    def view(self) -> NodeView:
        """The node's place in its tube."""
        if self._view is None:
            raise ValueError("the node is not part of a tube")
        return self._view

    @property
    def signals(self) -> dict:
        return self.view.signals

    @property
    def slots(self) -> dict:
        return self.view.slots

    @property
    def edges(self) -> list:
        return self.view.edges

    @property
    def logger(self) -> logging.Logger:
        return init_logger(f"node.{self.id}")  # type: ignore[attr-defined]

    def init(self) -> Any:
        """Called when a run begins. May take one parameter annotated RunnerContext."""

    def deinit(self) -> Any:
        """Called when a run ends."""

    def process(self, *args: Any, **kwargs: Any) -> Any:
        """Called once per epoch with the node's inputs."""
        raise NotImplementedError(f"class '{type(self).__name__}' has no method 'process'")


if pydantic is not None:

    class Node(_Shown, pydantic.BaseModel):
        """Base of classes whose objects want to know when a run begins and ends."""

        model_config = pydantic.ConfigDict(extra="forbid")
        is_noob_node: ClassVar[bool] = True

        id: str
        spec: Any = None
        enabled: bool = True
        stateful: bool = True
        _view: NodeView | None = pydantic.PrivateAttr(default=None)

else:

    class Node(_Shown, penstock._kinds.Node):  # type: ignore[no-redef]
        """Base of classes whose objects want to know when a run begins and ends."""

        is_noob_node: ClassVar[bool] = True

        id: str
        spec: Any = None
        enabled: bool = True
        stateful: bool = True
        _view: NodeView | None = None
