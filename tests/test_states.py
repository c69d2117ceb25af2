"""What is remembered of each workload, whoever led and whatever the clock did meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.capacities import Capacities
from autoscaler.decide.facts import TargetRef
from autoscaler.decide.state import Order, ScaleEvent, WorkloadState
from autoscaler.errors import ScaleUnansweredError
from autoscaler.orders import Orders
from autoscaler.roster import compiled
from autoscaler.states import States
from decide.worlds import LONG_AGO, NOW, ago, outcome, policy, signal, workload

CHECKOUT, SEARCH = TargetRef("shop", "checkout"), TargetRef("shop", "search")
LED = WorkloadState(
    LONG_AGO,
    scale_events=(ScaleEvent(ago(60), 2),),
    seen_at=ago(15),
    recovered=True,
    order=Order(10, "1"),
)
HELD = replace(LED, started_at=NOW, recovered=False, order=None, scale_events=())


def roster_of(*targets):
    rules = policy(mode="ForecastAndScale")
    return compiled({target: (f"policy of {target.name}", rules) for target in targets})


class Silent:
    """A cluster that answers no write."""

    def patch_scale(self, target, replicas, *, resource_version):
        raise ScaleUnansweredError(f"{target}: no answer")


def states_of(*targets, orders=None):
    states = States(orders or Orders(Silent()))
    for target in targets:
        states.keep(target, LED)
    return states


def facts(*targets):
    return {target: workload(target=target) for target in targets}


def remembered(states, *targets):
    governed = roster_of(*targets).governed
    return [states.of(each, workload(target=each.target), now=NOW) for each in governed]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("", "", LED, id="who leads goes on"),
        pytest.param("standby", "standby", LED, id="who stands by goes on"),
        pytest.param("standby", "", HELD, id="who begins to lead holds as after a restart"),
        pytest.param("", "standby", replace(LED, order=None), id="who ends has ordered nothing"),
    ],
)
def test_what_is_remembered_when_the_lead_changes(before, after, expected):
    states = states_of(CHECKOUT, SEARCH)
    states.held_back = before
    states.take_over(facts(CHECKOUT, SEARCH), held_back=after, now=NOW)

    assert remembered(states, CHECKOUT, SEARCH) == [expected, expected]
    assert states.held_back == after


def test_where_another_replica_led_for_a_while_one_holds_once():
    states = states_of(SEARCH, CHECKOUT)
    states.note_others_led([CHECKOUT])
    states.take_over(facts(SEARCH, CHECKOUT), held_back="", now=NOW)
    first = remembered(states, SEARCH, CHECKOUT)
    states.keep(CHECKOUT, LED)
    states.take_over(facts(SEARCH, CHECKOUT), held_back="", now=NOW)

    assert first == [LED, HELD]
    assert remembered(states, SEARCH, CHECKOUT) == [LED, LED]


def test_a_clock_that_is_set_twice_was_set_by_both_until_the_next_turn():
    states = states_of(CHECKOUT)
    for minutes in (3, -1):
        states.note_clock(timedelta(minutes=minutes))

    assert states.clock_moved_by(CHECKOUT) == timedelta(minutes=2)
    assert states.clock_moved_by(SEARCH) == timedelta(0)
    states.keep(CHECKOUT, LED)
    assert states.clock_moved_by(CHECKOUT) == timedelta(0)


def test_only_of_workloads_that_had_a_turn_something_is_left():
    left = states_of(CHECKOUT).memories(roster_of(CHECKOUT, SEARCH).governed, Capacities())

    assert {target: memory.state for target, memory in left.items()} == {CHECKOUT: LED}


def test_of_a_workload_that_nobody_governs_nothing_is_left_not_even_a_write_without_an_answer():
    orders = Orders(Silent())
    states, [governed] = states_of(CHECKOUT, orders=orders), roster_of(CHECKOUT).governed
    orders.carry_out(governed, outcome(signal(1500)), held_back="")
    states.note_clock(timedelta(minutes=3))
    states.retain({SEARCH}, now=NOW)

    arrived = workload(15, resource_version="2")
    assert states.of(governed, arrived, now=NOW) == WorkloadState(NOW)
    assert states.clock_moved_by(CHECKOUT) == timedelta(0)
