import numpy as np
import pytest

from models.codec import MOST_LOAD, decoded, encoded


@pytest.mark.parametrize("load", [1e-12, 1e-3, 0.7, 1.0, 119.9, 4e6, 1e15])
def test_a_load_is_kept_to_a_thousandth(load):
    kept = float(decoded(encoded(np.array([load])))[0])

    assert kept == pytest.approx(load, rel=1e-3)


def test_zero_stays_zero_and_unknown_stays_unknown():
    kept = decoded(encoded(np.array([0.0, np.nan, MOST_LOAD])))

    assert kept[0] == 0.0
    assert np.isnan(kept[1])
    assert np.isfinite(kept[2])
