"""HPA's arithmetic a second time, step by step as its documentation tells it, against ours.

The reference is slow and plain on purpose: dictionaries of numbers, no types, no sharing with the
code under test; thousands of random cases must come out alike.
"""

import math
from datetime import timedelta
from random import Random

import pytest

from autoscaler.decide.facts import PodPhase
from autoscaler.decide.pod_classes import MeasuredPod, SampleTiming
from autoscaler.decide.replica_calculator import (
    PodMetric,
    ReplicaCalculationError,
    replicas_for_pod_metric,
)
from autoscaler.decide.stabilization import stabilized_replicas
from autoscaler.decide.state import ScaleEvent, TimestampedRecommendation, WorkloadState
from autoscaler.decide.total_metric import replicas_for_average_value, replicas_for_value
from autoscaler.decide.usage_ratio import Tolerances
from autoscaler.policy.behavior import Behavior, ScalingRules
from autoscaler.policy.metric import TargetType
from decide.hpa_cases import damped
from decide.worlds import LONG_AGO, NOW, ago

SEEDS = range(60)
PER_SEED = 50
# HPA counts in int32.
MOST = 2**31 - 1
TIMING = SampleTiming(30.0, 60.0, 300.0, 30.0)


def unready_by_cpu(pod):
    start, changed = pod["start"], pod["changed"]
    if start is None or changed is None:
        return True
    if start < 300:
        return not pod["ready"] or changed - 30 < 60
    return not pod["ready"] and start - changed < 30


def class_of(pod, cpu):
    if pod["deleted"] or pod["phase"] == "Failed":
        return "ignored"
    if pod["phase"] == "Pending":
        return "unready"
    if pod["usage"] is None:
        return "missing"
    return "unready" if cpu and unready_by_cpu(pod) else "ready"


