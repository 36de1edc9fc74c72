"""The compiled loops of `_recursion`."""

# mypy: disable-error-code="no-untyped-def"

import numba
import numpy as np

FUSED = {"contract"}
"""A product and a sum may be one instruction, rounded once: half the time from step to step."""

try:  # compiled once for all processes, where there is a folder to keep that in
    compiled = numba.njit(nogil=True, cache=True, fastmath=FUSED)
    compiled(lambda: None)
except RuntimeError:
    compiled = numba.njit(nogil=True, fastmath=FUSED)


@compiled
def one_way(sums, direct, given, out, step):
    """Filter in one direction, from the state that a constant past would leave."""
    samples = len(given)
    start = 0 if step > 0 else samples - 1
    for group in range(len(sums)):
        (b00, b01, a01, a02) = sums[group, 0]
        (b10, b11, a11, a12) = sums[group, 1]
        (b20, b21, a21, a22) = sums[group, 2]
        (b30, b31, a31, a32) = sums[group, 3]
        before = given[start]
        y01 = y02 = before * (b00 + b01) / (1.0 + a01 + a02)
        y11 = y12 = before * (b10 + b11) / (1.0 + a11 + a12)
        y21 = y22 = before * (b20 + b21) / (1.0 + a21 + a22)
        y31 = y32 = before * (b30 + b31) / (1.0 + a31 + a32)
        i = start
        for _ in range(samples):
            now = given[i]
            y0 = (b00 * now + b01 * before - a02 * y02) - a01 * y01
            y1 = (b10 * now + b11 * before - a12 * y12) - a11 * y11
            y2 = (b20 * now + b21 * before - a22 * y22) - a21 * y21
            y3 = (b30 * now + b31 * before - a32 * y32) - a31 * y31
            y02, y12, y22, y32 = y01, y11, y21, y31
            y01, y11, y21, y31 = y0, y1, y2, y3
            value = (y0 + y1) + (y2 + y3)
            out[i] = value + direct * now if group == 0 else out[i] + value
            before = now
            i += step


@compiled
def both_ways(sums, direct, row, padding, out):
    """Filter a row forwards and backwards, continued at both ends by its mirrored samples."""
    samples = len(row)
    whole = np.empty(samples + 2 * padding)
    for i in range(padding):  # turned round the first and the last sample
        whole[i] = 2.0 * row[0] - row[padding - i]
        whole[padding + samples + i] = 2.0 * row[samples - 1] - row[samples - 2 - i]
    for i in range(samples):
        whole[padding + i] = row[i]
    once = np.empty_like(whole)
    one_way(sums, direct, whole, once, 1)
    one_way(sums, direct, once, whole, -1)
    for i in range(samples):
        out[i] = whole[padding + i]
