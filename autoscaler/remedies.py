"""What can be done about a doubt, or a rule that somebody has to end: `explain` says it.

A hold on metrics ends with what it doubts, however long that takes, and a few rules only once
somebody does something; whoever asks why is therefore told the way out, too.
`doctor` says the same of doubts beforehand.
"""

from autoscaler.decide.facts import Doubt
from autoscaler.decide.reason import Reason

REMEDY = {
    Doubt.ABSENT: "autoscaler doctor says what there is instead",
    Doubt.NOT_A_NUMBER: "look for a division by zero in the query, or an exporter that writes NaN",
    Doubt.STALE: "the exporter is no longer scraped: look at Prometheus's targets",
    Doubt.NOT_SCRAPED: "bring back the scrape targets that are down, or take those that are gone "
    "for good out of their job",
    Doubt.PARTIAL: "bring back the scrape targets that are down, or take those that are gone for "
    "good out of their job; have pods scraped that are not; name a statsd counter that may rest by "
    "a query, whose zero is believed",
    Doubt.DUPLICATED: "two scrape jobs read the same pods: pin one with labels.job",
    Doubt.WARNED: "a store behind Prometheus did not answer: the number is a lower bound",
    Doubt.UNREACHABLE: "check the address, the network policy and the certificate",
    Doubt.REFUSED: "check the token, and paste the query into Prometheus",
    Doubt.CLOCK_SKEW: "synchronize the clocks of Prometheus and of this machine",
    Doubt.FOREIGN: "several clusters share this Prometheus: pin one with labels.cluster",
}

_UNPAUSE = "take the pause away, annotation or field as the step below says"
# Of the rules that do not end by themselves, or not soon.
END_OF = {
    Reason.TARGET_NOT_FOUND: "create it, mend scaleTargetRef, or take the policy away",
    Reason.REPLICAS_CONTESTED: "leave the number to one: delete the other autoscaler, or keep an "
    "HPA and set actuator: hpa; take spec.replicas out of what is applied from Git",
    Reason.CAPACITY_UNKNOWN_HOLD: "give target.averageValue, or name a CPU metric beside it",
    Reason.TOO_MANY_REPLICAS: "raise maxReplicas, if more pods may run",
    Reason.HPA_MAX_REPLICAS: "raise maxReplicas of the HPA, if more pods may run",
    Reason.ROLLOUT_HOLD: "kubectl rollout status says what the rollout waits for",
    Reason.PAUSED: _UNPAUSE,
    Reason.SCALE_IN_PAUSED: _UNPAUSE,
    Reason.SCALE_OUT_PAUSED: _UNPAUSE,
    Reason.PAUSED_REPLICAS: "take the annotation autoscaler/paused-replicas away",
    Reason.SCALING_DISABLED: "kubectl scale to one replica or more hands it back",
}
