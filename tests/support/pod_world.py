"""One Deployment whose pods start, serve and fail to be seen: both ports, with what is wrong now.

The truth is kept apart from what the daemon is told, so that a mistake shows: `short_by` reckons
from the load itself, which no fault touches.
Only what the adapters let through is told: what they would have flagged carries its doubt.
"""

import math
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from autoscaler.decide.facts import Doubt, PodFacts, PodPhase, Sample, TargetRef, WorkloadFacts
from autoscaler.errors import ScaleConflictError, ScaleRefusedError, ScaleUnansweredError

TARGET = TargetRef("shop", "checkout")
BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TICK = timedelta(seconds=15)
# One pod requests a core and is to use half of it; a request per second costs 5 milli-cores.
CAPACITY, CORES_PER_REQUEST, BOOT_CORES = 100.0, 0.005, 0.3
# As many pods as HPA's tolerance spares.
TOLERATED = 0.9

_WRONG = {
    "absent": lambda sample, at: Sample(None, doubt=Doubt.ABSENT),
    "not a number": lambda sample, at: replace(sample, value=math.nan),
    "infinite": lambda sample, at: replace(sample, value=math.inf),
    "negative": lambda sample, at: replace(sample, value=-5.0),
    "old": lambda sample, at: replace(sample, value=1.0, sampled_at=at - timedelta(minutes=20)),
    "partial": lambda sample, at: replace(
        sample, value=(sample.value or 0.0) / 3, doubt=Doubt.PARTIAL
    ),
}
FAULTS = (
    *(f"{wrong} {metric}" for wrong in _WRONG for metric in ("rate", "cpu")),
    *("a pod's cpu is none", "new pods are not scraped", "rollout"),
    *("pods not watched", "watch of pods stands still", "watch stands still", "gone"),
    *("no reread", "refused", "lost", "arrives unanswered"),
)


@dataclass
class Pod:
    """A pod of the world."""

    name: str
    created_at: datetime
    version: int


