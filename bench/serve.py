"""Run one Python side of a benchmark: `serve.py MODULE FUNCTION`, one JSON line per "go" on stdin.

FUNCTION(stack) sets up (an ExitStack closes what it opens) and returns sample() -> (seconds, answer).
"""

import contextlib
import importlib
import json
import os
import sys
import time
from pathlib import Path


def main():
    sys.path.insert(0, str(Path(__file__).parent))
    replies = os.fdopen(os.dup(1), "w")  # a chatty library must not talk into the protocol
    os.dup2(2, 1)
    function = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    with contextlib.ExitStack() as stack:
        sample = function(stack)
        for _ in sys.stdin:
            cpu, wall = time.process_time(), time.perf_counter()
            seconds, answer = sample()
            busy = (time.process_time() - cpu) / (time.perf_counter() - wall)
            cpu = seconds * busy  # per the same unit as `seconds`; of this process, not of its children
            replies.write(json.dumps({"seconds": seconds, "cpu": cpu, "answer": answer}) + "\n")
            replies.flush()


if __name__ == "__main__":
    main()
