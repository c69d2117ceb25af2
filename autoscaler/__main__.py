"""The console script, and `python -m autoscaler`: one command, and then the end."""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from autoscaler.cli import main


def script() -> NoReturn:
    """Run one command and end with its exit code, at once.

    All is saved and given up by then. Python would still wait for every thread of a pool, and one
    may wait for a server that does not answer.
    """
    code = main()
    for output in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader went away; it is closed
            output.flush()
    os._exit(code)


if __name__ == "__main__":
    script()
