"""What nodes print: kept as the log lines of their node, besides going where it goes."""

from __future__ import annotations

import sys
from _thread import _local
from typing import Any

from penstock import _core


class NodeOutput:
    """A text stream that also gives whole lines, printed inside a node, to the node's log."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._rest = _local()  # of each thread: the line it has begun

    def write(self, text: str) -> int:
        count = self._stream.write(text)
        *lines, rest = (getattr(self._rest, "text", "") + text).split("\n")
        self._rest.text = rest if len(rest) < 10_000 else ""
        for line in lines:
            if line and not _core.log_line(line):
                _log_in_coroutine(line)
        return count

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _log_in_coroutine(line: str) -> None:
    loop = sys.modules.get("penstock._loop")  # not loaded: no coroutine has ever run
    call = loop.current_call.get() if loop is not None else None
    if call is not None:
        call.log(line)


def keep_lines(results_go_to_stdout: bool) -> None:
    """Keep what this process's nodes print from now on.

    With ``results_go_to_stdout`` nodes print to stderr, so that stdout holds results and nothing else.
    """
    sys.stderr = NodeOutput(sys.stderr)
    sys.stdout = sys.stderr if results_go_to_stdout else NodeOutput(sys.stdout)


def is_command() -> bool:
    """True in a process whose stdout is kept for results."""
    return isinstance(sys.stdout, NodeOutput) and sys.stdout is sys.stderr
