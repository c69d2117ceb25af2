"""What can be done about a doubt, or a rule that somebody has to end.

A hold on metrics ends with what it doubts, however long that takes, and a few rules only once
somebody does something: `explain` and the page of a policy tell the way out beside the reason.
`doctor` says the same of doubts beforehand.
"""

from autoscaler.decide.facts import Doubt
from autoscaler.decide.reason import Reason

_SCRAPE_AGAIN = (
    "bring back the scrape targets that are down; remove those that are gone for good from their "
    "scrape job"
)
REMEDY = {
    Doubt.ABSENT: "autoscaler doctor says what there is instead",
    Doubt.NOT_A_NUMBER: "look for a division by zero in the query, or an exporter that writes NaN",
    Doubt.STALE: "the exporter is no longer scraped: look at Prometheus's page of targets",
    Doubt.NOT_SCRAPED: _SCRAPE_AGAIN,
    Doubt.PARTIAL: "let Prometheus scrape what is missing",
    Doubt.DUPLICATED: "two scrape jobs read the same pods: choose one with labels.job",
    Doubt.WARNED: "a store behind Prometheus did not answer: look at its log",
    Doubt.UNREACHABLE: "check Prometheus's address, the network policy and the certificate",
    Doubt.REFUSED: "check the token; pasted into Prometheus, the query shows what is wrong with it",
    Doubt.CLOCK_SKEW: "synchronize the clocks of Prometheus and of this machine",
    Doubt.FOREIGN: "several clusters share this Prometheus: choose one with labels.cluster",
}

_SCRAPE_PODS = "let Prometheus scrape every pod"
_BY_A_QUERY = "measure it by a query, whose zero is trusted"
_WAIT = "wait: it ends with the window of the rate"
_LATE = "it is scraped late or not at all: look at Prometheus's page of targets"
# Of a partial sample, by words of its detail, in which what people named comes later.
_MISSING = (
    ("negative: ", "look at the query: no load is below zero"),
    ("no series any more: ", "bring the series back, or take it out of the query"),
    ("a zero may be a sender", _BY_A_QUERY),
    ("newest sample is ", _LATE),
    ("exporters are silent", _LATE),
    ("when the window of the rate began", _WAIT),
    ("scrape target", _SCRAPE_AGAIN),
    ("ready pods count nothing", f"look at what sends their counts, or {_BY_A_QUERY}"),
    ("ready pods are ", _SCRAPE_PODS),
    ("pods serve", _SCRAPE_PODS),
    (" window of ", _WAIT),
)

_UNPAUSE = "remove the pause: the step below names the annotation or the field"
# Of the rules that do not end by themselves, or not soon.
END_OF = {
    Reason.TARGET_NOT_FOUND: "create it, correct scaleTargetRef, or remove the policy",
    Reason.REPLICAS_CONTESTED: "let only one write the replicas: delete the other autoscaler, or "
    "keep an HPA that is not KEDA's and set actuator: hpa; with GitOps, hand spec.replicas over, "
    "then leave it out of what is applied (deploy/README.md)",
    Reason.CAPACITY_UNKNOWN_HOLD: "set target.averageValue, or add a CPU metric, from which it is "
    "learned",
    Reason.TOO_MANY_REPLICAS: "raise maxReplicas, if more pods may run",
    Reason.HPA_MAX_REPLICAS: "raise maxReplicas of the HPA, if more pods may run",
    Reason.ROLLOUT_HOLD: "kubectl rollout status says what the rollout waits for",
    Reason.PAUSED: _UNPAUSE,
    Reason.SCALE_IN_PAUSED: _UNPAUSE,
    Reason.SCALE_OUT_PAUSED: _UNPAUSE,
    Reason.PAUSED_REPLICAS: "remove the annotation autoscaler/paused-replicas",
    Reason.SCALING_DISABLED: "scale it to one replica or more (kubectl scale) to hand it back",
}


def remedy(doubt: Doubt, detail: str) -> str:
    """Return what can be done about a doubt; its detail says what a partial sample lacks."""
    if doubt == Doubt.PARTIAL:  # in a log it is a text
        return next((way for words, way in _MISSING if words in detail), REMEDY[doubt])
    return REMEDY[doubt]
