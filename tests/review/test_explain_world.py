"""Ten questions, answered from the log alone; the answers are known from the scripted world."""

import json
from datetime import timedelta

import pytest

from autoscaler.cli import main
from autoscaler.decide.reason import Reason
from autoscaler.policy.quantity import duration_text
from autoscaler.review.counterfactual import without_cooldown
from autoscaler.review.news import LASTS
from review.records import NOW
from review.scripted_world import BEGIN, DEMOTED, END, OUTAGE, World

HOUR = (NOW, NOW + timedelta(hours=1))


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture
def ask(world, tmp_path, capsys):
    """Return a function that asks the command line and returns the JSON answer."""
    log = tmp_path / "decisions.jsonl"
    log.write_text("\n".join(["starting up", *world.lines, '{"msg": "cycle_late"}']))

    def answered(*arguments):
        assert main(["explain", "--log", str(log), "--output", "json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    return answered


def seconds_of(answer):
    return {one["policy"]: one["seconds"] for one in answer["policies"]}


def test_1_why_so_many_replicas_now(world, ask):
    answer = ask("shop/checkout")
    last = world.of("checkout")[-1]

    assert answer["decision"]["desired_replicas"] == last.after
    assert f"kept {last.after} replicas" in answer["answer"]
    assert answer["last_rescale"]["time"] == next(
        t.record.as_dict()["time"] for t in reversed(world.of("checkout")) if t.record.rescaled
    )


def test_2_what_happened_between_nine_and_ten(world, ask):
    answer = ask("shop/checkout", "--since", "09:00", "--until", "10:00")
    ticks = world.of("checkout", *HOUR)

    assert answer["rescales"] == sum(t.record.rescaled for t in ticks)
    assert (answer["from"], answer["to"]) == (ticks[0].replicas, ticks[-1].after)
    assert f"went from {ticks[0].replicas} to {ticks[-1].after} replicas" in answer["answer"]


def test_3_how_high_and_how_low_it_went(world, ask):
    answer = ask("shop/tickets", "--since", "08:00", "--until", "11:00")
    replicas = [t.after for t in world.of("tickets")]

    assert (answer["most"], answer["least"]) == (max(replicas), min(replicas))


def test_4_what_would_have_been_without_the_cooldown(world, ask):
    answer = ask("shop/checkout", "--since", "08:00", "--until", "11:00", "--without", "cooldown")
    held = [t for t in world.of("checkout") if Reason.COOLDOWN_ACTIVE in t.reasons]
    earlier = [t for t in held if t.free.desired_replicas != t.record.decision.desired_replicas]

    assert earlier
    assert answer["held"][0]["without"] == earlier[0].free.desired_replicas
    assert answer["held_seconds"] == 15.0 * len(earlier)
    assert f"gone to {earlier[0].free.desired_replicas} replicas" in answer["answer"]


def test_5_which_were_demoted_and_for_how_long(ask):
    answer = ask("--policies", "demoted")

    assert seconds_of(answer) == {"shop/search": (DEMOTED[1] - DEMOTED[0]).total_seconds()}
    assert answer["answer"].startswith("1 of 7 policies was demoted, 0 still at the end")


def test_6_which_were_blind_and_when(ask):
    answer = ask("--policies", "unknown")

    assert seconds_of(answer) == {"shop/cart": (OUTAGE[1] - OUTAGE[0]).total_seconds()}
    assert answer["policies"][0]["spans"][0]["start"] == OUTAGE[0].isoformat()


def test_7_which_were_capped_and_for_how_long(world, ask):
    wanted = world.seconds("tickets", lambda t: Reason.TOO_MANY_REPLICAS in t.reasons)

    assert wanted > 0
    assert seconds_of(ask("--policies", "capped")) == {"shop/tickets": wanted}


def test_8_which_were_held_and_for_how_long(world, ask):
    expected = {f"shop/{name}": world.seconds(name, world.held) for name in world.names}

    # A routine hold that comes back is told once it has lasted.
    told = {n: pytest.approx(s, abs=LASTS.total_seconds()) for n, s in expected.items() if s}
    assert seconds_of(ask("--policies", "held")) == told


def test_9_which_were_contested_and_for_how_long(world, ask):
    wanted = world.seconds("fought", lambda t: Reason.REPLICAS_CONTESTED in t.reasons)
    answer = ask("--policies", "contested")

    assert wanted > 0
    assert seconds_of(answer) == {"shop/fought": wanted}
    assert f"shop/fought, for {duration_text(timedelta(seconds=wanted))}" in answer["answer"]


def test_10_which_writes_were_refused_and_for_how_long(world, ask):
    wanted = world.seconds("locked", lambda t: t.record.refused)

    assert seconds_of(ask("--policies", "refused")) == {"shop/locked": wanted}


def test_a_part_of_the_log_is_cut_where_it_was_asked_to(ask):
    answer = ask("--policies", "demoted", "--since", "09:10", "--until", "09:20")

    assert seconds_of(answer) == {"shop/search": 600.0}


def test_the_log_is_a_small_part_of_what_happened(world):
    assert len(world.lines) < len(world.ticks) / 4
    assert (world.ticks[0].at, world.ticks[-1].at) == (BEGIN, END)


def test_every_recomputed_counterfactual_is_what_the_rules_themselves_decide(world):

    for tick in world.ticks:
        if Reason.COOLDOWN_ACTIVE in tick.reasons:
            assert without_cooldown(tick.record.as_dict()) == tick.free.desired_replicas
