"""Is a pod that Kubernetes calls ready also passing in Consul: the readiness witness.

Where clients find a workload through Consul, a pod serves only once its instance passes there.
Consul never decides the number of replicas: its catalog lags, and what an instance is depends on
how it was registered.
The witness tells how long a pod has been ready and not passing, which is an alert when it lasts,
and how long after Ready pods begin to pass, which is added to the lead time (`routability.py`).
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import requests
from requests.adapters import HTTPAdapter

from autoscaler.decide.facts import Routability, TargetRef, WorkloadFacts
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.consul import ConsulAddress, ConsulWatch, base_url
from autoscaler.metrics.routability import Memory, remembered, routability
from autoscaler.policy.schema import ConsulService

logger = logging.getLogger(__name__)

_ROUND = timedelta(seconds=5)
# How much of a round a turn takes at the most, where all answer: it is over when the next begins.
_MOST_OF_A_ROUND = 0.9
# Of an older answer a pod that has become ready since cannot be judged. Four thousand services
# take turns for that long; beyond, the witness says that it does not know.
_GOOD_FOR = timedelta(seconds=45)
# Never more than 200 questions a second, whatever the number of services and datacenters.
_BETWEEN_SECONDS = 0.005
# Datacenters at once; as many again of those that are silent, which keep nobody else waiting.
_SIDE_BY_SIDE = 16
_AFTER_ERROR_SECONDS = 0.1
_TIMEOUT = timedelta(seconds=5)
_SILENT_DATACENTER = "not asked, because its datacenter left another question unanswered"

Pause = Callable[[float], object]


class ReadinessWitness:
    """Compares what the API server and Consul say of the same workloads, cycle by cycle.

    `witnessed` never waits: a thread asks, from when a policy first names a service.
    In every round it begins one turn of each datacenter whose last turn is over, so that one that
    does not answer takes no time from the others.
    In its turn a datacenter is asked about one service after the other, until it leaves a question
    unanswered, for nearly a round; then for as long again about services whose last question
    failed. Whom a turn leaves out comes first in the next.
    """

    def __init__(
        self,
        consul_url: str | None = None,
        *,
        timeout: timedelta = _TIMEOUT,
        every: timedelta = _ROUND,
    ) -> None:
        self._consul_url = consul_url
        self._timeout, self._every = timeout, every
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=2 * _SIDE_BY_SIDE))
        self._watches: dict[ConsulAddress, ConsulWatch] = {}
        self._watch_of: dict[TargetRef, ConsulWatch] = {}
        self._memories: dict[TargetRef, Memory] = {}
        self._seen: dict[TargetRef, Routability] = {}
        self._pace, self._next_at = threading.Lock(), 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, services: Mapping[TargetRef, ConsulService]) -> None:
        """Ask about these services from now on, and about no others."""
        self._take(services)
        if self._watches and self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="consul-witness")
            self._thread.start()

    def ask_once(self, services: Mapping[TargetRef, ConsulService]) -> None:
        """Ask about these services here and now, once, and wait for the answers."""
        self._take(services)
        self.ask()

    def _take(self, services: Mapping[TargetRef, ConsulService]) -> None:
        addresses = {target: self._address(service) for target, service in services.items()}
        self._watches = {
            address: self._watches.get(address)
            or ConsulWatch(address, timeout=self._timeout, session=self._session)
            for address in addresses.values()
        }
        self._watch_of = {target: self._watches[each] for target, each in addresses.items()}
        self._memories = {t: m for t, m in self._memories.items() if t in self._watch_of}
        self._seen = {t: seen for t, seen in self._seen.items() if t in self._watch_of}

    def witnessed(
        self, workloads: Mapping[TargetRef, WorkloadFacts], *, now: datetime
    ) -> Mapping[TargetRef, WorkloadFacts]:
        """Return the workloads, those that Consul is asked about with its word on them."""
        if not self._watch_of:
            return workloads
        told = dict(workloads)
        for target, watch in self._watch_of.items():
            workload = workloads.get(target)
            if workload is not None:
                told[target] = replace(
                    workload, routability=self._compared(workload, watch, now=now)
                )
        return told

    def close(self) -> None:
        """Ask no more; a question under way ends with its timeout."""
        self._stop.set()

    def ask(self, *, share: timedelta = timedelta.max, pause: Pause = lambda seconds: None) -> None:
        """Give every datacenter one turn, and wait until all have had theirs."""
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as threads:
            ask = partial(self._ask_datacenter, share=share, pause=pause)
            list(threads.map(ask, self._datacenters().values()))

    def _datacenters(self) -> Mapping[str | None, Sequence[ConsulWatch]]:
        """Return the services that are asked about, by where they are."""
        datacenters: defaultdict[str | None, list[ConsulWatch]] = defaultdict(list)
        for address, watch in self._watches.items():
            datacenters[address.datacenter].append(watch)
        return datacenters

    def _ask_datacenter(
        self, watches: Iterable[ConsulWatch], *, share: timedelta, pause: Pause
    ) -> None:
        """Ask about services of one datacenter, last about those whose last question failed."""
        took = {False: timedelta(0), True: timedelta(0)}
        turns = sorted(watches, key=lambda watch: (watch.failed, watch.asked_at))
        for turn, watch in enumerate(turns, start=1):
            if self._stop.is_set():
                return
            failed, began = watch.failed, time.monotonic()
            if took[failed] >= share:
                continue
            pause(self._until_next())
            heard = watch.step(wait=timedelta(0))
            if watch.silent:
                for left_out in turns[turn:]:
                    left_out.not_asked(_SILENT_DATACENTER)
                return
            if not heard:
                pause(_AFTER_ERROR_SECONDS)
            took[failed] += timedelta(seconds=time.monotonic() - began)

    def _until_next(self) -> float:
        """Return the seconds until one more question may be asked, whoever asks it."""
        with self._pace:
            now = time.monotonic()
            at = max(now, self._next_at)
            self._next_at = at + _BETWEEN_SECONDS
            return at - now

    def _run(self) -> None:
        """Begin a turn of every datacenter each round, but for those whose last one goes on.

        Those that left their last question unanswered have threads of their own to wait in.
        """
        turns: dict[str | None, Future[None]] = {}
        share, pause = _MOST_OF_A_ROUND * self._every, self._stop.wait
        with (
            ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="consul") as threads,
            ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="consul-silent") as waiting,
        ):
            while not self._stop.is_set():
                turns = {name: turn for name, turn in turns.items() if not turn.done()}
                for name, watches in self._datacenters().items():
                    if name not in turns:
                        pool = waiting if any(watch.silent for watch in watches) else threads
                        ask = partial(self._ask_datacenter, watches, share=share, pause=pause)
                        turns[name] = pool.submit(ask)
                        turns[name].add_done_callback(_tell_failure)
                pause(self._every.total_seconds())

    def _address(self, service: ConsulService) -> ConsulAddress:
        return ConsulAddress(
            base_url(self._consul_url),
            service.service,
            tag=service.tag,
            datacenter=service.datacenter,
        )

    def _compared(
        self, workload: WorkloadFacts, watch: ConsulWatch, *, now: datetime
    ) -> Routability:
        target = workload.target
        before = self._memories.get(target)
        try:
            instances = watch.instances(within=_GOOD_FOR)
        except MetricUnavailableError as error:
            if before is not None:
                self._memories[target] = replace(before, silent=True)
            known = self._seen.get(target, Routability(None))
            self._seen[target] = replace(known, passing=None, detail=str(error))
            return self._seen[target]
        memory = self._memories[target] = remembered(before, workload, instances, now=now)
        self._seen[target] = routability(memory, now=now)
        return self._seen[target]


def _tell_failure(turn: Future[None]) -> None:
    """Log an error of ours that ended a turn: nobody else looks at what came of it."""
    if (error := turn.exception()) is not None:
        logger.error("consul_turn_failed", exc_info=error)
