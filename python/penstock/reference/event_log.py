"""The log of an event store (docs/formats/event-log.md); either backend takes up what the other wrote."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from pathlib import Path
from typing import Any

from penstock.reference.blake3 import blake3
from penstock.reference.decoding import decode
from penstock.reference.encoding import encode

_MAGIC = b"PSEVENT1"
_HEAD = struct.Struct("<8sIIqQ")  # magic, kind, rows, first id, bytes of the body; then the digest
_ROWS, _CLEAR = 1, 2
_ENCODED, _FLOAT, _INT, _BOOL = range(4)
_NAME = re.compile(r"events-(\d{10})\.log$")
_FILE_BYTES = 64 << 20


class EventLog:
    """Frames in files. ``take_up(first_id, rows)`` and ``forget(first_id, what)`` are called for what is there."""

    def __init__(self, folder: Any, read_only: bool, take_up: Any, forget: Any) -> None:
        self.folder = Path(os.fsdecode(folder))
        self.read_only, self.is_broken, self.is_closed = read_only, False, False
        self._pid = os.getpid()
        self._steps: list[tuple] = []
        self._file: Any = None
        self._series: dict[tuple, int] = {}
        self._lock: Any = None
        if not read_only:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        elif not self.folder.is_dir():
            raise _error("not_found", f"cannot list folder: No such file or directory: path={self.folder}")
        paths = sorted(path for path in self.folder.iterdir() if _NAME.search(path.name))
        for path in paths:
            self._read_file(path, path == paths[-1], take_up, forget)
        self._paths = paths
        self._next_number = int(_NAME.search(paths[-1].name)[1]) + 1 if paths else 0

    def check(self) -> None:
        """An error when nothing can be noted."""
        if self.read_only:
            text = f"the event store is open for reading: path={self.folder}"
            raise _error("failed_precondition", text, help="open it without read_only=True")
        if self.is_closed:
            raise _error("failed_precondition", f"the event store is closed: path={self.folder}")
        if os.getpid() != self._pid:
            text = (
                "the event store writes to a log of the process that opened it, and fork() made this one: "
                f"path={self.folder}"
            )
            raise _error("failed_precondition", text, "PS0480", "open a log of its own in the new process")
        if self.is_broken:
            raise _error(
                "unavailable",
                f"the event log could not be written and takes nothing more: path={self.folder}",
                "PS0481",
                "make room on the disk and open the store again: it has what the last good flush had",
            )

    def note(self, step: tuple) -> None:
        """("rows", first id, rows) or ("clear", first id, what); a row is (series name, epoch, timestamp, record)."""
        if step[0] == "clear" and step[2] == []:
            self._steps.clear()
        self._steps.append(step)

    def flush(self) -> None:
        """Write what was noted, and wait until it lasts."""
        self.check()
        steps, self._steps = self._steps, []
        if not steps:
            return
        try:
            self._write(steps)
        except OSError as error:
            self.is_broken = True
            text = f"cannot write event log: {error.strerror}: path={error.filename or self.folder}"
            raise _error(
                "unavailable",
                text,
                "PS0481",
                "the store takes nothing more; open it again: it has what the last good flush had",
            ) from None

    def close(self) -> None:
        """Flush, and let go of the lock."""
        if not self.is_closed:
            try:
                if not self.read_only:
                    self.flush()
            finally:
                self.is_closed = True
                for file in (self._file, self._lock):
                    if file is not None:
                        os.close(file)

    def _take_lock(self) -> None:
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise _error(
                "unavailable",
                f"another event store writes this log: path={self.folder}",
                "PS0483",
                "close the other one, or open this one for reading",
            ) from None

    def _write(self, steps: list[tuple]) -> None:
        replaces_all = steps[0][0] == "clear" and steps[0][2] == []
        old = list(self._paths)
        if self._file is None or os.fstat(self._file).st_size > _FILE_BYTES or replaces_all:
            self._begin_file()
        data = memoryview(b"".join(self._frame(*step) for step in steps))
        while data:
            data = data[os.write(self._file, data) :]
        os.fdatasync(self._file)
        if replaces_all:
            for path in old:
                path.unlink()
            self._paths = self._paths[len(old) :]

    def _begin_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
        path = self.folder / f"events-{self._next_number:010}.log"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._next_number += 1
        self._paths.append(path)
        self._series = {}
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    def _frame(self, kind: str, first_id: int, what: list) -> bytes:
        if kind == "clear":
            return _framed(_CLEAR, 0, first_id, encode(what))
        new = []
        for name, *_ in what:
            if name not in self._series:
                self._series[name] = len(self._series)
                new.append([name[0], name[1], [list(step) for step in name[2]]])
        names, count = encode(new), len(what)
        ends, size = [], 0
        for *_, record in what:
            size += len(record)
            ends.append(size)
        body = b"".join(
            [
                struct.pack("<Q", len(names)),
                names,
                struct.pack(f"<{count}I", *(self._series[name] for name, *_ in what)),
                struct.pack(f"<{count}q", *(epoch for _, epoch, _, _ in what)),
                struct.pack(f"<{count}q", *(timestamp for _, _, timestamp, _ in what)),
                struct.pack("<I", _ENCODED),
                struct.pack(f"<{count}Q", *ends),
                *(record for *_, record in what),
            ]
        )
        return _framed(_ROWS, count, first_id, body)

    def _read_file(self, path: Path, is_last: bool, take_up: Any, forget: Any) -> None:
        data, at, names = path.read_bytes(), 0, []
        while at < len(data) and (size := _whole_frame(data[at:])):
            try:
                self._read_frame(data[at : at + size], names, take_up, forget)
            except (struct.error, ValueError, LookupError, TypeError) as error:
                raise _damaged(path, at, str(error)) from None
            at += size
        if at == len(data):
            return
        later = [found.start() for found in re.finditer(_MAGIC, data) if found.start() > at]
        if not is_last or any(_whole_frame(data[start:]) for start in later):
            raise _damaged(path, at, "a frame is not what was written")
        if not self.read_only:
            os.truncate(path, at)

    def _read_frame(self, frame: bytes, names: list, take_up: Any, forget: Any) -> None:
        _, kind, count, first_id, _ = _HEAD.unpack_from(frame)
        body = frame[64:]
        if kind == _CLEAR:
            forget(first_id, decode(body))
            return
        (names_bytes,) = struct.unpack_from("<Q", body)
        at = 8 + names_bytes
        for node_id, signal, path in decode(body[8:at]):
            names.append((node_id, signal, tuple((map_id, index) for map_id, index in path)))
        series = struct.unpack_from(f"<{count}I", body, at)
        epochs = struct.unpack_from(f"<{count}q", body, at + 4 * count)
        timestamps = struct.unpack_from(f"<{count}q", body, at + 12 * count)
        (form,) = struct.unpack_from("<I", body, at + 20 * count)
        values = _values(form, count, body[at + 20 * count + 4 :])
        take_up(first_id, [(names[s], e, t, v) for s, e, t, v in zip(series, epochs, timestamps, values, strict=True)])


def make_record(value: Any) -> bytes:
    """The root of a value's encoding with its length, then its blocks: digest, length, bytes."""
    blocks: dict[str, bytes] = {}
    root = encode(value, blocks)
    parts = [struct.pack("<I", len(root)), root]
    for block in blocks.values():
        parts += [blake3(block), struct.pack("<I", len(block)), block]
    return b"".join(parts)


