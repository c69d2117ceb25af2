"""What is to be said of a recorded past."""

import json
from datetime import timedelta

import numpy as np
import pytest

from autoscaler.metrics.doctor import Doctor
from autoscaler.metrics.findings import DOUBTFUL, Level, of_past
from autoscaler.metrics.settings import PrometheusSettings
from support.load_series import NOW, request_rate
from support.prometheus_stub import Reply

STEP = timedelta(minutes=5)
FORTNIGHT = 14 * 288


def past(*, days: float = 14.0, gaps: dict[int, int] | None = None) -> np.ndarray:
    load = np.full(FORTNIGHT, np.nan)
    load[FORTNIGHT - int(days * 288) :] = 5.0
    for first, length in (gaps or {}).items():
        load[first : first + length] = np.nan
    return load


@pytest.mark.parametrize(
    ("load", "level", "says"),
    [
        pytest.param(past(), Level.OK, "14.0 days, no gaps", id="whole"),
        pytest.param(
            past(gaps={1000: 12, 2000: 6}),
            Level.OK,
            "14.0 days, 2 gaps, the longest 1h, 0.4% of it missing",
            id="two gaps",
        ),
        pytest.param(
            past(gaps={FORTNIGHT - 3: 3}),
            Level.OK,
            "14.0 days, 1 gap, the longest 15m, 0.1% of it missing",
            id="missing at the end",
        ),
        pytest.param(
            past(gaps={1000: 600}),
            Level.WARNING,
            "14.0 days, 1 gap, the longest 2d2h, 14.9% of it missing",
            id="too much missing",
        ),
        pytest.param(past(days=2), Level.WARNING, "2.0 days, no gaps", id="short"),
        pytest.param(past(days=0), Level.WARNING, "nothing recorded", id="nothing"),
    ],
)
def test_the_past_is_told_by_length_gaps_and_what_is_missing(load, level, says):
    found = of_past(load, step=STEP)

    assert (found.level, found.says) == (level, says)


def test_a_past_that_prometheus_warns_of_may_be_too_low(stub):
    data = {"resultType": "matrix", "result": []}
    body = {"status": "success", "data": data, "isPartial": True}
    stub.reply = lambda _: Reply(body=json.dumps(body).encode())
    doctor = Doctor(PrometheusSettings(stub.url))
    [(found, _)] = doctor._pasts([request_rate(source="linkerd")], now=NOW)
    doctor.close()

    assert (found.level, found.subject, found.says) == ("warning", "history", DOUBTFUL)
