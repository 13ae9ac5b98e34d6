"""Runs a test program in a group of its own, within limits, and leaves nothing of it behind."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

MARK = "PENSTOCK_MUTATION_RUN"
# A mutant may loop for ever; it must not fill the memory or the disk meanwhile.
LIMITS = ["prlimit", f"--as={24 << 30}", f"--fsize={4 << 30}", "--core=0"]


@dataclass
class Outcome:
    code: int | None  # None: stopped at the time limit; negative: the signal that ended it
    output: str


def run(command: list, folder: Path, variables: dict[str, str], limit_s: float) -> Outcome:
    """Both streams together; at the limit, and afterwards, everything that was started is killed."""
    mark = uuid.uuid4().hex
    scratch = tempfile.mkdtemp(prefix="penstock-mutant-")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    environment |= {"HOME": scratch, "TMPDIR": scratch, "PENSTOCK_HOME": f"{scratch}/penstock", MARK: mark, **variables}
    try:
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [*LIMITS, *map(str, command)], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                end_group(process, mark)
            output.seek(max(0, output.seek(0, os.SEEK_END) - 200_000))
            return Outcome(code, output.read().decode("utf-8", "replace"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def end_group(process: subprocess.Popen, mark: str) -> None:
    """Ends the group of the process, and what has left it but carries the mark of the run."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