def ratio_of(samples, requests, strangers, target, by_request):
    if by_request:
        wanted = sum(requests[name] for name in samples)
        if wanted == 0:
            raise ZeroDivisionError
        return (100 * sum(samples.values()) // wanted) / target
    values = [*samples.values(), *strangers]
    return (sum(values) // len(values)) / target


def filled_in(names, usage, ratio, requests, target, by_request):
    """Reckon with missing and unready pods against the direction of the change."""
    ready, unready, missing = names
    samples = {name: usage[name] for name in ready}
    if ratio > 1:
        samples |= dict.fromkeys([*missing, *unready], 0)
    if ratio < 1:
        for name in missing:
            full = requests[name] * max(100, target) // 100 if by_request else target
            samples[name] = full
    return samples


def expected_replicas(pods, current, target, by_request, cpu, strangers, tolerance):
    if not strangers and all(pod["usage"] is None for pod in pods):
        raise ZeroDivisionError
    if by_request and any(pod["request"] is None for pod in pods):
        raise ZeroDivisionError
    requests, usage = ({pod["name"]: pod[key] for pod in pods} for key in ("request", "usage"))
    names = [
        [pod["name"] for pod in pods if class_of(pod, cpu) == kind]
        for kind in ("ready", "unready", "missing")
    ]
    ready, unready, missing = names
    first = {name: usage[name] for name in ready}
    if not first and not strangers:
        raise ZeroDivisionError
    ratio = ratio_of(first, requests, strangers, target, by_request)
    if not missing and not (unready and ratio > 1):
        return current if within(ratio, tolerance) else math.ceil(ratio * len(ready))
    samples = filled_in(names, usage, ratio, requests, target, by_request)
    again = ratio_of(samples, requests, strangers, target, by_request)
    wanted = math.ceil(again * (len(samples) + len(strangers)))
    flips = (ratio < 1 < again) or (again < 1 < ratio)
    against = (again < 1 and wanted > current) or (again > 1 and wanted < current)
    return current if within(again, tolerance) or flips or against else wanted


def within(ratio, tolerance):
    up, down = tolerance
    return abs(1 - ratio) <= (up if ratio > 1 else down)


def random_pod(random, number, by_request):
    return {
        "name": f"p{number}",
        "phase": random.choice(("Running",) * 8 + ("Pending", "Failed")),
        "deleted": random.random() < 0.05,
        "ready": random.random() < 0.8,
        "start": random.choice((None, 0, 10, 299, 300, 301, 5000, 5000, 5000)),
        "changed": random.choice((None, 0, 89, 90, 91, 270, 271, 4970, 4971, 4000, 9000)),
        "request": random.choice((None,) + (1000, 1000, 500, 250, 0) * 10) if by_request else None,
        "usage": random.choice((None, *[random.randint(0, 2000) for _ in range(8)])),
    }


def measured(pod):
    return MeasuredPod(
        pod["name"],
        PodPhase(pod["phase"]),
        pod["ready"],
        pod["deleted"],
        pod["start"],
        pod["changed"],
        pod["request"],
        pod["usage"],
        has_sample=pod["usage"] is not None,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_per_pod_metrics_ask_for_what_the_reference_does(seed):
    random = Random(seed)
    for _ in range(PER_SEED):
        by_request, cpu = random.random() < 0.5, random.random() < 0.5
        pods = [random_pod(random, n, by_request) for n in range(random.randint(1, 9))]
        strangers = [random.randint(0, 2000)] * random.choice((0, 0, 0, 1, 2))
        current, target = random.randint(1, 12), random.choice((30, 50, 100, 130, 400))
        tolerance = random.choice(((0.1, 0.1), (0.0, 0.3), (0.25, 0.0)))
        kind = TargetType.UTILIZATION if by_request else TargetType.AVERAGE_VALUE
        metric = PodMetric(kind, target, cpu, Tolerances(*tolerance), TIMING)
        try:
            got = replicas_for_pod_metric(
                [measured(pod) for pod in pods],
                current_replicas=current,
                metric=metric,
                samples_for_unknown_pods=strangers,
            ).replicas
        except ReplicaCalculationError:
            got = None
        try:
            want = expected_replicas(pods, current, target, by_request, cpu, strangers, tolerance)
        except ZeroDivisionError:
            want = None
        assert got == want, (pods, current, metric, strangers)


@pytest.mark.parametrize("seed", SEEDS)
def test_totals_ask_for_what_the_reference_does(seed):
    random = Random(seed)
    for _ in range(PER_SEED):
        total, target = random.randint(0, 10 ** random.randint(1, 12)), random.randint(1, 10**6)
        current = random.choice((0, 1, 3, 7, 1000))
        ready = random.randint(0, current)
        up, down = random.choice(((0.1, 0.1), (0.0, 0.3)))
        ratio = total / target
        by_value = math.ceil(ratio * ready) if current else math.ceil(ratio)
        if current and within(ratio, (up, down)):
            by_value = current
        share = total / (target * current) if current else math.inf
        by_average = current if within(share, (up, down)) else math.ceil(total / target)
        tolerances = Tolerances(up, down)
        got = replicas_for_value(
            total,
            target=target,
            current_replicas=current,
            ready_replicas=ready,
            tolerances=tolerances,
        )
        average = replicas_for_average_value(
            total, target=target, current_replicas=current, tolerances=tolerances
        )

        assert got.replicas == min(by_value, MOST)
        assert average.replicas == min(by_average, MOST)


def limit_of(rules, current, events, sign):
    if rules["select"] == "Disabled":
        return current
    limits = []
    for kind, value, period in rules["policies"]:
        recent = [change for age, change in events if age < period]
        base = current - sum(recent)
        if kind == "Pods":
            limits.append(base + sign * value)
        elif sign > 0:
            limits.append(math.ceil(base * (1 + value / 100)))
        else:
            limits.append(math.trunc(base * (1 - value / 100)))
    biggest = max(limits) if sign > 0 else min(limits)
    smallest = min(limits) if sign > 0 else max(limits)
    limit = smallest if rules["select"] == "Min" else biggest
    return max(limit, current) if sign > 0 else min(limit, current)


def random_rules(random):
    return {
        "select": random.choice(("Max", "Max", "Min", "Disabled")),
        "policies": [
            (
                random.choice(("Pods", "Percent")),
                random.randint(1, 150),
                random.choice((15, 60, 300)),
            )
            for _ in range(random.randint(1, 3))
        ],
    }


def scaling_rules(rules):
    policies = [{"type": t, "value": v, "periodSeconds": p} for t, v, p in rules["policies"]]
    return ScalingRules.model_validate({"selectPolicy": rules["select"], "policies": policies})


@pytest.mark.parametrize("seed", SEEDS)
def test_rate_limits_and_bounds(seed):
    random = Random(seed)
    for _ in range(PER_SEED):
        current, wanted = random.randint(1, 60), random.randint(0, 90)
        low = random.randint(0, 30)
        high = low + random.randint(0, 60)
        up, down = random_rules(random), random_rules(random)
        events = [
            (random.choice((0, 14, 15, 16, 59, 60, 299, 300)), random.randint(-20, 20))
            for _ in range(random.randint(0, 4))
        ]
        after, reason = wanted, "DesiredWithinRange"
        if wanted > current:
            limit = limit_of(up, current, events, 1)
            if wanted > min(limit, high):
                after = min(limit, high)
                reason = "ScaleUpLimit" if limit < high else "TooManyReplicas"
        elif wanted < current:
            limit = limit_of(down, current, events, -1)
            if wanted < max(limit, low):
                after = max(limit, low)
                reason = "ScaleDownLimit" if limit > low else "TooFewReplicas"
        past = tuple(ScaleEvent(ago(age), change) for age, change in events)
        got = damped(
            wanted,
            current=current,
            bounds=(low, high),
            behavior=Behavior(scale_up=scaling_rules(up), scale_down=scaling_rules(down)),
            state=WorkloadState(LONG_AGO, scale_events=past),
        )

        assert (got.desired_replicas, got.reason) == (after, reason)


@pytest.mark.parametrize("seed", SEEDS)
def test_stabilization_keeps_what_the_reference_does(seed):
    random = Random(seed)
    for _ in range(PER_SEED):
        current, wanted = random.randint(0, 30), random.randint(0, 30)
        history = [
            (random.choice((0, 59, 60, 61, 299, 300, 301, 10**9)), random.randint(0, 30))
            for _ in range(random.randint(0, 5))
        ]
        up_window, down_window = random.choice((0, 60, 300)), random.choice((0, 60, 300))
        lowest = min([wanted, *(n for age, n in history if age < up_window)])
        highest = max([wanted, *(n for age, n in history if age < down_window)])
        expected = min(max(current, lowest), highest)
        got = stabilized_replicas(
            wanted,
            current_replicas=current,
            history=[TimestampedRecommendation(ago(age), n) for age, n in history],
            up_window=timedelta(seconds=up_window),
            down_window=timedelta(seconds=down_window),
            now=NOW,
        )

        assert got == expected
