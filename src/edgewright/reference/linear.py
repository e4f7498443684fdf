"""The linear layer: every output is a weighted sum of all inputs.

    y = x Wᵀ + b        dx = dy W        dW = dyᵀ x        db = sum of dy over the batch

W has n_in n_out weights, b n_out. It is a convolution whose kernel is as large as the map, without sharing.

Axes: B batch (any number of leading axes), I inputs, O outputs.
"""

from __future__ import annotations

import numpy as np


def linear(x_BI: np.ndarray, weight_OI: np.ndarray, bias_O: np.ndarray) -> np.ndarray:
    """(..., O)."""
    return x_BI @ weight_OI.T + bias_O


def linear_backward(
    dy_BO: np.ndarray, x_BI: np.ndarray, weight_OI: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of x, the weight and the bias; leading axes are summed over."""
    rows_O, rows_I = dy_BO.reshape(-1, dy_BO.shape[-1]), x_BI.reshape(-1, x_BI.shape[-1])
    return dy_BO @ weight_OI, rows_O.T @ rows_I, rows_O.sum(0)
