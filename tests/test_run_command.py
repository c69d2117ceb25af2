"""`autoscaler run` as a process: how it ends while it has not begun, or waits for somebody."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.daemon import RunningDaemon
from support.fault_proxy import FaultProxy
from support.processes import wait_until


@pytest.fixture
def silent() -> Iterator[FaultProxy]:
    """An API server that takes connections and says nothing."""
    proxy = FaultProxy(0)
    proxy.fault = "hang"
    yield proxy
    proxy.stop()


@pytest.mark.parametrize("flags", [(), ("--leader-elect", "--own-namespace", "default")])
def test_who_is_told_to_stop_while_the_first_lists_are_read_ends_without_them(
    silent: FaultProxy, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    cluster = {"name": "c", "cluster": {"server": silent.url}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    daemon = RunningDaemon(kubeconfig, silent.url, *flags, log=tmp_path / "log")
    wait_until(lambda: bool(daemon.events("watch_failed")), within=60, what="a list that failed")

    assert daemon.stop() == 0
    assert daemon.events("stopped")
    assert not daemon.events("error")


BLOCKED = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from autoscaler import __main__

def main():
    print("done", end="")
    ThreadPoolExecutor(1).submit(threading.Event().wait)
    return 3

__main__.main = main
sys.argv = ["autoscaler", "run"]
__main__.script()
"""


def test_the_daemon_ends_with_its_code_and_output_though_a_thread_waits_for_ever() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], stdout=subprocess.PIPE, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (3, b"done")
