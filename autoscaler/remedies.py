"""What can be done about a doubt: `doctor` says it beforehand, `explain` where it holds.

A hold on metrics ends with what it doubts, however long that takes; whoever asks why is therefore
told the way out, too.
"""

from autoscaler.decide.facts import Doubt

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
