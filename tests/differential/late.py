"""Annotations that are text: noob does not read them."""

from __future__ import annotations

from typing import Annotated

from model.functions import Name


def doubled() -> Annotated[int, Name("doubled")]:
    return 2
