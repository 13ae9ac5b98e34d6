"""Which of the two backends does the work: the native extension, or its plain-Python twin.

``PENSTOCK_BACKEND`` is ``native``, ``reference`` or ``auto`` (the native one where it is, else the
reference). Nobody falls back without a word: the first time there is one :class:`penstock.BackendWarning`,
and with ``strict=True`` an error instead.
"""

from __future__ import annotations

import os
from typing import Any

NAMES = ("native", "reference", "auto")
MEND = "pip install --force-reinstall penstock"

core: Any = None  # penstock._core, or None where it cannot be loaded
why_no_core = ""

try:
    # isort: off
    from penstock import _atomic_import  # noqa: F401 - loads the extension with Ctrl-C held back
    from penstock import _core as core
    # isort: on
except Exception as error:  # whatever is wrong with the file, the rest of the package is good
    why_no_core = f"{type(error).__name__}: {error}"

_FELL_BACK = "PS0473"
_warned = False


def wanted() -> str:
    """What the environment asks for."""
    return check(os.environ.get("PENSTOCK_BACKEND") or "auto", "PENSTOCK_BACKEND")


def check(name: str, where: str) -> str:
    if name not in NAMES:
        raise _error(
            "invalid_argument",
            f"unknown backend: seen {name!r}, wanted native, reference or auto (at {where})",
            "PS0470",
            "export PENSTOCK_BACKEND=auto",
        )
    return name


def choose(
    what: str,
    *,
    native: bool = True,
    twin: bool = True,
    backend: str | None = None,
    strict: bool = False,
) -> str:
    """ "native" or "reference" for an operation.

    Parameters
    ----------
    what : str
        The operation, for messages.
    native, twin : bool
        Whether the extension, if it is there, and the reference can do it.
    backend : str, optional
        What the caller asks for; None: the environment.
    strict : bool
        Raise where another backend than the wanted one would do the work.
    """
    asked = wanted() if backend is None else check(backend, "backend")
    has_native = core is not None and native
    if asked == "reference":
        if twin:
            return "reference"
        if strict or not has_native:
            raise no_twin(what)
        warn(f"{what} has no pure-Python twin, so the native code does it; strict=True makes this an error")
        return "native"
    if has_native:
        return "native"
    if asked == "native" or strict:
        raise no_native(what)
    if not twin:
        raise no_twin(what)
    warn(f"{what} runs in plain Python, 10 to 100 times slower: {reason()}; to mend it: {MEND}")
    return "reference"


def reason() -> str:
    return f"penstock._core cannot be loaded ({why_no_core})" if core is None else "penstock._core does not have it"


def no_native(what: str) -> Exception:
    return _error("failed_precondition", f"no native code for {what}: {reason()}", "PS0471", MEND)


def no_twin(what: str) -> Exception:
    if core is not None:
        return _error("unimplemented", f"{what} has no pure-Python twin", "PS0472", "PENSTOCK_BACKEND=auto")
    text = f"{what} has no pure-Python twin, and {reason()}"
    return _error("unimplemented", text, "PS0472", MEND)


def _error(code: str, text: str, id: str, help: str) -> Exception:
    from penstock._errors import make_error

    return make_error(code, text, "", id, help, "")


def warn(text: str) -> None:
    """One warning in the life of the process."""
    global _warned
    if not _warned:
        _warned = True
        import warnings

        from penstock._errors import BackendWarning

        warnings.warn(f"{text} [{_FELL_BACK}]", BackendWarning, stacklevel=4)