def _read_record(record: bytes) -> Any:
    from penstock.reference.identity import cid_text

    (size,) = struct.unpack_from("<I", record)
    blocks, at = {}, 4 + size
    while at < len(record):
        (length,) = struct.unpack_from("<I", record, at + 32)
        blocks[cid_text(0x55, record[at : at + 32])] = record[at + 36 : at + 36 + length]
        at += 36 + length
    return decode(record[4 : 4 + size], blocks)


def _values(form: int, count: int, data: bytes) -> list:
    if form == _ENCODED:
        ends = struct.unpack_from(f"<{count}Q", data)
        records = data[8 * count :]
        return [_read_record(records[begin:end]) for begin, end in zip((0, *ends), ends, strict=False)]
    if form == _BOOL:
        return [flag != 0 for flag in data]
    return list(struct.unpack(f"<{count}{'d' if form == _FLOAT else 'q'}", data))


def _framed(kind: int, count: int, first_id: int, body: bytes) -> bytes:
    head = _HEAD.pack(_MAGIC, kind, count, first_id, len(body))
    return head + blake3(head + blake3(body)) + body


def _whole_frame(data: bytes) -> int:
    """Bytes of the frame that ``data`` begins with; 0 when it is cut short or not what was written."""
    if len(data) < 64 or data[:8] != _MAGIC:
        return 0
    size = 64 + _HEAD.unpack_from(data)[4]
    body = data[64:size]
    return size if size <= len(data) and data[32:64] == blake3(data[:32] + blake3(body)) else 0


def _damaged(path: Path, at: int, what: str) -> Exception:
    return _error("data_loss", f"the event log is damaged: {what}: path={path} offset={at}", "PS0482")


def _error(code: str, text: str, id: str = "", help: str = "") -> Exception:
    from penstock._errors import make_error

    return make_error(code, text, "", id, help, "")
