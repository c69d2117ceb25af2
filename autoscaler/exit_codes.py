"""How a command ends: its exit code, and one line on standard error that says why.

0 done, 1 the command failed and said why, 2 wrong input (a flag, a policy, a trace),
130 interrupted.
"""

import errno
import sys
from collections.abc import Callable

from autoscaler.errors import AutoscalerError, FlagError, PolicyError, TraceError, why_not

# What a disk or a quota says that has no room for our output.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def exit_code_of(name: str, run: Callable[[], int]) -> int:
    """Run a command of this name and return its exit code; what is no failure of use is raised."""
    try:
        return run()
    except (FlagError, PolicyError, TraceError) as error:
        _say(name, str(error))
        return 2
    except AutoscalerError as error:
        _say(name, str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _say(name, f"cannot write: {why_not(error)}")
        sys.stderr.close()  # what is left would be complained of once more
        return 1


def _say(name: str, why: str) -> None:
    print(f"autoscaler {name}: {why}", file=sys.stderr)
