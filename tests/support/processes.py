"""Child processes of the tests: started on free ports, logged to files, gone when the tests are."""

import contextlib
import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One child process with its output in `<name>.log`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call, no lock taken
            )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def send(self, number: int) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for the end and return the exit code."""
        return self._popen.wait(seconds)

    def stop(self, number: int = signal.SIGTERM, within: float = 15.0) -> int:
        """Ask it to end, insist after `within` seconds; return the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(number)
        try:
            return self._popen.wait(within)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait()

    def tail(self, n_lines: int = 30) -> str:
        """Return the end of its output, for messages."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-n_lines:])


def wait_until(is_so: Callable[[], bool], *, within: float, what: str, every: float = 0.05) -> None:
    """Poll a condition of the world outside; fail with `what` when it does not come."""
    deadline = time.monotonic() + within
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        time.sleep(every)
