"""The console script, and `python -m autoscaler`: one command, and then the end."""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from autoscaler.cli import main


def script() -> NoReturn:
    """Run one command and end with its exit code, the daemon at once.

    All is saved and given up by then. Python would still wait for every thread of a pool, and one
    may wait for a server that does not answer.
    Other commands end in order: a replay has worker processes to take down.
    """
    code = main()
    if sys.argv[1:2] != ["run"]:
        sys.exit(code)
    for output in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader went away; it is closed
            output.flush()
    os._exit(code)


if __name__ == "__main__":
    script()
