"""Pods that never become ready carry nothing: others are ordered in their place."""

import math
from datetime import timedelta

from autoscaler.decide.case import Case
from autoscaler.decide.decision import Limit
from autoscaler.decide.pod_metric import PER_POD
from autoscaler.decide.reason import Reason

# As long as unready pods hold scale-in: far beyond any start, two image pull back-offs.
NEVER_READY_AFTER = timedelta(minutes=15)
# Enough for a bad node among five; more would only pile up behind the same cause.
MOST_MADE_UP_FOR = 0.25


def made_up_for(number: int, case: Case) -> Limit | None:
    """Order replacements for pods that have not become ready for `NEVER_READY_AFTER`.

    They are a quarter of the pods that load asks for at most, so that a cluster without room, or a
    broken image, is not flooded with pods.
    """
    workload, asked = case.workload, _asked_for(number, case)
    if workload.ready_replicas >= asked or workload.pods is None:
        return None
    pods = [pod for pod in workload.pods if pod.goes_on]
    late = [
        pod.created_at
        for pod in pods
        if not pod.ready and case.now - pod.created_at >= NEVER_READY_AFTER
    ]
    if not late:
        return None
    came = 0
    if not _is_needed(asked, case):  # it holds those already that came in place of the late ones
        since = min(late) + NEVER_READY_AFTER
        came = sum(pod.created_at >= since for pod in pods)
    after = asked - came + min(len(late), math.ceil(MOST_MADE_UP_FOR * (asked - came)))
    if after <= number:
        return None
    return Limit(Reason.PODS_NEVER_READY, number, after, f"{len(late)} not ready for long")


def _asked_for(number: int, case: Case) -> int:
    """Return as many pods as load asks for, and has asked for throughout the scale-out window.

    Where no load is known there is no such number: it is what the rules before left.
    """
    recommended = case.recommendation.replicas
    if recommended is None:
        return number
    since = case.now - case.policy.behavior.scale_up_window
    lately = (earlier.replicas for earlier in case.state.recommendations if earlier.at > since)
    return min(number, recommended, *lately)


def _is_needed(number: int, case: Case) -> bool:
    """Whether a metric needs this number; else it is the current count that tolerance keeps."""
    if number != case.current or number < (case.recommendation.replicas or 0):
        return True
    each = zip(case.recommendation.proposals, case.policy.metrics, strict=False)
    return any(
        number == (proposal.predictive if metric.type in PER_POD else proposal.replicas)
        for proposal, metric in each
    )
