"""Pods that never become ready carry nothing: others are ordered in their place."""

import math
from datetime import datetime, timedelta

from autoscaler.decide.decision import Limit
from autoscaler.decide.facts import WorkloadFacts
from autoscaler.decide.reason import Reason

# As long as unready pods hold scale-in: far beyond any start, two image pull back-offs.
NEVER_READY_AFTER = timedelta(minutes=15)
# Enough for a bad node among five; more would only pile up behind the same cause.
MOST_MADE_UP_FOR = 0.25


def replacements(
    number: int, *, workload: WorkloadFacts, needed: bool, now: datetime
) -> Limit | None:
    """Add replacements for pods that have not become ready for `NEVER_READY_AFTER`.

    They are a quarter of the number at most, so that a cluster without room, or a broken image, is
    not flooded with pods.
    Where the number is not `needed` by a metric, but just the current count, the pods that were
    created since then are such replacements already, and are taken off.
    """
    if workload.ready_replicas >= number or workload.pods is None:
        return None
    pods = [pod for pod in workload.pods if pod.goes_on]
    late = [
        pod.created_at
        for pod in pods
        if not pod.ready and now - pod.created_at >= NEVER_READY_AFTER
    ]
    if not late:
        return None
    came = 0
    if not needed:
        since = min(late) + NEVER_READY_AFTER
        came = sum(pod.created_at >= since for pod in pods)
    more = min(len(late), math.ceil(MOST_MADE_UP_FOR * (number - came))) - came
    if more <= 0:
        return None
    return Limit(Reason.PODS_NEVER_READY, number, number + more, f"{len(late)} not ready for long")
