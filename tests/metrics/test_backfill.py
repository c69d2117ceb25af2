"""A backfill that is killed goes on where it stopped: two processes, one stand-in Prometheus."""

import json
import re
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.connection import Connection, Outcome, Question
from autoscaler.metrics.settings import PrometheusSettings
from support import backfill_worker
from support.backfill_worker import load_at
from support.processes import Process, wait_until
from support.prometheus_stub import Asked, PrometheusStub, Reply

END = 1_772_452_800.0  # 2026-03-02, noon
MINUTES = timedelta(minutes=5)
MINUTE = STEP = 60.0
N_WORKLOADS, BATCH, DAYS = 20, 10, 14
MOST_MIB = 512


def matrix(asked: Asked) -> Reply:
    """Return the past of every workload that the query names."""
    start, end, step = (float(asked.parameters[name]) for name in ("start", "end", "step"))
    times = start + step * np.arange(round((end - start) / step) + 1)
    result = []
    for name in sorted(set(re.findall(r"service-(\d+)", asked.promql.replace("\\", "")))):
        labels = {"autoscaler_part": "0:load", "namespace": "shop"}
        loads = load_at(times, int(name))
        values = [[at, f"{load:g}"] for at, load in zip(times, loads, strict=True)]
        result.append({"metric": {**labels, "deployment": f"service-{name}"}, "values": values})
    data = {"resultType": "matrix", "result": result}
    return Reply(body=json.dumps({"status": "success", "data": data}).encode())


def test_who_closes_ends_the_question_that_is_being_asked() -> None:
    stub, asked, let_go = PrometheusStub(), threading.Event(), threading.Event()

    def hang(_: Asked) -> Reply:
        asked.set()
        let_go.wait(60)
        return Reply(503)

    stub.reply = hang
    connection = Connection(PrometheusSettings(stub.url, connections=1, timeout=MINUTES))
    outcomes: list[Outcome] = []
    questions = [Question("up", at=datetime.now(tz=UTC))] * 3
    asking = threading.Thread(target=lambda: outcomes.extend(connection.ask(questions)))
    asking.start()
    asked.wait(30)
    connection.close()
    asking.join(30)
    let_go.set()
    stub.stop()

    assert [type(outcome) for outcome in outcomes] == [MetricUnavailableError] * 3
    assert isinstance(connection.ask(questions)[0], MetricUnavailableError)


@pytest.fixture
def unreachable() -> Iterator[str]:
    """A server whose queue of connections is full: as of a dead node, nothing is heard of it."""
    with ExitStack() as open_ones:
        listener = open_ones.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = open_ones.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_who_closes_does_not_wait_for_a_server_that_takes_no_connection(unreachable: str) -> None:
    connection = Connection(PrometheusSettings(unreachable, connections=1, timeout=MINUTES))
    outcomes: list[Outcome] = []
    questions = [Question("up", at=datetime.now(tz=UTC))]
    asking = threading.Thread(target=lambda: outcomes.extend(connection.ask(questions)))
    asking.start()
    wait_until(lambda: any(t._asked for t in connection._under_way), within=30, what="a question")
    connection.close()
    asking.join(30)

    assert [str(outcome) for outcome in outcomes] == ["not answered before the end"]


class Backfill:
    """A worker process reading from the stub into one cache folder."""

    def __init__(self, stub: PrometheusStub, folder: Path) -> None:
        self.stub, self.folder, self.n_started = stub, folder, 0

    def start(self, *, end: float = END) -> Process:
        self.n_started += 1
        command = [
            *(sys.executable, backfill_worker.__file__, "--url", self.stub.url),
            *("--cache", self.folder / "kept", "--workloads", str(N_WORKLOADS)),
            *("--days", str(DAYS), "--step", str(STEP), "--end", str(end), "--batch", str(BATCH)),
        ]
        return Process(command, log=self.folder / f"{self.n_started}.log")

    def finished(self, process: Process) -> dict[str, Any]:
        code = process.wait(60)
        text = process.log.read_text()
        assert code == 0, text
        told: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
        return told


@pytest.fixture
def backfill(stub: PrometheusStub, tmp_path: Path) -> Backfill:
    stub.reply = matrix
    return Backfill(stub, tmp_path)


def pieces(asked: list[Asked]) -> Counter[tuple[str, str]]:
    return Counter((each.promql, each.parameters["end"]) for each in asked)


def killed_after(backfill: Backfill, n_questions: int) -> list[Asked]:
    """Kill a worker (SIGKILL) while it waits for an answer; return what was answered before."""
    stuck, release = threading.Event(), threading.Event()

    def until_killed(asked: Asked) -> Reply:
        if len(backfill.stub.asked) > n_questions:
            stuck.set()
            release.wait(60)
        return matrix(asked)

    backfill.stub.reply = until_killed
    worker = backfill.start()
    wait_until(stuck.is_set, within=60, what="a question that is not answered")
    worker.send(9)
    assert worker.wait(10) == -9
    release.set()
    before = backfill.stub.asked[:n_questions]
    backfill.stub.asked.clear()
    backfill.stub.reply = matrix
    return before


def test_after_a_kill_only_what_was_not_answered_is_asked_again(backfill):
    before = killed_after(backfill, 4)

    worker = backfill.start()
    resumed = backfill.finished(worker)

    assert (resumed["wrong"], resumed["points"]) == (0, N_WORKLOADS * DAYS * 1440)
    assert not pieces(before) & pieces(backfill.stub.asked)
    assert max(pieces(backfill.stub.asked).values()) == 1
    assert resumed["mib"] < MOST_MIB
    # Each batch says what it cost; the first was kept whole, the second in part.
    told = worker.log.read_text()
    assert told.count('"msg":"history_read"') == N_WORKLOADS // BATCH


def test_a_later_restart_asks_again_only_for_pieces_that_were_not_whole(backfill):
    before = killed_after(backfill, 2)

    resumed = backfill.finished(backfill.start(end=END + 10 * MINUTE))

    assert resumed["wrong"] == 0
    assert not pieces(before) & pieces(backfill.stub.asked)
