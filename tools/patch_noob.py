"""Make noob 1003 importable on Python 3.11; run by the interpreter of the environment it is installed in.

noob does not import its own nodes there: typing.Annotated hashes its metadata on 3.11 (it stopped in 3.12) and noob's
`Name` is a dataclass with __eq__, hence without __hash__. `frozen=True` gives it one and changes nothing else. The line is
only patched when it reads exactly as expected.
"""

import pathlib
import re
import sysconfig

path = pathlib.Path(sysconfig.get_paths()["purelib"], "noob", "types.py")
patched, count = re.subn(r"@dataclass\nclass Name:", "@dataclass(frozen=True)\nclass Name:", path.read_text())
if count != 1:
    raise SystemExit(f"patch_noob: {path.name}: expected one '@dataclass' above 'class Name', found {count}")
path.write_text(patched)
