"""How a forecast is scored against the load that came: pinball loss, and what counts as above."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Loads are kept to 0.15 %, so a load within that of a quantile is not above it.
ABOVE = 1.001
# At small risks exceedances are rare, so each one must move the calibration further.
_GAIN_RISK, _GAIN_POWER = 0.01, -0.25


def pinball(load: FloatArray, quantile: FloatArray, risk: FloatArray) -> FloatArray:
    """Return the loss whose expectation is least at the quantile exceeded with chance `risk`."""
    error = load - quantile
    return np.maximum((1.0 - risk) * error, -risk * error)


def rarity(risk: FloatArray) -> FloatArray:
    """Return how much more one exceedance counts where few are seen, 1 at 1 % and above."""
    return np.where(risk < _GAIN_RISK, (risk / _GAIN_RISK) ** _GAIN_POWER, 1.0)
