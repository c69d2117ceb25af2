"""How much load is there, and how much was there: the `Metrics` port on Prometheus.

`newest` never raises: whatever goes wrong makes samples unknown, with the reason.
`history` does raise when Prometheus cannot be asked, because a past full of gaps looks like a past
without load to whoever learns from it.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from autoscaler.decide.facts import Doubt, Sample, TargetRef, WorkloadFacts
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.answers import Table
from autoscaler.metrics.connection import Answer, Connection, Outcome, Question
from autoscaler.metrics.ended_pods import EndedPods
from autoscaler.metrics.history import HistoryReader
from autoscaler.metrics.own_queries import (
    AsWritten,
    OwnQueries,
    Round,
    blameless,
    dated,
    unless_no_load,
)
from autoscaler.metrics.own_query import OwnQuery, examined
from autoscaler.metrics.own_samples import Behind, Part, by_query, sample_of
from autoscaler.metrics.plan import Group, Plan, planned
from autoscaler.metrics.promql import Matcher, any_of, selector
from autoscaler.metrics.sample_quality import Circumstances, beside_down, with_doubt
from autoscaler.metrics.samples import Reading
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.metrics.source import CPU_WINDOW, SCRAPE_INTERVAL, Counter
from autoscaler.metrics.targets_down import (
    DOWN_QUERY,
    Down,
    DownByPlace,
    Outages,
    places,
    scraped_query,
)
from autoscaler.metrics.transport import QueryRefusedError, QueryWrongError
from autoscaler.metrics.unscraped_pods import jobs_of, missed, unscraped
from autoscaler.ports import History, LoadSeries
from autoscaler.strict import MALFORMED

__all__ = ["PrometheusMetrics", "PrometheusSettings"]

# More silent pods than this are one outage, not many pods: the first tell as much as all.
_MOST_PODS_ASKED = 2_000

# No Prometheus has a sample of that day, which was before the first one.
_BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)

Workloads = Mapping[TargetRef, WorkloadFacts]


class PrometheusMetrics:
    """Reads loads from one Prometheus."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._settings = settings
        self._connection = Connection(settings)
        self._history = HistoryReader(settings)
        self._series: Sequence[LoadSeries] = ()
        self._plan = Plan([], {}, {})
        self._queries: list[str] = []
        self._own: dict[int, OwnQuery] = {}
        self._own_queries = OwnQueries(dated)
        self._jobs: dict[tuple[Counter, ...], frozenset[str]] = {}
        self._behind: dict[tuple[TargetRef, str], Behind] = {}
        self._silent: dict[int, tuple[list[str], frozenset[str]]] = {}
        self._outages = Outages()
        self._longest_window = timedelta(0)
        stretch = settings.scrape_interval / SCRAPE_INTERVAL
        self._ended = EndedPods(window=CPU_WINDOW * stretch)

    def close(self) -> None:
        """Let go of connections and threads."""
        self._connection.close()
        self._history.close()

    def newest(
        self, series: Sequence[LoadSeries], *, now: datetime, workloads: Workloads
    ) -> list[Sample]:
        """Return the newest sample of each series, in order."""
        self._follow(series)
        self._silent = {}
        samples = {index: unknown(error) for index, error in self._plan.impossible.items()}
        deadline = self._connection.patience()
        own = self._own_queries.begun(self._own, now=now)
        down, answers, own_answers = self._answers(own, now=now, deadline=deadline)
        self._ended.note(workloads, now=now)
        around = Circumstances(
            now,
            workloads,
            *self._targets_down(down, now=now),
            ended=self._ended.of,
            scrape_interval=self._settings.scrape_interval,
        )
        for group, answer in zip(self._plan.groups, answers, strict=True):
            samples.update(self._read(group, answer, around))
        samples.update(self._own_samples(own, own_answers, around, deadline=deadline))
        samples.update(self._unscraped(samples, around, deadline=deadline))
        return [samples[index] for index in range(len(series))]

    def history(
        self, series: Sequence[LoadSeries], *, start: datetime, end: datetime, step: timedelta
    ) -> History:
        """Return the recorded loads of all series on one grid; raise when none can be read."""
        return self._history.read(series, start=start, end=end, step=step)

    def _follow(self, series: Sequence[LoadSeries]) -> None:
        """Plan again when the series changed; at most cycles they are the very same."""
        if series is self._series:
            return
        self._plan = planned(series, scrape_interval=self._settings.scrape_interval)
        self._queries = [group.newest_query() for group in self._plan.groups]
        self._own = {index: examined(text) for index, text in self._plan.queries.items()}
        self._own_queries.retain(self._plan.queries.values())
        windows = (window for query in self._own.values() for window in query.windows)
        self._longest_window = max(windows, default=timedelta(0))
        self._series = series
        counted = {group.counters for group in self._plan.groups}
        self._jobs = {each: jobs for each, jobs in self._jobs.items() if each in counted}
        asked = {(series[index].target, query.text) for index, query in self._own.items()}
        self._behind = {own: self._behind.get(own, Behind()) for own in asked}

    def _answers(
        self, own: Round, *, now: datetime, deadline: float
    ) -> tuple[Outcome, list[Outcome], list[Outcome]]:
        """Return which targets are down, and the answers to each group and batch of own queries.

        All are sent at once, so that a slow one delays no other; those under suspicion of being too
        heavy are the last.
        """
        questions = [Question(DOWN_QUERY, at=now)]
        for group, query in zip(self._plan.groups, self._queries, strict=True):
            questions.append(Question(query, at=now, read=partial(_table, group)))
        texts = self._own_queries.questions(own.batches)
        questions += [_own_question(text, now=now) for text in texts]
        down, *answers = self._connection.ask(questions, deadline=deadline)
        n_groups = len(self._plan.groups)
        own_answers = list(map(unless_no_load, answers[n_groups:]))
        if isinstance(down, QueryWrongError):  # as any query is while a store is away (422)
            own_answers = list(map(blameless, own_answers))
        return down, answers[:n_groups], own_answers

    def _read(
        self, group: Group, answer: Outcome, around: Circumstances
    ) -> Iterator[tuple[int, Sample]]:
        """Yield the sample of each member of a group, all unknown when there is no answer."""
        if isinstance(answer, Answer):
            try:
                beside = around.of(answer, shared=len(group.members) > 1)
                yield from self._samples(group, answer.result, beside)
            except MALFORMED as error:
                answer = MetricUnavailableError(f"malformed answer: {error!r}")
        if isinstance(answer, MetricUnavailableError):
            sample = unknown(answer)
            yield from ((member.index, sample) for member in group.members)

    def _unscraped(
        self, samples: Mapping[int, Sample], around: Circumstances, *, deadline: float
    ) -> dict[int, Sample]:
        """Return as partial what some ready pods are missing from because nobody scrapes them."""
        silent = {index: found for index, found in self._silent.items() if samples[index].trusted}
        names = sorted({pod for pods, _ in silent.values() for pod in pods})[:_MOST_PODS_ASKED]
        if not names:
            return {}
        up = f"count by (job, pod) ({selector('up', [Matcher('pod', '=~', any_of(names))])})"
        asked = Question(up, at=around.now, read=jobs_of)
        [outcome] = self._connection.ask([asked], deadline=deadline)
        if isinstance(outcome, MetricUnavailableError):
            detail = "some ready pods are silent, and whether they are scraped is not known"
            return {
                index: replace(samples[index], doubt=Doubt.PARTIAL, detail=detail)
                for index in silent
            }
        if not outcome.result:
            return {}  # `up` carries no pod here: who is scraped cannot be told
        return {
            index: unscraped(samples[index], missed(pods, jobs, outcome.result))
            for index, (pods, jobs) in silent.items()
        }

    def _samples(
        self, group: Group, table: Table, around: Circumstances
    ) -> list[tuple[int, Sample]]:
        # Jobs are remembered: one that is down as a whole has no series that tells whose it was.
        jobs = self._jobs.get(group.counters, frozenset()) | table.jobs
        self._jobs[group.counters] = jobs
        reading = Reading(group, table, around, jobs=jobs)
        silent = {member.index: reading.silent_pods(member) for member in group.members}
        self._silent.update({index: (pods, jobs) for index, pods in silent.items() if pods})
        return [(member.index, reading.sample(member)) for member in group.members]

    def _own_samples(
        self, own: Round, answers: Sequence[Outcome], around: Circumstances, *, deadline: float
    ) -> dict[int, Sample]:
        """Return the samples of the users' own queries."""

        def ask(texts: Sequence[str]) -> list[Outcome]:
            questions = [_own_question(text, now=around.now) for text in texts]
            return list(map(unless_no_load, self._connection.ask(questions, deadline=deadline)))

        outcomes = self._own_queries.finished(
            own, answers, ask=ask, now=around.now, alive=around.down_is_known
        )
        samples: dict[int, Sample] = {}
        heard: dict[int, tuple[Answer, Sequence[Part]]] = {}
        rows_of: dict[int, dict[str, list[Part]]] = {}
        for index, outcome in outcomes.items():
            if isinstance(outcome, MetricUnavailableError):
                samples[index] = unknown(outcome)
                continue
            try:
                if id(outcome) not in rows_of:
                    rows_of[id(outcome)] = by_query(outcome.result, index)
                rows = rows_of[id(outcome)].get(str(index), ())
                self._behind_of(index).note(rows, self._own[index], now=around.now)
                heard[index] = outcome, rows
            except MALFORMED as error:
                samples[index] = unknown(MetricUnavailableError(f"malformed answer: {error!r}"))
        down = self._down_by_place(around, deadline=deadline)
        n_in = Tally(map(id, outcomes.values()))
        for index, (answer, parts) in heard.items():
            beside = around.of(answer, shared=n_in[id(answer)] > 1)
            try:
                samples[index] = self._own_sample(index, parts, beside, down)
            except MALFORMED as error:
                samples[index] = unknown(MetricUnavailableError(f"malformed answer: {error!r}"))
        return samples

    def _behind_of(self, index: int) -> Behind:
        return self._behind[self._series[index].target, self._own[index].text]

    def _own_sample(
        self, index: int, rows: Sequence[Part], around: Circumstances, down: DownByPlace
    ) -> Sample:
        target, query, behind = self._series[index].target, self._own[index], self._behind_of(index)
        sample = sample_of(rows, query, now=around.now)
        if sample.trusted and (lost := behind.lost(now=around.now)):
            sample = replace(sample, doubt=Doubt.PARTIAL, detail=lost)
        windows = query.windows if around.down else ()
        sample = beside_down(sample, target, around, read=behind.read, down=down, windows=windows)
        return with_doubt(sample, around)

    def _down_by_place(self, around: Circumstances, *, deadline: float) -> DownByPlace:
        """Return the targets that are down, or were, by where they are scraped."""
        within = self._longest_window + around.scrape_interval
        down = [target for target in around.down if target.was_down(within, now=around.now)]
        jobs = {target.job for target in down}
        if jobs:
            jobs &= {job for behind in self._behind.values() for job, _ in behind.read}
        if not jobs:
            return DownByPlace(down, ())
        question = Question(scraped_query(jobs), at=around.now, read=places)
        [outcome] = self._connection.ask([question], deadline=deadline)
        scraped = () if isinstance(outcome, MetricUnavailableError) else outcome.result
        return DownByPlace(down, scraped)

    def _targets_down(self, outcome: Outcome, *, now: datetime) -> tuple[tuple[Down, ...], bool]:
        """Return the targets that are down, or were, and whether that is known at all."""
        if isinstance(outcome, MetricUnavailableError):
            return (), False
        try:
            down = [Down.of(row["metric"]) for row in outcome.result]
        except MALFORMED:
            return (), False
        return self._outages.note(down, now=now), True


def _own_question(text: str, *, now: datetime) -> Question:
    return Question(text, at=_BEFORE_ALL if isinstance(text, AsWritten) else now)


def _table(group: Group, rows: Iterable[Any]) -> Table:
    """Return the rows of a group's answer; a new table at every attempt."""
    return Table(group.counters).read(rows)


def unknown(error: MetricUnavailableError) -> Sample:
    """Return the sample of a question that was not answered."""
    refused = isinstance(error, QueryRefusedError)
    return Sample(None, doubt=Doubt.REFUSED if refused else Doubt.UNREACHABLE, detail=str(error))
