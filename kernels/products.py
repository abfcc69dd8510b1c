"""Dot products of many rows with many rows, each with the same bits wherever it stands.

The products of a matrix library depend on the shape of the call in their last bits. Here every
product is one sum of a 4 x 4 tile, all of which are formed alike.
"""

from __future__ import annotations

from geoprobe.kernels.jit import inner, kernel

# Rows of the second matrix that stay in the fastest cache while the first passes by.
BLOCK = 32


@inner
def tile(a, b, i, j):
    """Return the products of rows ``i`` to ``i + 3`` with rows ``j`` to ``j + 3``.

    Rows beyond the last are replaced by the last.
    """
    last_a = a.shape[0] - 1
    last_b = b.shape[0] - 1
    a0, a1 = a[min(i, last_a)], a[min(i + 1, last_a)]
    a2, a3 = a[min(i + 2, last_a)], a[min(i + 3, last_a)]
    b0, b1 = b[min(j, last_b)], b[min(j + 1, last_b)]
    b2, b3 = b[min(j + 2, last_b)], b[min(j + 3, last_b)]
    zero = a.dtype.type(0.0)
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = zero
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = zero
    for k in range(a.shape[1]):
        x0, x1, x2, x3 = a0[k], a1[k], a2[k], a3[k]
        y0, y1, y2, y3 = b0[k], b1[k], b2[k], b3[k]
        s00 += x0 * y0
        s01 += x0 * y1
        s02 += x0 * y2
        s03 += x0 * y3
        s10 += x1 * y0
        s11 += x1 * y1
        s12 += x1 * y2
        s13 += x1 * y3
        s20 += x2 * y0
        s21 += x2 * y1
        s22 += x2 * y2
        s23 += x2 * y3
        s30 += x3 * y0
        s31 += x3 * y1
        s32 += x3 * y2
        s33 += x3 * y3
    return (
        (s00, s01, s02, s03),
        (s10, s11, s12, s13),
        (s20, s21, s22, s23),
        (s30, s31, s32, s33),
    )


@kernel
def products(a, b, out, column):
    """Write the products of all rows of ``a`` with all rows of ``b``, from a column of ``out`` on.

    All are float32 arrays, of shapes (n_a, n_dims), (n_b, n_dims) and (n_a, at least n_b).
    """
    for block in range(0, b.shape[0], BLOCK):
        for i in range(0, a.shape[0], 4):
            for j in range(block, min(block + BLOCK, b.shape[0]), 4):
                sums = tile(a, b, i, j)
                for p in range(min(4, a.shape[0] - i)):
                    for q in range(min(4, b.shape[0] - j)):
                        out[i + p, column + j + q] = sums[p][q]


@kernel
def gram(a, out):
    """Write the products of all rows with each other; both halves have the same bits."""
    n = a.shape[0]
    for block in range(0, n, BLOCK):
        for i in range(0, min(block + BLOCK, n), 4):
            for j in range(max(block, i), min(block + BLOCK, n), 4):
                sums = tile(a, a, i, j)
                for p in range(min(4, n - i)):
                    for q in range(min(4, n - j)):
                        out[i + p, j + q] = sums[p][q]
                        out[j + q, i + p] = sums[p][q]
