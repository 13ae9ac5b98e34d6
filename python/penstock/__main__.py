"""``python -m penstock``: the command ``penstock`` inside this Python."""

import os
import sys

from penstock import _backend


def main() -> int:
    if _backend.core is None:
        return without_core(sys.argv[1:])
    from penstock._output import keep_lines

    if sys.path and sys.path[0] == "":
        sys.path[0] = os.getcwd()
    # As a script's folder would be: modules beside the tube file can be named in it.
    for argument in sys.argv[1:]:
        if argument.endswith((".yaml", ".yml")):
            sys.path.insert(0, os.path.dirname(os.path.abspath(argument)))
    keep_lines(results_go_to_stdout=True)
    return _backend.core.cli_main(sys.argv[1:])


def without_core(arguments: list[str]) -> int:
    """What is left of the command where the extension cannot be loaded: to say so."""
    if arguments[:1] == ["doctor"]:
        from penstock import _doctor

        return _doctor.main(arguments[1:])
    error = _backend.no_twin("the command penstock")
    print(f"error[{error.id}]: {error}\n  help: {error.help}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
