"""A candidate for the lead without a thread of its own."""

from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection

from autoscaler.cluster.lease import Leadership


def election(leadership: Leadership) -> LeaderElection:
    """Return one candidate for the lead, to be turned by hand."""
    return LeaderElection(
        Config(
            leadership._lock,
            lease_duration=15,
            renew_deadline=10,
            retry_period=2,
            onstarted_leading=lambda: None,
            onstopped_leading=lambda: None,
        )
    )
