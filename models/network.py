"""The pooled expert: a small network that turns features into quantiles of relative growth.

Fitted once, on many recorded loads, and shipped as plain numbers; here is only arithmetic.
Its answer for quantile level i is

    growth_i = scale * (z_0 + ... + z_i)  +  sum of gate_j * gated_feature_j,

with every z after the first positive, so that quantiles never cross, and gates between 0 and 1, so
that it can lean on what followed this minute on earlier days without having to learn arithmetic.
Several members, fitted from different beginnings, are averaged.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.features import GATED_COLUMNS, NAMES, SCALED_COLUMNS, Inputs
from models.pulse import absolute

FloatArray = NDArray[np.float64]
F32Array = NDArray[np.float32]

LEVELS: FloatArray = np.array(
    [0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.985, 0.99, 0.995, 0.997, 0.999]
)
MEDIAN = 3
_SLOPE = np.float32(0.05)
# Standard deviations beyond which an input says no more than "far out".
_FAR_OUT = 4.0
# No forecast exceeds what was seen (`Inputs.highest`) by more than this factor: exp(0.7) = 2.
_HEADROOM = 0.7
PRIOR = Path(__file__).parent / "pretrained" / "prior.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One affine map."""

    weight: F32Array
    bias: F32Array


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One member: standardisation and layers."""

    mean: F32Array
    deviation: F32Array
    layers: tuple[Layer, ...]

    def arrays(self) -> Iterator[F32Array]:
        """Yield every array of numbers that it is made of."""
        yield from (self.mean, self.deviation)
        for layer in self.layers:
            yield from (layer.weight, layer.bias)

    def hidden(self, x: F32Array) -> F32Array:
        """Return the last layer's outputs, shape (n, n_levels + n_gated)."""
        h = np.clip((x - self.mean) / self.deviation, -_FAR_OUT, _FAR_OUT)
        for layer in self.layers[:-1]:
            z = h @ layer.weight + layer.bias
            h = np.maximum(z, _SLOPE * z)
        last = self.layers[-1]
        return np.asarray(h @ last.weight + last.bias)


def fingerprint(members: tuple[Network, ...]) -> str:
    """Return what tells these members from others, in a few letters."""
    numbers = b"".join(array.tobytes() for member in members for array in member.arrays())
    return hashlib.sha256(numbers).hexdigest()[:12]


def network_inputs(features: F32Array, scale: FloatArray | F32Array) -> F32Array:
    """Return the features, movements also as multiples of the scale, and the scale itself."""
    unit = scale.astype(np.float32)[:, None]
    scaled = np.arcsinh(features[:, SCALED_COLUMNS] / unit)
    return np.hstack([features, scaled, np.log(unit)])


def softplus(x: F32Array) -> F32Array:
    """Return log(1 + exp(x)) without overflow."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def sigmoid(x: F32Array) -> F32Array:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def quantiles(members: tuple[Network, ...], given: Inputs) -> FloatArray:
    """Return the load not exceeded with each chance of `LEVELS`, shape (n_rows, n_levels)."""
    x = network_inputs(given.features, given.scale)
    gated = given.features[:, GATED_COLUMNS]
    n = len(LEVELS)
    total = np.zeros((len(x), n))
    for member in members:
        out = member.hidden(x)
        z = np.hstack([out[:, :1], softplus(out[:, 1:n])]).cumsum(axis=1)
        lean = (sigmoid(out[:, n:]) * gated).sum(axis=1)
        total += given.scale[:, None] * z + lean[:, None]
    growth = total / len(members)
    most = np.maximum(given.highest, given.anchor) + _HEADROOM
    relative = np.minimum(given.anchor[:, None] + growth, most[:, None])
    return absolute(relative, given.level[:, None])


_LOG_RISKS = np.log(1.0 - LEVELS)


def at_risk(levels: FloatArray, risk: FloatArray) -> FloatArray:
    """Return the load exceeded with chance `risk` per row, log-linear between levels."""
    x = np.clip(np.log(risk), _LOG_RISKS[-1], _LOG_RISKS[0])
    upper = np.clip(np.searchsorted(-_LOG_RISKS, -x), 1, len(LEVELS) - 1)
    share = (x - _LOG_RISKS[upper - 1]) / (_LOG_RISKS[upper] - _LOG_RISKS[upper - 1])
    row = np.arange(len(levels))
    low, high = levels[row, upper - 1], levels[row, upper]
    return np.asarray(low + share * (high - low))


def saved(members: tuple[Network, ...]) -> dict[str, NDArray[np.generic]]:
    """Return members as named arrays, with the names of the features they were fitted on."""
    arrays: dict[str, NDArray[np.generic]] = {"features": np.array(NAMES), "levels": LEVELS}
    for i, member in enumerate(members):
        arrays[f"{i}.mean"], arrays[f"{i}.deviation"] = member.mean, member.deviation
        for j, layer in enumerate(member.layers):
            arrays[f"{i}.{j}.weight"], arrays[f"{i}.{j}.bias"] = layer.weight, layer.bias
    return arrays


def loaded(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[Network, ...]:
    """Return the members of `saved` arrays; raise ValueError when they are of other features."""
    if tuple(arrays["features"].tolist()) != NAMES or not np.array_equal(arrays["levels"], LEVELS):
        raise ValueError("the pooled prior was fitted on other features: rebuild it")
    members: list[Network] = []
    while f"{len(members)}.mean" in arrays:
        i = len(members)
        layers: list[Layer] = []
        while f"{i}.{len(layers)}.weight" in arrays:
            j = len(layers)
            layers.append(Layer(_f32(arrays[f"{i}.{j}.weight"]), _f32(arrays[f"{i}.{j}.bias"])))
        mean, deviation = _f32(arrays[f"{i}.mean"]), _f32(arrays[f"{i}.deviation"])
        members.append(Network(mean, deviation, tuple(layers)))
    return tuple(members)


def _f32(array: NDArray[np.generic]) -> F32Array:
    return np.ascontiguousarray(array, dtype=np.float32)


@cache
def pooled_prior() -> tuple[Network, ...]:
    """Return the shipped members."""
    with np.load(PRIOR, allow_pickle=False) as arrays:
        return loaded(dict(arrays))
