"""What becomes of a decision: written, held back, refused, or never answered."""

import pytest

from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleConflictError, ScaleRefusedError, ScaleUnansweredError
from autoscaler.orders import Orders
from autoscaler.roster import Governed
from decide.worlds import TARGET, outcome, policy, signal, workload

OUTCOME = outcome(signal(1500))
MORE = OUTCOME.decision.desired_replicas
STARTING = {"resource_version": "2", "status_replicas": 10, "ready_replicas": 10}


def governed(**fields):
    spec = policy(**{"mode": "ForecastAndScale"} | fields)
    return Governed("shop/policies/checkout", TARGET, spec, slice(0, 1), ("rate",))


class FakeCluster:
    """Takes every write, or answers with the errors it was given."""

    def __init__(self):
        self.errors, self.written, self.events = [], [], []

    def patch_scale(self, target, replicas, *, resource_version):
        if self.errors:
            raise self.errors.pop(0)
        self.written.append(replicas)

    def patch_min_replicas(self, target, min_replicas):
        self.written.append(min_replicas)
        return True

    def record_event(self, target, *, reason, message):
        self.events.append(reason)


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.mark.parametrize(
    ("fields", "held_back", "because"),
    [
        pytest.param({}, "", "", id="written"),
        pytest.param({}, "standby: another leads", "standby: another leads", id="a standby"),
        pytest.param({"mode": "ForecastOnly"}, "", "mode is ForecastOnly", id="only watched"),
        pytest.param({"mode": "ForecastOnly"}, "dry run", "mode is ForecastOnly", id="both"),
    ],
)
def test_a_decision_is_written_unless_somebody_meant_it_not_to_be(
    cluster, fields, held_back, because
):
    done = Orders(cluster).carry_out(governed(**fields), OUTCOME, held_back=held_back)

    assert done == (not because, because)
    assert cluster.written == [MORE] * (not because)
    assert cluster.events == ["SuccessfulRescale"] * (not because)


@pytest.mark.parametrize(
    ("decided", "events"),
    [
        pytest.param(OUTCOME, ["MinReplicasSet"], id="another count"),
        pytest.param(outcome(signal(1000)), [], id="the count that is there"),
    ],
)
def test_the_floor_of_an_hpa_is_an_event_where_it_changes_the_count(cluster, decided, events):
    hpa = governed(actuator="hpa")

    assert Orders(cluster).carry_out(hpa, decided, held_back="") == (True, "")
    assert cluster.written == [decided.decision.desired_replicas]
    assert cluster.events == events


@pytest.mark.parametrize(
    ("error", "because"),
    [
        pytest.param(ScaleRefusedError("403"), "403", id="refused"),
        pytest.param(ScaleUnansweredError("504"), "unanswered: 504", id="not answered"),
    ],
)
def test_who_did_not_write_says_why(cluster, error, because):
    cluster.errors = [error]

    assert Orders(cluster).carry_out(governed(), OUTCOME, held_back="") == (False, because)
    assert cluster.events == []


def test_a_lost_race_is_the_loop_s_to_decide_again(cluster):
    cluster.errors = [ScaleConflictError("409")]

    with pytest.raises(ScaleConflictError):
        Orders(cluster).carry_out(governed(), OUTCOME, held_back="")


@pytest.mark.parametrize(
    ("later", "arrived"),
    [
        pytest.param(workload(MORE, **STARTING), OUTCOME, id="it shows, though no pod came yet"),
        pytest.param(workload(10, resource_version="2"), None, id="it shows that it did not"),
        pytest.param(workload(10), None, id="the watch is as it was"),
    ],
)
def test_a_write_that_nobody_answered_arrived_when_the_object_says_so_and_once(
    cluster, later, arrived
):
    cluster.errors = [ScaleUnansweredError("504")]
    orders = Orders(cluster)
    orders.carry_out(governed(), OUTCOME, held_back="")

    assert orders.arrived(TARGET, later) is arrived
    if arrived:
        assert orders.arrived(TARGET, later) is None


def test_a_watch_that_is_behind_says_nothing_of_a_write_that_nobody_answered(cluster):
    cluster.errors = [ScaleUnansweredError("504")]
    orders = Orders(cluster)
    orders.carry_out(governed(), OUTCOME, held_back="")

    assert orders.arrived(TARGET, workload(10, resource_version="0")) is None
    assert orders.arrived(TARGET, workload(MORE, resource_version="2")) is OUTCOME


def test_a_write_that_nobody_answered_did_not_arrive_where_the_next_over_that_version_did(cluster):
    cluster.errors = [ScaleUnansweredError("504")]
    orders = Orders(cluster)
    orders.carry_out(governed(), OUTCOME, held_back="")
    assert orders.carry_out(governed(), OUTCOME, held_back="") == (True, "")

    assert orders.arrived(TARGET, workload(MORE, resource_version="2")) is None


@pytest.mark.parametrize("first", [True, False], ids=["the first", "the last"])
def test_of_several_writes_that_nobody_answered_the_one_that_arrived_counts(cluster, first):
    more = outcome(signal(1700))
    cluster.errors = [ScaleUnansweredError("504"), ScaleUnansweredError("504")]
    orders, arrived = Orders(cluster), OUTCOME if first else more
    for decided in (OUTCOME, more):
        orders.carry_out(governed(), decided, held_back="")

    shown = workload(arrived.decision.desired_replicas, resource_version="2")
    assert orders.arrived(TARGET, workload(10)) is None
    assert orders.arrived(TARGET, shown) is arrived
    assert orders.arrived(TARGET, shown) is None


def test_of_a_workload_that_is_governed_no_more_nothing_is_remembered(cluster):
    cluster.errors = [ScaleUnansweredError("504")]
    orders = Orders(cluster)
    orders.carry_out(governed(), OUTCOME, held_back="")
    orders.forget(TARGET)
    orders.forget(TargetRef("shop", "never-governed"))

    assert orders.arrived(TARGET, workload(MORE, resource_version="2")) is None
