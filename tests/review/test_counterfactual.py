from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.pipeline import decide
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import ScaleEvent, TimestampedRecommendation, WorkloadState
from autoscaler.policy.schema import Cooldown
from autoscaler.review.counterfactual import without_cooldown
from review.records import LONG_AGO, NOW, decided, policy, record, signal

PAUSES = st.sampled_from(["", "autoscaler/paused-scale-in", "autoscaler/paused-scale-out"])
LIMITS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Pods", "Percent"]),
            "value": st.integers(1, 120),
            "periodSeconds": st.sampled_from([15, 60, 600]),
        }
    ),
    min_size=1,
    max_size=2,
)


@settings(max_examples=400, deadline=None)
@given(
    load=st.floats(0, 20_000),
    current=st.integers(1, 150),
    ago=st.integers(0, 900),
    change=st.integers(-30, 30),
    limits=LIMITS,
    bounds=st.tuples(st.integers(1, 20), st.integers(20, 120)),
    pause=PAUSES,
)
def test_it_is_what_the_rules_decide_under_a_policy_without_cooldown(
    load, current, ago, change, limits, bounds, pause
):
    spec = policy(
        minReplicas=bounds[0],
        maxReplicas=bounds[1],
        cooldown={"scaleUp": "10m", "scaleDown": "10m"},
        behavior={
            "scaleUp": {"policies": limits},
            "scaleDown": {"policies": limits, "stabilizationWindowSeconds": 0},
        },
    )
    at = NOW - timedelta(seconds=ago)
    state = WorkloadState(
        LONG_AGO,
        recommendations=(TimestampedRecommendation(NOW, current),),
        scale_events=(ScaleEvent(at, change),) if change else (),
        last_scale_up_at=at if change > 0 else None,
        last_scale_down_at=at if change < 0 else None,
    )
    annotations = {pause: "true"} if pause else {}
    made = decided(
        signal(load, quantile=load),
        current=current,
        spec=spec,
        state=state,
        annotations=annotations,
    )

    told = without_cooldown(made.as_dict())

    free = decide(
        made.recommendation,
        workload=made.workload,
        policy=spec.model_copy(update={"cooldown": Cooldown(scale_up="0s", scale_down="0s")}),
        state=made.state,
        now=NOW,
    )
    held = any(step.reason is Reason.COOLDOWN_ACTIVE for step in made.decision.chain)
    assert told == (free.desired_replicas if held else None)


def test_where_no_cooldown_held_there_is_nothing_to_tell():
    assert without_cooldown(record(10, 10).as_dict()) is None


def test_a_line_without_bounds_is_not_guessed_at():
    made = record(10, 10, (Reason.COOLDOWN_ACTIVE, 8, 10), spec=None)

    assert without_cooldown(made.as_dict()) is None
