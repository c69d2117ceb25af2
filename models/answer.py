"""From the network's quantiles to the engine's answer: calibrated, kept for scoring, with trust."""

import numpy as np
from numpy.typing import NDArray

from models.batch import ForecastBatch
from models.blackout import SILENT_SECONDS, carried
from models.bursts import jumped
from models.calibration import Calibration, Reactive
from models.features import Inputs
from models.horizon import LEAST_RISK, MOST_RISK, Asked, Horizon, age_seconds
from models.moment import Moment
from models.pulse import absolute

FloatArray = NDArray[np.float64]


def answered(
    calibration: Calibration,
    moment: Moment,
    asked: Asked,
    horizon: Horizon,
    given: Inputs,
    levels: FloatArray,
) -> ForecastBatch:
    """Calibrate `levels`, keep the answer to be scored later, and add its trust."""
    known = np.isfinite(moment.sampled_at)
    risk = asked.risk.clip(LEAST_RISK, MOST_RISK)
    age = age_seconds(moment, asked.now)
    reactive = Reactive(
        np.where(known, moment.trailing, 0.0), given.level, given.scale, moment.highest
    )
    promise = calibration.promise(moment.rows, levels, reactive, risk=risk)
    calibration.record(moment, promise, horizon, known)
    median, quantile = promise.median, promise.quantile
    silent = np.flatnonzero(known & (age > SILENT_SECONDS))
    if silent.size:
        memory = calibration.memory
        median, quantile = carried(memory, moment, horizon, (median, quantile), silent)
    burst = calibration.bursts.under_way(moment)
    if burst.any():
        highest = absolute(moment.highest, given.level)
        quantile = np.where(burst, np.maximum(quantile, jumped(moment, horizon, highest)), quantile)
    return ForecastBatch(
        known=known,
        median=np.where(known, median, 0.0),
        quantile=np.where(known, quantile, 0.0),
        reactive_quantile=np.where(known, promise.reactive, 0.0),
        trust=calibration.trust(moment, age),
        skill=calibration.skill(moment.rows),
        coverage=calibration.coverage(moment.rows),
        burst=burst,
        age_seconds=age,
        history_seconds=moment.n_steps * calibration.memory.step_seconds,
    )
