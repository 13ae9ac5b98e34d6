"""Where tubes are looked for by their ``noob_id``."""

from __future__ import annotations

import os
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import penstock
from penstock.compat.noob.exceptions import EntrypointImportWarning

_extra: list[Path] = []
_from_entry_points: list[Path] | None = None


def add_config_source(path: str | os.PathLike) -> None:
    """Look for tubes by ``noob_id`` in the files under ``path`` too."""
    folder = Path(path)
    if folder in _extra:
        _extra.remove(folder)
    _extra.append(folder)
    penstock.add_config_source(path)


def get_extra_sources() -> list[Path]:
    """What :func:`add_config_source` was given."""
    return _extra


def get_entrypoint_sources() -> list[Path]:
    """Folders that installed packages name by an entry point of the group ``noob.add_sources``."""
    global _from_entry_points
    if _from_entry_points is None:
        _from_entry_points = []
        for entry in entry_points(group="noob.add_sources"):
            try:
                found = [Path(path) for path in entry.load()()]
            except Exception as error:  # noqa: BLE001 - somebody else's code
                warnings.warn(
                    f"entry point {entry.name} = {entry.value} cannot be used, ignoring it: {error}",
                    EntrypointImportWarning,
                    stacklevel=2,
                )
                continue
            _from_entry_points += found
            # Those that were added by hand come first, as in noob.
            for path in found:
                penstock.add_config_source(path)
            for path in _extra:
                penstock.add_config_source(path)
    return _from_entry_points
