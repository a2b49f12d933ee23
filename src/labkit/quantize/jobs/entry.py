"""Where a job begins: reads one JSON request, calls ``do(request, tell)`` of the module named, writes what it returns.

Progress and the result go out as JSON lines; what libraries print goes to a log. The process ends when its standard
input closes, so it never outlives who started it. Only the standard library is used here: each job runs in an
environment of its own, and what it does is the named module's matter.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from typing import Any


def main() -> None:
    """Do what the first line asks."""
    request = json.loads(sys.stdin.readline())
    talk = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(request["log"], "ab") as log:  # noqa: PTH123
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def say(**what: Any) -> None:
        print(json.dumps(what), file=talk, flush=True)

    try:
        job = importlib.import_module(sys.argv[1])  # beside this file
        say(result=job.do(request, lambda done, of: say(progress=[done, of])))
    except Exception as error:  # whatever it is, the caller waits for an answer
        traceback.print_exc()
        say(error=f"{type(error).__name__}: {error}"[:500])
    os._exit(0)  # worker threads of the libraries would keep the process alive


def _end_with_parent() -> None:
    sys.stdin.read()  # returns when the other end is closed, also by its death
    os._exit(1)


if __name__ == "__main__":
    main()
