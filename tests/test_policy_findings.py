"""What the doctor says of a policy as a whole, without a cluster to ask."""

from datetime import timedelta

import pytest

from autoscaler.commands.policy_findings import in_cluster
from autoscaler.roster import compiled
from review.records import CHECKOUT, policy, workload


def lead_time_found(*starts, configured="auto"):
    spec = policy(forecast={"leadTime": configured})
    [governed] = compiled({CHECKOUT: ("file", spec)}).governed
    there = workload(lead_times=tuple(timedelta(seconds=s) for s in starts))
    found = in_cluster(governed, (), there, None, now=there.seen_at)
    return next(one.says for one in found if one.subject == "lead time")


@pytest.mark.parametrize(
    ("starts", "configured", "says"),
    [
        pytest.param((), "auto", "2m, the default until 5 starts were seen (0 so far)", id="none"),
        pytest.param(
            (400, 30), "auto", "6m40s, the longest until 5 starts were seen (2 so far)", id="slow"
        ),
        pytest.param((60,) * 7, "auto", "1m, P90 of 7 starts", id="measured"),
        pytest.param(
            (60, 7200),
            "auto",
            "30m, as far as a forecast looks ahead; pods took longer to start",
            id="an outlier",
        ),
        pytest.param((60,), "3m", "3m, as the policy says", id="given"),
        pytest.param((60,), "10s", "45s, the least there is; the policy says 10s", id="too short"),
    ],
)
def test_a_lead_time_is_said_to_be_what_it_is(starts, configured, says):
    assert lead_time_found(*starts, configured=configured) == says
