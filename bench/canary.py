"""Known-bad input for the harness: a side with a wrong answer, and a side that is slower."""

import time


def busy(seconds, answer):
    def sample():
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            pass
        return time.perf_counter() - start, answer

    return sample


def right(stack):
    return busy(0.001, 42)


def wrong(stack):
    return busy(0.001, 43)


def slow(stack):
    return busy(0.004, 42)
