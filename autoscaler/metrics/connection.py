"""How are many queries sent at once, within one deadline, by a bounded number of threads.

Each thread has its own `PrometheusConnect`, made when it is first needed.
A query that fails for a passing reason is sent again while there is time; one that Prometheus
refuses is not.
At the deadline connections under way are cut: the caller gets an error, and the threads are free.
"""

import random
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prometheus_api_client import PrometheusConnect

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.row_by_row import Read
from autoscaler.metrics.servers import FailOver, servers_of
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.metrics.transport import QueryRefusedError, QueryTooHeavyError, Session

# First pause before a question is asked again; doubled each time, and never past the deadline.
_FIRST_PAUSE_SECONDS = 0.2
_ATTEMPTS = 3
# How soon it is noticed that we are closed.
_END_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Question:
    """One query at one instant, or over a range with `start`, `end` and `step`.

    `read` makes of the rows what the answer's result is to be.
    """

    promql: str
    at: datetime
    start: datetime | None = None
    step: timedelta | None = None
    read: Read = list


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What Prometheus said: what was read of its rows, and how much to believe it."""

    result: Any
    warnings: tuple[str, ...] = ()
    skew_seconds: float = 0.0
    kind: str = "vector"
    """Prometheus's name of what was answered: of an instant `vector`, `scalar`, `matrix`..."""


Outcome = Answer | MetricUnavailableError


class _Ticket:
    """One question that was handed to the threads: its deadline, and the session that sends it."""

    def __init__(self, question: Question, deadline: float) -> None:
        self.question = question
        self.deadline = deadline
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._asked = False

    def taken_by(self, session: Session) -> bool:
        """Note which session sends the question; False when its deadline is over."""
        with self._lock:
            if time.monotonic() >= self.deadline:
                return False
            self._session, self._asked = session, True
            return True

    def brought(self) -> None:
        """Note that the session has its answer, or failed."""
        with self._lock:
            self._session = None

    def abandon(self) -> bool:
        """Give up: cut the connection if the question is under way; return whether it was sent."""
        with self._lock:
            self.deadline = 0.0
            if self._session is not None:
                self._session.cut()
            return self._asked


class Connection:
    """Asks one Prometheus; safe to use from several threads."""

    def __init__(
        self,
        settings: PrometheusSettings,
        *,
        url: str | None = None,
        timeout: timedelta | None = None,
    ) -> None:
        self._settings = settings
        self._timeout = (timeout or settings.timeout).total_seconds()
        servers = servers_of(url or settings.url, timeout=settings.timeout)
        self._fail_over = FailOver(servers)
        self._threads = ThreadPoolExecutor(settings.connections, thread_name_prefix="prometheus")
        self._of_thread = threading.local()
        self._under_way: set[_Ticket] = set()
        self._closed = threading.Event()

    def patience(self) -> float:
        """Return the instant (monotonic seconds) at which the timeout that starts now ends."""
        return time.monotonic() + self._timeout

    def ask(self, questions: Sequence[Question], *, deadline: float | None = None) -> list[Outcome]:
        """Return an answer or an error for each question, in order, within the timeout.

        `deadline` is what `patience` returned, for several rounds of questions within one timeout.
        """
        if deadline is None:
            deadline = self.patience()
        tickets = [_Ticket(question, deadline) for question in questions]
        self._under_way.update(tickets)
        try:
            asked = [self._threads.submit(self._answered, ticket) for ticket in tickets]
            self._wait(asked, deadline)
        except RuntimeError as error:  # closed meanwhile
            return [MetricUnavailableError(f"not asked: {error}") for _ in questions]
        finally:
            self._under_way.difference_update(tickets)
        in_time = [future.done() for future in asked]
        outcomes: list[Outcome] = []
        for future, ticket, done in zip(asked, tickets, in_time, strict=True):
            if done:
                outcomes.append(_outcome(future))
            elif future.cancel() or not ticket.abandon():
                outcomes.append(self._not_asked())
            elif self._closed.is_set():
                outcomes.append(MetricUnavailableError("not answered before the end"))
            else:
                late = f"timed out: no answer within {self._timeout:g} s"
                outcomes.append(QueryTooHeavyError(late))
        return outcomes

    def _wait(self, asked: Collection[Future[Answer]], deadline: float) -> None:
        """Wait for all answers, until the deadline or the end: a server may not even connect."""
        left = deadline - time.monotonic()
        while asked and left > 0 and not self._closed.is_set():
            asked = wait(asked, timeout=min(left, _END_LOOK_SECONDS)).not_done
            left = deadline - time.monotonic()

    def close(self) -> None:
        """Let the threads end; questions under way are cut, and answered by an error."""
        self._closed.set()
        self._threads.shutdown(wait=False)
        for ticket in list(self._under_way):
            ticket.abandon()

    def _not_asked(self) -> MetricUnavailableError:
        """Return the error of a question for which no thread was free: it need not be too heavy."""
        return MetricUnavailableError(f"not asked within {self._timeout:g} s")

    def _answered(self, ticket: _Ticket) -> Answer:
        """Ask until answered, refused, or out of time."""
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._once(ticket)
            except QueryRefusedError:
                raise
            except MetricUnavailableError:
                pause *= 2 * random.uniform(0.5, 1.0)  # not all threads at one moment
                if attempt == _ATTEMPTS or time.monotonic() + pause >= ticket.deadline:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, ticket: _Ticket) -> Answer:
        url, n_servers = self._fail_over.choice()
        client, session = self._client(url)
        # One of several servers may hang: leave time for the others.
        session.allow((ticket.deadline - time.monotonic()) / min(n_servers, _ATTEMPTS))
        session.read = ticket.question.read
        if not ticket.taken_by(session):
            raise self._not_asked()
        try:
            result = _sent(client, ticket.question)
        except QueryRefusedError:
            raise
        except MetricUnavailableError:
            self._fail_over.failed(url)
            raise
        finally:
            ticket.brought()
        self._fail_over.answered(url)
        envelope = session.taken()
        kind = str(envelope["data"].get("resultType", "vector"))
        return Answer(result, _warnings(envelope), session.skew_seconds, kind)

    def _client(self, url: str) -> tuple[PrometheusConnect, Session]:
        """Return this thread's own client of a server; one that is asked no more is let go."""
        held: tuple[str, PrometheusConnect, Session] | None = getattr(
            self._of_thread, "client", None
        )
        if held is None or held[0] != url:
            if held is not None:
                held[2].close()
            session = Session(self._settings, url=url)
            client = PrometheusConnect(url=url, session=session, method="POST")
            held = self._of_thread.client = (url, client, session)
        return held[1:]


def _warnings(envelope: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what an answer says against itself; VictoriaMetrics has a flag in place of words."""
    told = tuple(map(str, envelope.get("warnings") or ()))
    partial = ("isPartial: some storage nodes did not answer",) if envelope.get("isPartial") else ()
    return (*told, *partial)


def _sent(client: PrometheusConnect, question: Question) -> Any:
    if question.start is None or question.step is None:
        return client.custom_query(question.promql, params={"time": question.at.timestamp()})
    step = f"{question.step.total_seconds():g}"
    return client.custom_query_range(
        question.promql, start_time=question.start, end_time=question.at, step=step
    )


def _outcome(future: Future[Answer]) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, MetricUnavailableError):
        return error
    return MetricUnavailableError(f"{type(error).__name__}: {error}")