class PodWorld:
    """The Cluster and the Metrics port over one Deployment."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now, self.skew = BEGIN, timedelta(0)
        self.load = random.uniform(200, 3000)
        self.loads: deque[float] = deque([self.load], maxlen=4)
        """What was asked for, tick by tick."""
        self.startup = timedelta(seconds=random.choice((5, 30, 60, 150)))
        self.pods: list[Pod] = []
        self.version = self.template = self.n_pods = 0
        self.faults: dict[str, datetime] = {}
        self.annotations: dict[str, str] = {}
        self.rival: str | None = None
        self.lowered: list[tuple[int, int]] = []
        self._shown: WorkloadFacts | None = None
        self.order(math.ceil(self.load / CAPACITY))
        for pod in self.pods:
            pod.created_at -= timedelta(hours=2)

    def order(self, replicas: int) -> None:
        """Let so many pods be there: the newest of those that do not serve go first."""
        self.replicas, self.version = replicas, self.version + 1
        by_worth = sorted(self.pods, key=lambda p: (not self._ready(p), -p.created_at.timestamp()))
        self.pods = by_worth[:replicas]
        while len(self.pods) < replicas:
            self.n_pods += 1
            self.pods.append(Pod(f"checkout-{self.n_pods}", self.now, self.template))

    def begin(self, fault: str, seconds: int) -> None:
        self.template += fault == "rollout"
        self.faults[fault] = self.now + timedelta(seconds=seconds)

    def advance(self) -> None:
        """Live on for a tick."""
        jump = self.random.random() < 0.015
        self.load *= (
            self.random.choice((2.0, 0.5, 1.5)) if jump else self.random.uniform(0.97, 1.03)
        )
        self.load = min(max(self.load, 50.0), 6000.0)
        self.loads.append(self.load)
        self.now += TICK
        old = [pod for pod in self.pods if pod.version != self.template]
        for pod in old[: max(1, len(self.pods) // 8)]:
            pod.name, pod.created_at, pod.version = f"{pod.name}x", self.now, self.template

    def short_by(self, replicas: int) -> int:
        """Return how many pods too few these are for the least load of the last minute."""
        return math.ceil(min(self.loads) / CAPACITY * TOLERATED - 1e-9) - replicas

    def workloads(self, targets):
        if self._has("gone"):
            return {}
        if self._shown is None or not self._has("watch stands still"):
            self._shown = self._facts()
        return {TARGET: self._shown}

    def reread(self, target):
        if self._has("no reread"):
            raise ScaleRefusedError("500")
        return self._facts()

    def patch_scale(self, target, replicas, *, resource_version):
        if self._has("refused"):
            raise ScaleRefusedError("500")
        if resource_version != str(self.version):
            raise ScaleConflictError("409")
        if self._has("lost"):
            raise ScaleUnansweredError("no answer")
        if replicas < self.replicas:
            self.lowered.append((self.replicas, replicas))
        self.order(replicas)
        if self._has("arrives unanswered"):
            raise ScaleUnansweredError("no answer")

    def patch_min_replicas(self, target, min_replicas):
        raise NotImplementedError

    def record_event(self, target, *, reason, message, warning=False):
        return

    def newest(self, series, *, now, workloads):
        samples = []
        for one in series:
            metric = "rate" if one.metric.type == "RequestRate" else "cpu"
            at = self.now - TICK
            sample = Sample(self.loads[-1], at, 1) if metric == "rate" else self._cpu(at)
            for wrong, told in _WRONG.items():
                if self._has(f"{wrong} {metric}"):
                    sample = told(sample, self.now)
            samples.append(sample)
        return samples

    def _cpu(self, at: datetime) -> Sample:
        ready = [pod for pod in self.pods if self._ready(pod)]
        each = self.loads[-1] * CORES_PER_REQUEST / max(1, len(ready))
        young = self.now - self.startup - timedelta(seconds=90)
        by_pod = {
            pod.name: each if self._ready(pod) else BOOT_CORES
            for pod in self.pods
            if pod.created_at <= young or not self._has("new pods are not scraped")
        }
        if self._has("a pod's cpu is none") and by_pod:
            by_pod[self.random.choice(list(by_pod))] = math.nan
        known = [cores for cores in by_pod.values() if math.isfinite(cores)]
        if not known:
            return Sample(None, doubt=Doubt.ABSENT)
        return Sample(sum(known), at, len(by_pod), by_pod=by_pod)

    def _has(self, fault: str) -> bool:
        return self.faults.get(fault, BEGIN) > self.now

    def _ready(self, pod: Pod) -> bool:
        return self.now - pod.created_at >= self.startup

    def _facts(self) -> WorkloadFacts:
        pods = tuple(map(self._pod_facts, self.pods))
        if self._has("watch of pods stands still") and self._shown is not None:
            pods = self._shown.pods or ()
        return WorkloadFacts(
            TARGET,
            self.replicas,
            len(self.pods),
            sum(map(self._ready, self.pods)),
            str(self.version),
            self.now,
            rollout_in_progress=any(pod.version != self.template for pod in self.pods),
            template_hash=str(self.template),
            annotations=dict(self.annotations),
            pods=None if self._has("pods not watched") else pods,
            requests={("app", "cpu"): 1.0},
            rival=self.rival,
            generation=self.version,
        )

    def _pod_facts(self, pod: Pod) -> PodFacts:
        ready, at = self._ready(pod), pod.created_at
        return PodFacts(
            pod.name,
            at,
            PodPhase.RUNNING if ready else PodPhase.PENDING,
            ready=ready,
            started_at=at,
            ready_transition_at=at + self.startup if ready else at,
            template_hash=str(pod.version),
            requests={("app", "cpu"): 1.0},
        )


class RestingWorld(PodWorld):
    """The same under a load that comes for seven minutes and rests for half an hour."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.beat = self.rested = 0
        """For how many ticks it has been going, and for how many nothing was asked for."""

    def advance(self) -> None:
        super().advance()
        self.beat += 1
        if self.beat % 150 >= 30:
            self.loads[-1] = 0.0
        self.rested = 0 if self.loads[-1] else self.rested + 1
