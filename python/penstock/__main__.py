"""``python -m penstock``: the command ``penstock`` inside this Python."""

import os
import sys

from penstock import _core
from penstock._output import keep_lines


def main() -> int:
    if sys.path and sys.path[0] == "":
        sys.path[0] = os.getcwd()
    # As a script's folder would be: modules beside the tube file can be named in it.
    for argument in sys.argv[1:]:
        if argument.endswith((".yaml", ".yml")):
            sys.path.insert(0, os.path.dirname(os.path.abspath(argument)))
    keep_lines(results_go_to_stdout=True)
    return _core.cli_main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
