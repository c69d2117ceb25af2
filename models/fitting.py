"""How the pooled expert is fitted: Adam on the weighted pinball loss of all levels at once.

Plain numpy: what runs the forecaster can also rebuild it.
Runs once per release, never in the daemon.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.features import GATED_COLUMNS
from models.network import LEVELS, Layer, Network, network_inputs, sigmoid, softplus

F32Array = NDArray[np.float32]

_N = len(LEVELS)
_TAU = LEVELS.astype(np.float32)
# High levels see few exceedances: weighting by 1 / sqrt(variance) lets each level learn alike.
_LEVEL_WEIGHT = (1.0 / np.sqrt(_TAU * (1.0 - _TAU))).astype(np.float32)
_LEVEL_WEIGHT /= _LEVEL_WEIGHT.mean()
# The pinball's corner is rounded over this many scales, for the sake of the gradient.
_CORNER = np.float32(0.05)
_SLOPE = np.float32(0.05)
# First guess of the distances between neighbouring quantiles, in scales (about a normal's).
_FIRST_GAPS = np.array([0.4, 0.3, 0.2, 0.2, 0.2, 0.3, 0.4, 0.4, 0.3, 0.4, 0.3, 0.4, 0.3, 0.6])


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What was shown and what came: one entry per example."""

    features: F32Array
    scale: F32Array
    growth: F32Array
    """Relative value of the window's maximum minus the anchor."""
    weight: F32Array

    def take(self, index: NDArray[np.intp]) -> "Examples":
        """Return some of the examples."""
        return Examples(
            self.features[index], self.scale[index], self.growth[index], self.weight[index]
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fit; found by leave-one-group-out loss, see `models/README.md`."""

    hidden: tuple[int, ...] = (96, 64)
    epochs: int = 16
    batch: int = 2048
    rate: float = 2e-3
    decay: float = 1.0
    noise: float = 0.1
    dropout: float = 0.1
    seed: int = 0


def fitted(examples: Examples, recipe: Recipe) -> Network:
    """Return a network fitted to the examples."""
    x = network_inputs(examples.features, examples.scale.astype(np.float64))
    mean, deviation = x.mean(axis=0), x.std(axis=0) + np.float32(1e-3)
    x = np.clip((x - mean) / deviation, -4.0, 4.0)
    rng = np.random.default_rng(recipe.seed)
    weights = _initial(x.shape[1], recipe, rng)
    adam = _Adam(weights, recipe, n_steps=recipe.epochs * max(1, len(x) // recipe.batch))
    for _ in range(recipe.epochs):
        order = rng.permutation(len(x))
        for start in range(0, max(1, len(x) - recipe.batch + 1), recipe.batch):
            index = order[start : start + recipe.batch]
            shown = _perturbed(x[index], recipe, rng)
            adam.step(_gradients(weights, shown, examples.take(index)))
    layers = zip(weights[0::2], weights[1::2], strict=True)
    return Network(mean, deviation, tuple(Layer(w, b) for w, b in layers))


def _initial(n_inputs: int, recipe: Recipe, rng: np.random.Generator) -> list[F32Array]:
    sizes = [n_inputs, *recipe.hidden, _N + len(GATED_COLUMNS)]
    weights: list[F32Array] = []
    for n_in, n_out in pairwise(sizes):
        weights.append((rng.normal(0, 1, (n_in, n_out)) * np.sqrt(2 / n_in)).astype(np.float32))
        weights.append(np.zeros(n_out, np.float32))
    weights[-2] *= np.float32(0.1)
    weights[-1][1:_N] = np.log(np.expm1(_FIRST_GAPS))
    weights[-1][_N:] = -1.0
    return weights


def _perturbed(x: F32Array, recipe: Recipe, rng: np.random.Generator) -> F32Array:
    """Blur inputs and leave some out: the loads to come are not the loads that were."""
    blurred = x + np.float32(recipe.noise) * rng.standard_normal(x.shape, dtype=np.float32)
    return np.asarray(blurred * (rng.random(x.shape, dtype=np.float32) >= recipe.dropout))


def _gradients(weights: list[F32Array], x: F32Array, seen: Examples) -> list[F32Array]:
    """Return the gradient of the mean weighted pinball loss, in scales."""
    values = [x]
    for w, b in zip(weights[0:-2:2], weights[1:-2:2], strict=True):
        z = values[-1] @ w + b
        values.append(np.maximum(z, _SLOPE * z))
    out = values[-1] @ weights[-2] + weights[-1]
    scale, gated = seen.scale[:, None], seen.features[:, GATED_COLUMNS]
    z = np.hstack([out[:, :1], softplus(out[:, 1:_N])]).cumsum(axis=1)
    gate = sigmoid(out[:, _N:])
    error = (seen.growth[:, None] - (gate * gated).sum(axis=1)[:, None]) / scale - z
    bend = np.clip(error / _CORNER, -1.0, 1.0)
    slope = np.where(bend > 0, _TAU * bend, (1.0 - _TAU) * bend)
    d_z = -slope * _LEVEL_WEIGHT * seen.weight[:, None] / (len(x) * _N)
    reach = d_z[:, ::-1].cumsum(axis=1)[:, ::-1]
    d_out = np.hstack(
        [
            reach[:, :1],
            reach[:, 1:] * sigmoid(out[:, 1:_N]),
            d_z.sum(axis=1)[:, None] * (gated / scale) * gate * (1.0 - gate),
        ]
    ).astype(np.float32)
    gradients: list[F32Array] = []
    for i in range(len(values) - 1, -1, -1):
        gradients += [d_out.sum(axis=0), values[i].T @ d_out]
        if i:
            d_out = (d_out @ weights[2 * i].T) * np.where(values[i] > 0, 1, _SLOPE)
            d_out = d_out.astype(np.float32)
    return gradients[::-1]


class _Adam:
    """Adam with a short warm-up, a cosine decay and decoupled weight decay.

    References
    ----------
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
    """

    def __init__(self, weights: list[F32Array], recipe: Recipe, *, n_steps: int) -> None:
        self._weights, self._recipe, self._n_steps = weights, recipe, n_steps
        self._first = [np.zeros_like(w) for w in weights]
        self._second = [np.zeros_like(w) for w in weights]
        self._t = 0

    def step(self, gradients: list[F32Array]) -> None:
        """Move the weights in place."""
        self._t += 1
        rate = self._recipe.rate * min(1.0, self._t / 100)
        rate *= 0.5 * (1.0 + np.cos(np.pi * min(1.0, self._t / self._n_steps)))
        norm = np.sqrt(sum(float((g * g).sum()) for g in gradients))
        shrink = np.float32(min(1.0, 1.0 / max(norm, 1e-9)))
        for i, gradient in enumerate(gradients):
            self._move(i, gradient * shrink, rate)

    def _move(self, i: int, gradient: F32Array, rate: float) -> None:
        first, second, weight = self._first[i], self._second[i], self._weights[i]
        first += np.float32(0.1) * (gradient - first)
        second += np.float32(0.001) * (gradient * gradient - second)
        move = first / (1 - 0.9**self._t) / (np.sqrt(second / (1 - 0.999**self._t)) + 1e-8)
        weight -= (rate * move).astype(np.float32)
        if weight.ndim == 2:
            weight *= np.float32(1.0 - rate * self._recipe.decay)
