"""What its age, the clocks and the answer's warnings say against a sample."""

from datetime import timedelta

import pytest

from autoscaler.decide.facts import Doubt, PodFacts, PodPhase, Sample
from autoscaler.metrics.sample_quality import Circumstances, settled, with_doubt
from decide.worlds import LONG_AGO, NOW, ago

OLD = "newest sample is {} s old"
SKEW = "Prometheus's clock is {} s from ours"
WARNED = {"warnings": ("store 3: timed out", "store 4: timed out")}


def judged(age, *, doubt=None, skew=0, **around):
    """A sample of that age, as Prometheus gave it, after all was said against it."""
    sampled_at = None if age is None else ago(age)
    sample = Sample(120.0, sampled_at, 2, by_pod={"pod-0": 120.0}, doubt=doubt)
    around = {"skew": timedelta(seconds=skew)} | around
    return with_doubt(sample, Circumstances(NOW, {}, **around))


@pytest.mark.parametrize(
    ("age", "around", "doubt", "detail"),
    [
        pytest.param(45, {}, None, "", id="of one and a half scrapes"),
        pytest.param(46, {}, Doubt.PARTIAL, OLD.format(46), id="a scrape was missed"),
        pytest.param(120, {}, Doubt.PARTIAL, OLD.format(120), id="of four scrapes"),
        pytest.param(90, {"scrape_interval": timedelta(minutes=1)}, None, "", id="rare scrapes"),
        pytest.param(None, {}, None, "", id="of an unknown time"),
        pytest.param(-30, {}, None, "", id="a little ahead"),
        pytest.param(-31, {}, Doubt.CLOCK_SKEW, SKEW.format("+31"), id="from the future"),
        pytest.param(9, {"skew": 30}, None, "", id="clocks that differ a little"),
        pytest.param(9, {"skew": 31}, Doubt.CLOCK_SKEW, SKEW.format("+31"), id="and by more"),
        pytest.param(9, {"skew": -31}, Doubt.CLOCK_SKEW, SKEW.format("-31"), id="either way"),
        pytest.param(
            9, WARNED, Doubt.WARNED, "store 3: timed out; store 4: timed out", id="warnings"
        ),
        pytest.param(9, {"doubt": Doubt.DUPLICATED}, Doubt.DUPLICATED, "", id="a doubt it had"),
        pytest.param(
            60, {"doubt": Doubt.DUPLICATED}, Doubt.DUPLICATED, "", id="which is worse than late"
        ),
        pytest.param(
            9, WARNED | {"doubt": Doubt.DUPLICATED}, Doubt.DUPLICATED, "", id="and than warnings"
        ),
    ],
)
def test_what_is_doubted_keeps_its_value(age, around, doubt, detail):
    sample = judged(age, **around)

    assert (sample.value, sample.by_pod) == (120.0, {"pod-0": 120.0})
    assert (sample.doubt, sample.detail) == (doubt, detail)


@pytest.mark.parametrize("doubt", [None, Doubt.DUPLICATED])
def test_what_is_stale_has_no_value_in_whole_or_by_pod(doubt):
    sample = judged(121, doubt=doubt)

    assert (sample.value, sample.by_pod, sample.doubt) == (None, None, Doubt.STALE)
    assert sample.detail == OLD.format(121)


@pytest.mark.parametrize(
    ("fields", "is_settled"),
    [
        pytest.param({}, True, id="ready since nobody knows when"),
        pytest.param({"ready_transition_at": ago(181)}, True, id="for more than three minutes"),
        pytest.param({"ready_transition_at": ago(180)}, False, id="for no longer"),
        pytest.param({"created_at": ago(180)}, False, id="new"),
        pytest.param({"ready": False}, False, id="not ready"),
        pytest.param({"deleted": True}, False, id="about to end"),
        pytest.param({"phase": PodPhase.FAILED}, False, id="ended"),
    ],
)
def test_which_pods_have_to_be_in_prometheus(fields, is_settled):
    pod = PodFacts(**({"name": "pod-0", "created_at": LONG_AGO} | fields))

    assert settled([pod], now=NOW) == [pod] * is_settled
