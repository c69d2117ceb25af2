import re
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files

import pytest

from autoscaler.decide.facts import Doubt, Sample, Trust
from autoscaler.decide.reason import Reason
from autoscaler.review.attention import SEVERITY, Attention, attention_of
from autoscaler.review.fields import ASLEEP
from review.records import (
    CHECKOUT,
    NOW,
    UNROUTABLE,
    decided,
    forecast,
    policy,
    record,
    signal,
    workload,
)

REFUSED = {"rescaled": False, "not_rescaled_because": "403 Forbidden"}


SILENT, UNANSWERED = (
    signal(
        sample=Sample(None, doubt=doubt),
        forecast=forecast(40.0, trust=Trust.STALE, age=timedelta(hours=5)),
    )
    for doubt in (Doubt.ABSENT, Doubt.UNREACHABLE)
)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(record(10, 10), Attention.CALM, id="nothing to see"),
        pytest.param(record(10, 14, **REFUSED), Attention.REFUSED, id="refused"),
        pytest.param(decided(spec=policy(mode="ForecastOnly")), Attention.CALM, id="only forecast"),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because="standby: another replica leads"),
            Attention.CALM,
            id="a standby is not refused",
        ),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because="waiting: another count acts"),
            Attention.CALM,
            id="nor is who waits",
        ),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because="standby/checkout: PATCH: 403"),
            Attention.REFUSED,
            id="a namespace may be called as a role is",
        ),
        pytest.param(record(0, 0, workload=None), Attention.NOT_FOUND, id="gone"),
        pytest.param(
            record(10, 10, (Reason.REPLICAS_CONTESTED, 14, 10)), Attention.CONTESTED, id="contested"
        ),
        pytest.param(
            decided(signal(sample=Sample(None, doubt=Doubt.ABSENT), forecast=None)),
            Attention.UNKNOWN,
            id="blind",
        ),
        pytest.param(
            decided(SILENT, current=0, spec=policy(minReplicas=0)), Attention.CALM, id="asleep"
        ),
        pytest.param(
            decided(
                signal(sample=Sample(None, doubt=Doubt.ABSENT), forecast=None),
                current=0,
                spec=policy(minReplicas=0),
            ),
            Attention.CALM,
            id="asleep, and never heard of",
        ),
        pytest.param(
            decided(UNANSWERED, current=0, spec=policy(minReplicas=0)),
            Attention.UNKNOWN,
            id="asleep, and Prometheus does not answer",
        ),
        pytest.param(
            decided(SILENT, current=1, spec=policy(minReplicas=0)), Attention.UNKNOWN, id="awake"
        ),
        pytest.param(
            decided(signal(capacity=None)),
            Attention.HELD,
            id="the load is known, what a pod carries is not",
        ),
        pytest.param(
            decided(signal(sample=Sample(1600.0, NOW, 3, doubt=Doubt.PARTIAL)), current=14),
            Attention.UNKNOWN,
            id="as many as are there, by a part of what is measured",
        ),
        pytest.param(decided(spec=policy(maxReplicas=12)), Attention.CAPPED, id="capped"),
        pytest.param(
            record(workload=workload(10, routability=UNROUTABLE)),
            Attention.UNROUTABLE,
            id="ready, but not found by callers",
        ),
        pytest.param(
            record(workload=workload(10, routability=replace(UNROUTABLE, passing=None))),
            Attention.CALM,
            id="Consul does not say",
        ),
        pytest.param(record(trust=Trust.STALE), Attention.STALE, id="stale"),
        pytest.param(record(trust=Trust.DEMOTED), Attention.DEMOTED, id="demoted"),
        pytest.param(record(trust=Trust.WARMING), Attention.WARMING, id="warming"),
        pytest.param(
            record(workload=workload(10, ready=7)), Attention.STARTING, id="pods not ready"
        ),
        pytest.param(
            record(10, 10, (Reason.COOLDOWN_ACTIVE, 8, 10)), Attention.HELD, id="held by cooldown"
        ),
        pytest.param(record(10, 10, (Reason.PAUSED, 8, 10)), Attention.PAUSED, id="paused"),
        pytest.param(
            record(10, 12, (Reason.HPA_MAX_REPLICAS, 14, 12)), Attention.CAPPED, id="by an HPA"
        ),
        pytest.param(
            record(10, 12, (Reason.TOO_MANY_REPLICAS, 14, 12), trust=Trust.DEMOTED),
            Attention.CAPPED,
            id="the worst word counts",
        ),
        pytest.param(
            record(workload=workload(10, ready=7), trust=Trust.DEMOTED),
            Attention.STARTING,
            id="missing pods before a forecast that is not trusted",
        ),
    ],
)
def test_the_most_urgent_word_that_applies(made, expected):
    assert made.target == CHECKOUT
    assert attention_of(made) is expected


def test_every_word_has_a_rank_and_calm_is_last():
    assert sorted(SEVERITY, key=SEVERITY.__getitem__) == list(Attention)
    assert max(Attention, key=SEVERITY.__getitem__) is Attention.CALM


def test_the_page_says_what_every_word_means():
    page = (files("autoscaler.review") / "static" / "page.html").read_text(encoding="utf-8")
    overview = page.partition('<section id="policy"')[0]

    assert re.findall(r"<dt>(.+)</dt>", overview)[: len(Attention)] == list(Attention)


def test_the_page_says_what_every_trust_means():
    page = (files("autoscaler.review") / "static" / "page.html").read_text(encoding="utf-8")
    told = re.findall(r"<dt>trust</dt><dd>(.+)</dd>", page)[0]

    assert set(re.findall(r"(\w+):", told)) == {*Trust, ASLEEP}
