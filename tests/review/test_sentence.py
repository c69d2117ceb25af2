import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.facts import Doubt, Sample, Trust
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.quantity import duration_text, share_text
from autoscaler.review.fields import MESSAGE_LIMIT
from autoscaler.review.sentence import sentence
from review.records import LONG_AGO, NOW, decided, forecast, policy, record, signal

EXPECTED = (
    "requestRate linkerd, now 1200, may reach 1600 in 2m (risk 1%), which needs 14 at 120 per pod."
)
BLIND = signal(sample=Sample(None, doubt=Doubt.ABSENT, detail="no series"), forecast=None)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(
            decided(), f"scaled from 10 to 14 replicas: {EXPECTED}", id="the forecast asks for more"
        ),
        pytest.param(decided(current=14), f"kept 14 replicas: {EXPECTED}", id="nothing to do"),
        pytest.param(
            decided(spec=policy(mode="ForecastOnly")),
            f"would scale from 10 to 14 replicas (ForecastOnly): {EXPECTED}",
            id="forecast only",
        ),
        pytest.param(
            decided(spec=policy(maxReplicas=12)),
            f"scaled from 10 to 12 replicas: maxReplicas caps it at 12; {EXPECTED}",
            id="capped: the deciding rule comes first",
        ),
        pytest.param(
            decided(current=20),
            "kept 20 replicas: the scale-down stabilization window still asks for 20; " + EXPECTED,
            id="held by the window",
        ),
        pytest.param(
            decided(current=40, state=WorkloadState(NOW)),
            "kept 40 replicas: the autoscaler has just started, so 40 stay (5m left); " + EXPECTED,
            id="just started",
        ),
        pytest.param(
            decided(BLIND, current=14),
            "kept 14 replicas: metrics are unknown, which never lowers: "
            "requestRate linkerd is absent, no series.",
            id="blind",
        ),
        pytest.param(
            decided(signal(forecast=forecast(trust=Trust.DEMOTED))),
            "scaled from 10 to 15 replicas: requestRate linkerd, now 1200, may reach 1760 in 2m "
            "(risk 1%), which needs 15 at 120 per pod (forecast demoted).",
            id="demoted: persistence speaks",
        ),
        pytest.param(
            decided(signal(2500.0)),
            "scaled from 10 to 20 replicas: the scale-up rate limit allows 20; "
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
