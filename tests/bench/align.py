"""How long parsing an answer about ten thousand workloads takes, and giving each its number.

    python tests/bench/align.py

CPU time of this process, the smallest of some rounds: one core, whatever else the machine does.
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from prometheus_stand_in import rows

from autoscaler.decide.facts import TargetRef
from autoscaler.metrics.answers import Table
from autoscaler.metrics.plan import planned
from autoscaler.metrics.sample_quality import Circumstances
from autoscaler.metrics.samples import Reading
from support.load_series import request_rate

N_WORKLOADS = 10_000
ROUNDS = 7


def main() -> None:
    """Print bytes, and seconds of parsing and of aligning."""
    now = time.time()
    text = rows(N_WORKLOADS, now)
    targets = [TargetRef("shop", f"service-{i:05d}") for i in range(N_WORKLOADS)]
    [group] = planned([request_rate(target=t, source="linkerd") for t in targets]).groups
    around = Circumstances(datetime.fromtimestamp(now, tz=UTC), {})
    parsing, aligning = [], []
    for _ in range(ROUNDS):
        began = time.process_time()
        result = json.loads(text)["data"]["result"]
        parsed = time.process_time()
        reading = Reading(group, Table(group.counters).read(result), around, jobs=frozenset())
        samples = [reading.sample(member) for member in group.members]
        parsing.append(parsed - began)
        aligning.append(time.process_time() - parsed)
        assert all(sample.trusted for sample in samples)
    print(f"{len(text) / 2**20:.1f} MiB, {len(result)} rows, {len(samples)} workloads")
    print(f"parsing {min(parsing):.3f} s, aligning {min(aligning):.3f} s of one core")


if __name__ == "__main__":
    main()
