"""Exceptions: one per error code, each also the builtin a Python user would expect.

``error.code`` is the stable name of the code ("invalid_argument"), ``error.id`` the stable id for
``penstock explain`` ("PS0401", may be empty), ``error.help`` the advice (may be empty).
"""

from __future__ import annotations

import traceback


class Error(Exception):
    """Base of everything Penstock raises."""

    code = "internal"

    def __init__(
        self, message: str, *, id: str = "", origin: str = "", help: str = "", trace: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.id = id
        self.origin = origin
        self.help = help
        self.trace = trace

    def __str__(self) -> str:
        head = f"{self.message} (at {self.origin})" if self.origin else self.message
        return f"{head}\n{self.trace}" if self.trace else head


class InvalidArgumentError(Error, ValueError):
    code = "invalid_argument"


class NotFoundError(Error, LookupError):
    code = "not_found"


class AlreadyExistsError(Error, FileExistsError):
    code = "already_exists"

    __str__ = Error.__str__


class OutOfRangeError(Error, IndexError):
    code = "out_of_range"


class FailedPreconditionError(Error, RuntimeError):
    code = "failed_precondition"


class ResourceExhaustedError(Error, MemoryError):
    code = "resource_exhausted"


class CancelledError(Error, RuntimeError):
    code = "cancelled"


class DeadlineExceededError(Error, TimeoutError):
    code = "deadline_exceeded"

    __str__ = Error.__str__


class UnavailableError(Error, ConnectionError):
    code = "unavailable"

    __str__ = Error.__str__


class DataLossError(Error, ValueError):
    code = "data_loss"


class UnimplementedError(Error, NotImplementedError):
    code = "unimplemented"


class InternalError(Error, RuntimeError):
    code = "internal"


class InputMissingError(InvalidArgumentError):
    """A required input was not given."""


class NodeError(InternalError):
    """A node's function raised. ``origin`` names node and epoch, ``trace`` is the original traceback,
    the user's own frames first, and ``__cause__`` the exception itself (from a worker process: an
    equal one, without its traceback, or None when pickle cannot make one)."""


class LoadError(InvalidArgumentError):
    """A tube cannot be loaded; ``diagnostics`` lists every problem found."""

    def __init__(self, message: str, diagnostics: list[dict]) -> None:
        super().__init__(message, id=diagnostics[0]["id"] if diagnostics else "")
        self.diagnostics = diagnostics


class TubeNotFoundError(LoadError, FileNotFoundError):
    """The tube's file does not exist."""

    __str__ = Error.__str__


class ExtraInputWarning(UserWarning):
    """A value was given for an input the tube does not declare; it is ignored."""


class BackendWarning(RuntimeWarning):
    """Another backend than the usual or wanted one does the work. Once in the life of a process."""


_BY_CODE = {
    cls.code: cls
    for cls in (
        InvalidArgumentError,
        NotFoundError,
        AlreadyExistsError,
        OutOfRangeError,
        FailedPreconditionError,
        ResourceExhaustedError,
        CancelledError,
        DeadlineExceededError,
        UnavailableError,
        DataLossError,
        UnimplementedError,
        InternalError,
    )
}
_BY_ID = {"PS0301": InputMissingError, "PS0401": NodeError}


def make_error(
    code: str,
    message: str,
    origin: str,
    id: str,
    help: str,
    trace: str,
    cause: BaseException | bytes | None = None,
) -> BaseException:
    """The exception for an error of the engine, chained to what a node raised. Called from the
    extension."""
    if code == "cancelled" and message == "interrupted":
        return KeyboardInterrupt()
    cls = _BY_ID.get(id) or _BY_CODE.get(code, InternalError)
    error = cls(message, id=id, origin=origin, help=help, trace=trace)
    error.code = code  # a NodeError keeps the code of what failed
    error.__cause__ = unpack_cause(cause) if isinstance(cause, bytes) else cause
    if id:  # below the message in a traceback; str(error) stays the message
        error.add_note(f"[{id}] {help or f'penstock explain {id}'}")
    return error


_MAX_CAUSE_BYTES = 65_536


def pack_cause(error: BaseException) -> bytes:
    """``error`` for the run's process, without its traceback; empty when pickle cannot, or when it
    is too large. Called from the extension, in a worker."""
    import pickle

    try:
        packed = pickle.dumps(error, protocol=5)
    except Exception:
        return b""
    return packed if len(packed) <= _MAX_CAUSE_BYTES else b""


def unpack_cause(packed: bytes) -> BaseException | None:
    """What :func:`pack_cause` was given, or None where it cannot be made here.

    The bytes come from a worker process that this process started, and which ran the same code.
    """
    import io
    import pickle

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            # What a worker calls __mp_main__ is the script of this process.
            if module == "__mp_main__":
                module = "__main__"
            return super().find_class(module, name)

    try:
        error = Unpickler(io.BytesIO(packed)).load()
    except Exception:
        return None
    return error if isinstance(error, BaseException) else None


def make_load_error(diagnostics: list[dict], missing: bool) -> LoadError:
    """The exception for what a load found. Called from the extension."""
    text = "\n".join(d["text"] for d in diagnostics[:20])
    if len(diagnostics) > 20:
        text += f"\n... and {len(diagnostics) - 20} more"
    if missing:
        return TubeNotFoundError(text, diagnostics)
    if diagnostics and diagnostics[0]["id"] == "PS0301":
        error = InputMissingError(text, id="PS0301")
        error.diagnostics = diagnostics
        return error
    return LoadError(text, diagnostics)


# What the user did not write. Nodes of penstock.testing are as good as the user's own.
_OWN_FRAMES = ("penstock/_", "penstock/reference/")


def describe_exception(error: BaseException) -> tuple[str, str, str, str, str]:
    """(message, trace, id, help, code) of an exception that a node raised. Called from the extension.

    The trace shows the user's innermost frames first and at most six of them: what failed is read
    before how it was reached.
    """
    if isinstance(error, Error):
        # Only a run can be cancelled: to raise the class is to fail.
        code = "internal" if isinstance(error, CancelledError) else error.code
        return (error.message, error.trace, error.id, error.help, code)
    text = str(error)
    name = type(error).__name__
    message = f"{name}: {text}" if text else name
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(own in frame.filename.replace("\\", "/") for own in _OWN_FRAMES)
    ]
    lines = []
    for frame in reversed(frames[-6:]):
        lines.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
        if frame.line:
            lines.append(f"    {frame.line}")
    return (message, "\n".join(lines), "", "", "internal")
