"""The compiled step of Adam against the formulas of its paper."""

from __future__ import annotations

import numpy as np

from geoprobe.kernels import adam


def test_steps_of_the_paper() -> None:
    """Algorithm 1 of Kingma & Ba (2015), in float64, on a penalised sum of 1 - cos(5 x)."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 37)).astype(np.float32)
    mean, square = np.zeros((2, 3, 37), dtype=np.float32)
    decays = np.array([0.0, 0.1, 30.0], dtype=np.float32)
    theta, m, v = values.astype(np.float64), np.zeros((3, 37)), np.zeros((3, 37))
    size, rate = 20, 1e-2
    for t in range(1, 41):
        weights = np.float32(rate / (1 - 0.9**t)), np.float32(1 / np.sqrt(1 - 0.999**t))
        sums = 5 * np.sin(5 * values)
        adam.step(values, sums, mean, square, decays, np.float32(1 / size), *weights)

        g = (5 * np.sin(5 * theta) + decays[:, None].astype(np.float64) * theta) / size
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        theta = theta - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert np.allclose(values, theta, rtol=0, atol=2e-6)
    assert values.dtype == mean.dtype == square.dtype == np.float32
