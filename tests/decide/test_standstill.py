"""Pauses, fixed counts and rivals."""

from dataclasses import replace

import pytest

from autoscaler.decide.decision import Limit
from autoscaler.decide.reason import Reason
from decide.worlds import HIGH, LOW, ago, decided, outcome, quiet, reasons, workload


def test_a_pause_of_one_direction_outlives_a_bound():
    facts = workload(10, annotations={"autoscaler/paused-scale-in": "true"})
    decision = decided(LOW, facts=facts, state=quiet(10), maxReplicas=5)

    assert reasons(decision)[-2:] == [Reason.TOO_MANY_REPLICAS, Reason.SCALE_IN_PAUSED]
    assert decision.desired_replicas == 10


@pytest.mark.parametrize(
    ("annotations", "wanted", "expected"),
    [
        pytest.param({"paused": "true"}, HIGH, (10, Reason.PAUSED), id="paused"),
        pytest.param({"paused": ""}, HIGH, (10, Reason.PAUSED), id="any word pauses"),
        pytest.param({"paused": "False"}, HIGH, (15, Reason.METRIC_ABOVE_TARGET), id="but false"),
        pytest.param({"paused-scale-in": "true"}, LOW, (10, Reason.SCALE_IN_PAUSED), id="no less"),
        pytest.param(
            {"paused-scale-in": "true"}, HIGH, (15, Reason.METRIC_ABOVE_TARGET), id="more is fine"
        ),
        pytest.param(
            {"paused-scale-out": "true"}, HIGH, (10, Reason.SCALE_OUT_PAUSED), id="no more"
        ),
        pytest.param(
            {"paused-scale-out": "true"}, LOW, (3, Reason.ALL_BELOW_TARGET), id="less is fine"
        ),
        pytest.param(
            {"paused-replicas": "7"}, HIGH, (7, Reason.PAUSED_REPLICAS), id="a fixed count"
        ),
        pytest.param(
            {"paused-replicas": "seven"}, HIGH, (10, Reason.PAUSED), id="a typing error pauses"
        ),
        pytest.param(
            {"paused-replicas": "100000"}, HIGH, (100_000, Reason.PAUSED_REPLICAS), id="the most"
        ),
        pytest.param({"paused-replicas": "²"}, HIGH, (10, Reason.PAUSED), id="no digit of a count"),
        pytest.param(
            {"paused-replicas": "100001"}, HIGH, (10, Reason.PAUSED), id="one more than may be"
        ),
        pytest.param(
            {"paused-replicas": "9" * 9}, HIGH, (10, Reason.PAUSED), id="a count beyond all counts"
        ),
        pytest.param(
            {"paused-replicas": "9" * 5000}, HIGH, (10, Reason.PAUSED), id="or beyond all reading"
        ),
    ],
)
def test_a_pause_is_respected(annotations, wanted, expected):
    facts = workload(10, annotations={f"autoscaler/{k}": v for k, v in annotations.items()})
    decision = decided(wanted, facts=facts)

    assert (decision.desired_replicas, decision.reason) == expected


@pytest.mark.parametrize(
    ("field", "wanted", "expected"),
    [
        pytest.param("paused", HIGH, (10, Reason.PAUSED), id="whole"),
        pytest.param("pausedScaleIn", LOW, (10, Reason.SCALE_IN_PAUSED), id="no less"),
        pytest.param("pausedScaleIn", HIGH, (15, Reason.METRIC_ABOVE_TARGET), id="more is fine"),
        pytest.param("pausedScaleOut", HIGH, (10, Reason.SCALE_OUT_PAUSED), id="no more"),
        pytest.param("pausedScaleOut", LOW, (3, Reason.ALL_BELOW_TARGET), id="less is fine"),
    ],
)
def test_a_policy_pauses_as_an_annotation_does(field, wanted, expected):
    lifted = {f"autoscaler/{name}": "false" for name in ("paused-scale-in", "paused-scale-out")}
    decision = decided(wanted, facts=workload(10, annotations=lifted), **{field: True})

    assert (decision.desired_replicas, decision.reason) == expected


def annotated(**annotations):
    return {f"autoscaler/{k.replace('_', '-')}": v for k, v in annotations.items()}


