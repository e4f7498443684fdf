"""Recurrent cells, and back-propagation through time.

    RNN    h' = tanh(W x + b + U h + c)
    LSTM   i, f, o = σ(...), g = tanh(...)          c' = f c + i g          h' = o tanh(c')
    GRU    r, z = σ(...), n = tanh(W_n x + b_n + r (U_n h + c_n))            h' = (1 - z) n + z h

Through time the slope of h is multiplied at every step by the Jacobian of one: in an RNN by Uᵀ diag(1 - h'²), whose
singular values decide whether it vanishes or explodes. In an LSTM the way from c' to c multiplies by f alone, in a GRU
part of the way by z: near 1 the slope survives. The gates ease vanishing; they do not abolish it.

Sources: Elman 1990; Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000; Cho 2014, arXiv:1406.1078, in
PyTorch's form (r after the product with U). Gates are stacked in PyTorch's order: i, f, g, o and r, z, n.
Axes: T steps, B batch, I inputs, H units, G = gates · H.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .stable import sigmoid

State = tuple[np.ndarray, ...]  # h, and c where there is one; (B, H) each
Slopes = tuple[np.ndarray, np.ndarray, State]  # of "from x", of "from h", and of the state directly


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Of a cell: W x + b + U h + c. Also the form of their gradients."""

    W_GI: np.ndarray
    U_GH: np.ndarray
    b_G: np.ndarray
    c_G: np.ndarray

    def __add__(self, other: Weights) -> Weights:
        return Weights(
            W_GI=self.W_GI + other.W_GI, U_GH=self.U_GH + other.U_GH,
            b_G=self.b_G + other.b_G, c_G=self.c_G + other.c_G,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One step forward, and the slopes of one step.

    Args:
        num_states: 1 (h) or 2 (h and c).
        forward: (from x, from h, state) -> (new state, kept), of the two products before they are added.
        backward: (slopes of the new state, state, kept) -> `Slopes`.
    """

    num_states: int
    forward: Callable[..., tuple[State, Any]]
    backward: Callable[..., Slopes]


def unroll(
    cell: Cell, x_TBI: np.ndarray, state: State, weights: Weights
) -> tuple[np.ndarray, State, list[tuple[State, Any]]]:
    """All h (T, B, H), the last state, and what `back_through_time` needs of every step."""
    outputs, memory = [], []
    for x_BI in x_TBI:
        from_x, from_h = x_BI @ weights.W_GI.T + weights.b_G, state[0] @ weights.U_GH.T + weights.c_G
        following, kept = cell.forward(from_x, from_h, state)
        memory.append((state, kept))
        state = following
        outputs.append(state[0])
    return np.stack(outputs), state, memory


def back_through_time(
    cell: Cell, dh_TBH: np.ndarray, x_TBI: np.ndarray, weights: Weights, memory: Sequence[tuple[State, Any]]
) -> tuple[np.ndarray, State, Weights]:
    """Slopes of x (T, B, I), of the first state, and of the weights, which are the sum over all steps.

    Args:
        dh_TBH: slope of every step's h, from the loss directly.
    """
    dstate: State = tuple(np.zeros_like(dh_TBH[0]) for _ in range(cell.num_states))
    dx_TBI = np.zeros_like(x_TBI)
    dweights = Weights(**{name: np.zeros_like(value) for name, value in vars(weights).items()})
    for step in reversed(range(len(x_TBI))):
        state, kept = memory[step]
        dfrom_x, dfrom_h, direct = cell.backward((dstate[0] + dh_TBH[step], *dstate[1:]), state, kept)
        dx_TBI[step] = dfrom_x @ weights.W_GI
        dweights += Weights(
            W_GI=dfrom_x.T @ x_TBI[step], U_GH=dfrom_h.T @ state[0], b_G=dfrom_x.sum(0), c_G=dfrom_h.sum(0)
        )
        dstate = (direct[0] + dfrom_h @ weights.U_GH, *direct[1:])
    return dx_TBI, dstate, dweights


def _rnn(from_x: np.ndarray, from_h: np.ndarray, state: State) -> tuple[State, np.ndarray]:
    h = np.tanh(from_x + from_h)
    return (h,), h


def _rnn_back(dstate: State, state: State, h: np.ndarray) -> Slopes:
    dsum = dstate[0] * (1 - h**2)
    return dsum, dsum, (np.zeros_like(h),)


def _lstm(from_x: np.ndarray, from_h: np.ndarray, state: State) -> tuple[State, State]:
    i, f, g, o = np.split(from_x + from_h, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * state[1] + i * g
    return (o * np.tanh(c), c), (i, f, g, o, c)


def _lstm_back(dstate: State, state: State, kept: State) -> Slopes:
    i, f, g, o, c = kept
    dh, dc = dstate
    t = np.tanh(c)
    dc = dc + dh * o * (1 - t**2)
    dgates = [dc * g * i * (1 - i), dc * state[1] * f * (1 - f), dc * i * (1 - g**2), dh * t * o * (1 - o)]
    dsum = np.concatenate(dgates, axis=-1)
    return dsum, dsum, (np.zeros_like(dh), dc * f)


def _gru(from_x: np.ndarray, from_h: np.ndarray, state: State) -> tuple[State, State]:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (np.split(each, 3, axis=-1) for each in (from_x, from_h))
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return ((1 - z) * n + z * state[0],), (r, z, n, h_n)


def _gru_back(dstate: State, state: State, kept: State) -> Slopes:
    r, z, n, h_n = kept
    dh = dstate[0]
    dn = dh * (1 - z) * (1 - n**2)
    dz = dh * (state[0] - n) * z * (1 - z)
    dr = dn * h_n * r * (1 - r)
    return np.concatenate([dr, dz, dn], axis=-1), np.concatenate([dr, dz, dn * r], axis=-1), (dh * z,)


RNN = Cell(num_states=1, forward=_rnn, backward=_rnn_back)
LSTM = Cell(num_states=2, forward=_lstm, backward=_lstm_back)
GRU = Cell(num_states=1, forward=_gru, backward=_gru_back)
CELLS: Mapping[str, Cell] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
