"""The examples of which the pooled prior is fitted."""

import numpy as np
import pytest

from autoscaler.replay.pretrain import examples_by_load
from autoscaler.replay.ticks import TICK_SECONDS

HOUR_TICKS = 3600 // TICK_SECONDS


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(0)
    noisy = np.repeat(rng.gamma(50.0, 2.0, 24 * 60), 60 // TICK_SECONDS)
    return examples_by_load([noisy, noisy[: 4 * HOUR_TICKS]], seed=1)


def test_every_load_counts_alike_however_long_it_is(examples):
    assert [float(each.weight.mean()) for each in examples] == pytest.approx([1.0, 1.0], rel=1e-3)


def test_what_came_is_never_unknown(examples):
    assert all(np.isfinite(each.growth).all() for each in examples)