@pytest.mark.parametrize(
    ("spec", "annotations", "fields", "limit"),
    [
        pytest.param(10, {}, {"paused": True}, Limit(Reason.PAUSED, 15, 10, "policy"), id="policy"),
        pytest.param(
            10,
            annotated(paused="true"),
            {},
            Limit(Reason.PAUSED, 15, 10, "annotation autoscaler/paused"),
            id="annotation",
        ),
        pytest.param(
            10,
            {},
            {"pausedScaleOut": True},
            Limit(Reason.SCALE_OUT_PAUSED, 15, 10, "policy"),
            id="one direction",
        ),
        pytest.param(
            10,
            annotated(paused_scale_out="true"),
            {},
            Limit(Reason.SCALE_OUT_PAUSED, 15, 10, "annotation autoscaler/paused-scale-out"),
            id="by annotation",
        ),
        pytest.param(
            10,
            annotated(paused_replicas="7"),
            {},
            Limit(Reason.PAUSED_REPLICAS, 15, 7),
            id="a fixed count",
        ),
        pytest.param(
            10,
            annotated(paused_replicas="seven"),
            {},
            Limit(Reason.PAUSED, 15, 10, "autoscaler/paused-replicas 'seven' is not a count"),
            id="no count",
        ),
        pytest.param(
            0, {}, {}, Limit(Reason.SCALING_DISABLED, 15, 0, "spec.replicas is 0"), id="hands off"
        ),
    ],
)
def test_who_is_told_to_stand_still_keeps_what_is_ordered_whatever_exists(
    spec, annotations, fields, limit
):
    facts = workload(spec, status_replicas=9, ready_replicas=8, annotations=annotations)
    decision = decided(HIGH, facts=facts, **fields)

    assert (decision.current_replicas, decision.chain) == (spec, (limit,))


def test_a_paused_policy_goes_on_remembering():
    paused = outcome(LOW, paused=True, state=quiet(7))

    assert paused.decision.reason is Reason.PAUSED
    assert [r.replicas for r in paused.state_if_held.recommendations] == [7, 3]


AT_SEVEN = {"autoscaler/paused-replicas": "7"}


def test_a_rival_is_not_fought_and_does_not_disturb_a_dry_run():
    facts = workload(10, rival="HorizontalPodAutoscaler shop/checkout")

    assert decided(HIGH, facts=facts, mode="ForecastAndScale").reason is Reason.REPLICAS_CONTESTED
    assert decided(HIGH, facts=facts).desired_replicas == 15
    ours = {"mode": "ForecastAndScale", "actuator": "hpa"}
    assert decided(HIGH, facts=facts, **ours).desired_replicas == 15
    assert decided(HIGH, mode="ForecastAndScale").desired_replicas == 15


@pytest.mark.parametrize(
    ("rival", "reason"),
    [
        pytest.param("HorizontalPodAutoscaler shop/checkout", Reason.METRIC_ABOVE_TARGET, id="HPA"),
        pytest.param("ScaledObject shop/checkout", Reason.REPLICAS_CONTESTED, id="KEDA"),
    ],
)
def test_the_floor_of_an_hpa_is_ours_to_set_that_of_keda_s_hpa_is_not(rival, reason):
    """KEDA writes `minReplicas` of the HPA that it made again whenever somebody changes it."""
    facts = workload(10, rival=rival)
    decision = decided(HIGH, facts=facts, mode="ForecastAndScale", actuator="hpa")

    assert decision.reason is reason


def test_a_whole_pause_is_told_before_a_rival():
    facts = workload(10, rival="HorizontalPodAutoscaler shop/checkout")

    assert decided(HIGH, facts=facts, mode="ForecastAndScale", paused=True).reason is Reason.PAUSED


OVERWRITTEN = replace(quiet(0), reverted_at=(ago(400), ago(60)))


@pytest.mark.parametrize(
    ("spec", "fields", "stands_still"),
    [
        pytest.param(10, {"paused": True}, True, id="a pause"),
        pytest.param(0, {}, True, id="a count that was set to zero"),
        pytest.param(10, {"state": OVERWRITTEN}, True, id="somebody who overwrites us"),
        pytest.param(10, {"facts": workload(10, annotations=AT_SEVEN)}, False, id="a fixed count"),
        pytest.param(10, {"pausedScaleOut": True}, False, id="a pause of one direction"),
        pytest.param(10, {}, False, id="nobody"),
    ],
)
def test_who_has_us_keep_our_hands_off_altogether(spec, fields, stands_still):
    decision = decided(HIGH, **({"spec": spec} | fields))

    assert decision.stands_still is stands_still


def test_a_fixed_count_fights_no_rival_either():
    facts = workload(10, rival="HorizontalPodAutoscaler shop/checkout", annotations=AT_SEVEN)

    assert decided(HIGH, facts=facts, mode="ForecastAndScale").chain == (
        Limit(
            Reason.REPLICAS_CONTESTED, 15, 10, "governed by HorizontalPodAutoscaler shop/checkout"
        ),
    )
    assert decided(HIGH, facts=facts).desired_replicas == 7


def test_a_fixed_count_that_is_overwritten_is_left_alone_for_a_while():
    contested = replace(quiet(0), reverted_at=(ago(400), ago(60)))
    facts = workload(10, annotations=AT_SEVEN)

    assert decided(HIGH, facts=facts, state=contested).reason is Reason.REPLICAS_CONTESTED
    there = decided(HIGH, facts=workload(7, annotations=AT_SEVEN), state=contested)
    assert there.reason is Reason.PAUSED_REPLICAS
