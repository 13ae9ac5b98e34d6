"""Nodes that fail, for test_cause.py. A module of its own, since workers import it."""

raised = []


class Refused(Exception):
    def __init__(self, seat, row):
        super().__init__(f"no seat {seat} in row {row}")
        self.seat = seat

    def __reduce__(self):
        return (Refused, (self.seat, 7))


class Local(ValueError):
    """Has what pickle refuses."""

    def __init__(self, text):
        super().__init__(text)
        self.source = open  # noqa: SIM115 (the function itself)
        self.line = lambda: text


class OneWay(Exception):
    """Goes into pickle and not out of it."""

    def __init__(self, left, right):
        super().__init__(f"{left} and {right}")


def refuse(x):
    error = Refused(x, 7)
    raised.append(error)
    raise error


def local(x):
    raise Local("with a lambda")


def one_way(x):
    raise OneWay(x, 1)


def huge(x):
    raise ValueError("x" * 1_000_000)


def chained(x):
    try:
        return {}[x]
    except KeyError as error:
        raise RuntimeError("no entry") from error


def source():
    yield 1
    raise Refused(2, 7)
