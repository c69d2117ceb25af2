"""What the rules are told of a batch; what cannot be a load is no forecast, and in nobody's way."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.decide.facts import Sample, Signal
from autoscaler.decide.pipeline import reconciled
from autoscaler.forecast_facts import Horizon, forecast_facts
from decide.worlds import CAPACITY, NOW, policy, quiet, workload
from models.batch import nothing_known
from models.trust import Trust

NONSENSE = (float("nan"), float("inf"), -float("inf"), -1.0)


def told(**fields):
    """Return what is told of one trusted forecast of a thousand."""
    ones = np.ones(1)
    batch = replace(
        nothing_known(1),
        known=ones > 0,
        trust=np.array([Trust.TRUSTED], dtype=np.int8),
        age_seconds=15.0 * ones,
        history_seconds=86_400.0 * ones,
        **dict.fromkeys(("median", "quantile", "reactive_quantile"), 1000.0 * ones)
        | {name: value * ones for name, value in fields.items()},
    )
    [fact] = forecast_facts(batch, Horizon(120.0 * ones, 15.0 * ones, 0.01 * ones))
    return fact


def decided(load, forecast, *, saturated_at=None):
    """Return how many of ten pods there are after one cycle; ten were asked for until now."""
    capacity = replace(CAPACITY, saturated_at=saturated_at)
    outcome = reconciled(
        (Signal("rate", Sample(load, NOW, 1), capacity, forecast),),
        workload=workload(10),
        policy=policy(),
        state=quiet(10, 10, 10),
        now=NOW,
    )
    return outcome.decision.desired_replicas


def test_a_load_is_told_as_it_is():
    assert told().quantile == 1000.0


@pytest.mark.parametrize("wrong", NONSENSE)
@pytest.mark.parametrize("name", ["median", "quantile", "reactive_quantile"])
def test_what_cannot_be_a_load_is_no_forecast(name, wrong):
    assert told(**{name: wrong}) is None


@pytest.mark.parametrize("wrong", NONSENSE)
@pytest.mark.parametrize("saturated_at", [None, 120.0])
def test_without_it_the_measured_load_adds_pods_at_once_and_takes_none_for_a_window(
    wrong, saturated_at
):
    nonsense = told(median=wrong, quantile=wrong)

    assert decided(2000.0, nonsense, saturated_at=saturated_at) == 20
    assert decided(300.0, nonsense, saturated_at=saturated_at) == 10
