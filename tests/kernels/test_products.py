"""Products of rows: the same bits wherever a row stands, and the digits that float32 has."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe.kernels.products import gram, products

SHAPES = [(1, 1, 1), (3, 5, 2), (9, 41, 7), (4, 33, 16), (6, 70, 63), (5, 66, 384), (8, 40, 769)]


def rows(n_a: int, n_b: int, n_dims: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n_a, n_b, n_dims])
    a, b = rng.normal(size=(n_a, n_dims)), rng.normal(size=(n_b, n_dims))
    return a.astype(np.float32), b.astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_products_against_float64(shape: tuple[int, int, int]) -> None:
    a, b = rows(*shape)
    out = np.full((len(a), len(b) + 2), np.nan, np.float32)
    products(a, b, out, 2)
    assert np.isnan(out[:, :2]).all()
    exact = a.astype(np.float64) @ b.T.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    assert np.all(np.abs(out[:, 2:] - exact) <= (shape[2] + 2) * 2.0**-24 * lengths)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_has_the_same_bits_wherever_it_stands(shape: tuple[int, int, int]) -> None:
    a, b = rows(*shape)
    whole = np.empty((len(a), len(b)), np.float32)
    products(a, b, whole, 0)
    for i in range(len(a)):
        for shift in range(min(4, len(b))):
            alone = np.empty((1, len(b) - shift), np.float32)
            products(a[i : i + 1], b[shift:], alone, 0)
            assert np.array_equal(alone[0].view(np.int32), whole[i, shift:].view(np.int32))


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_is_symmetric_to_the_last_bit(shape: tuple[int, int, int]) -> None:
    _, b = rows(*shape)
    both, plain = np.empty((len(b), len(b)), np.float32), np.empty((len(b), len(b)), np.float32)
    gram(b, both)
    products(b, b, plain, 0)
    assert np.array_equal(both.view(np.int32), both.T.copy().view(np.int32))
    assert np.allclose(both, plain, rtol=0, atol=1e-6 * shape[2])
