"""The assets of a tube."""

from __future__ import annotations

from penstock.compat.noob.asset import Asset, AssetSpecification


class State:
    """``assets`` by id."""

    def __init__(self, specs: dict[str, AssetSpecification]) -> None:
        self.specs = specs
        self.assets = {id: Asset(spec) for id, spec in specs.items()}
