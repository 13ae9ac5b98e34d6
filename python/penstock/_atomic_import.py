"""Imports the extension with Ctrl-C held back: one that is half made cannot be let go of, and crashes."""

import _signal  # the module signal imports enum, which costs more than the extension

_before = _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT,))
try:
    from penstock import _core  # noqa: F401
finally:
    _signal.pthread_sigmask(_signal.SIG_SETMASK, _before)
