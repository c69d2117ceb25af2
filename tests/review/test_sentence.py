import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.decision import Proposal, Recommendation
from autoscaler.decide.facts import Doubt, Sample, Trust
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.quantity import duration_text, share_text
from autoscaler.policy.schema import Mode
from autoscaler.review.fields import MESSAGE_LIMIT
from autoscaler.review.sentence import sentence
from review.records import LONG_AGO, NOW, UNROUTABLE, decided, record, signal, workload

EXPECTED = (
    "requestRate linkerd, now 1200, may reach 1600 in 2m (risk 1%), which needs 14 at 120 per pod."
)


def recommended(predictive, reactive, detail=""):
    proposal = Proposal("requestRate linkerd", predictive, reactive)
    return Recommendation(
        proposal.replicas, Reason.FORECAST_ABOVE_TARGET, (proposal,), detail=detail
    )


BLIND = signal(sample=Sample(None, doubt=Doubt.ABSENT, detail="no series"), forecast=None)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(
            record(10, 14), f"scaled from 10 to 14 replicas: {EXPECTED}", id="the forecast asks"
        ),
        pytest.param(record(14, 14), f"kept 14 replicas: {EXPECTED}", id="nothing to do"),
        pytest.param(
            record(14, 14, workload=workload(14, routability=replace(UNROUTABLE, passing=None))),
            f"kept 14 replicas: {EXPECTED}",
            id="what Consul does not say is not told",
        ),
        pytest.param(
            record(14, 14, workload=workload(14, routability=UNROUTABLE)),
            f"kept 14 replicas: {EXPECTED[:-1]}; not routable for 1m15s: "
            "6 of 10 ready pods do not pass in Consul.",
            id="ready, but not found by callers",
        ),
        pytest.param(
            record(10, 14, rescaled=False, mode=Mode.FORECAST_ONLY),
            f"would scale from 10 to 14 replicas (ForecastOnly): {EXPECTED}",
            id="forecast only",
        ),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because="dry run"),
            f"would scale from 10 to 14 replicas (dry run): {EXPECTED}",
            id="held back on purpose",
        ),
        pytest.param(
            record(10, 12, (Reason.TOO_MANY_REPLICAS, 14, 12), recommended=14),
            "scaled from 10 to 12 replicas: maxReplicas caps it at 12, fewer than are needed: "
            f"{EXPECTED}",
            id="capped: the deciding rule comes first",
        ),
        pytest.param(
            record(20, 20, (Reason.SCALE_DOWN_STABILIZED, 14, 20, "2m45s left"), recommended=14),
            "kept 20 replicas: the scale-down stabilization window holds 20 (2m45s left), "
            f"more than is needed: {EXPECTED}",
            id="held by the window",
        ),
        pytest.param(
            record(40, 40, (Reason.RESTART_HOLD, 14, 40, "5m left"), recommended=14),
            "kept 40 replicas: the autoscaler has just started, so 40 stay (5m left), "
            f"more than is needed: {EXPECTED}",
            id="just started",
        ),
        pytest.param(
            record(
                10,
                12,
                (Reason.SCALE_UP_STABILIZED, 14, 13),
                (Reason.SCALE_UP_LIMIT, 13, 12),
                recommended=14,
            ),
            "scaled from 10 to 12 replicas: the scale-up stabilization window holds 13; "
            f"then the scale-up rate limit allows 12, fewer than are needed: {EXPECTED}",
            id="every step, in order",
        ),
        pytest.param(
            record(
                14,
                14,
                (Reason.PODS_NEVER_READY, 14, 16),
                (Reason.TOO_MANY_REPLICAS, 16, 14),
                recommended=14,
            ),
            "kept 14 replicas: pods that never become ready make it 16; "
            f"then maxReplicas caps it at 14; {EXPECTED}",
            id="back at what is needed",
        ),
        pytest.param(
            decided(BLIND, current=14),
            "kept 14 replicas: metrics are unknown, which never lowers: "
            "requestRate linkerd is absent, no series.",
            id="blind",
        ),
        pytest.param(
            record(
                10, 15, trust=Trust.DEMOTED, recommendation=recommended(15, 10, "forecast demoted")
            ),
            "scaled from 10 to 15 replicas: requestRate linkerd, now 1200, may reach 1760 in 2m "
            "(risk 1%), which needs 15 at 120 per pod (forecast demoted).",
            id="demoted: persistence speaks",
        ),
        pytest.param(
            record(10, 21, recommendation=recommended(14, 21), signals=(signal(2500.0),)),
            "scaled from 10 to 21 replicas: "
            "requestRate linkerd is 2500, which needs 21 at 120 per pod.",
            id="the measurement is above the forecast",
        ),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because="403 Forbidden"),
            "wanted 14 replicas but 10 stay, not written (403 Forbidden): " + EXPECTED,
            id="refused by the API server",
        ),
    ],
)
def test_the_number_comes_first_and_then_the_one_reason(made, expected):
    assert sentence(made.as_dict()) == expected


def test_every_reason_has_a_sentence_that_ends_in_one_stop_and_is_bounded():
    for reason in Reason:
        told = sentence(record(10, 12, (reason, 14, 12, "x" * 900)).as_dict())

        assert told.endswith(".")
        assert len(told) <= MESSAGE_LIMIT + 1


@settings(deadline=None)
@given(
    value=st.just(0.0) | st.floats(0.01, 1e7),
    quantile=st.just(0.0) | st.floats(0.01, 1e7),
    current=st.integers(1, 200),
    last=st.integers(0, 600),
)
def test_every_figure_of_the_sentence_is_a_field_of_the_record(value, quantile, current, last):
    started = WorkloadState(LONG_AGO, last_scale_down_at=NOW)
    line = decided(signal(value, quantile=quantile), current=current, state=started).as_dict()

    figures = set(re.findall(r"(?<![\w.])\d[\d.e+]*\w*%?", line["message"].rstrip(".")))

    assert figures <= set(printed_figures(line))


def printed_figures(fields):
    """Yield every number of a record in each form in which a sentence may print it."""
    if isinstance(fields, dict):
        for key, value in fields.items():
            if key.endswith("_seconds") and value is not None:
                yield duration_text(timedelta(seconds=value))
            if key == "detail":
                yield from re.findall(r"\d[\w.]*", value)
            yield from printed_figures(value)
    elif isinstance(fields, list):
        for value in fields:
            yield from printed_figures(value)
    elif isinstance(fields, int | float):
        yield from (f"{fields:.6g}", str(fields), share_text(float(fields)))
