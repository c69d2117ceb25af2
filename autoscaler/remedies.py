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
    Doubt.PARTIAL: f"{_SCRAPE_AGAIN}; let Prometheus scrape every pod; measure a statsd counter "
    "that may stand still by a query, whose zero is trusted",
    Doubt.DUPLICATED: "two scrape jobs read the same pods: choose one with labels.job",
    Doubt.WARNED: "a store behind Prometheus did not answer: look at its log",
    Doubt.UNREACHABLE: "check Prometheus's address, the network policy and the certificate",
    Doubt.REFUSED: "check the token; pasted into Prometheus, the query shows what is wrong with it",
    Doubt.CLOCK_SKEW: "synchronize the clocks of Prometheus and of this machine",
    Doubt.FOREIGN: "several clusters share this Prometheus: choose one with labels.cluster",
}

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
