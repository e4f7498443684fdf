"""Does a gradient survive a hundred steps of a recurrent network?

Claim: the gates of LSTM and GRU keep the gradient over long times, where a plain recurrent network loses it.
Source: Hochreiter & Schmidhuber 1997, Neural Computation; Gers et al. 2000 for the bias of the forget gate; Cho et al.
    2014, EMNLP.
Expected: a plain network's gradient vanishes over 100 steps. A gate helps as far as it is open: with a bias of 0 it
    halves what passes at each step, with 5 it keeps sigmoid(5) = .9933 of it, .51 over 100 steps. Gates ease vanishing,
    they do not abolish it.
See: sigmoid_gradients_obey_a_quarter_per_layer
"""

import numpy as np

from ....reference.recurrent import GRU, LSTM, RNN, Cell, Weights, unroll
from ....reference.stable import sigmoid
from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, judged
from ...statistics import mean_of

STEPS, UNITS, BATCH = 100, 24, 4
NETS = {
    "plain": (RNN, 1, slice(0, 0), 0.0),
    "LSTM, forget gate half open": (LSTM, 4, slice(UNITS, 2 * UNITS), 0.0),
    "LSTM, forget gate open": (LSTM, 4, slice(UNITS, 2 * UNITS), 5.0),
    "GRU, update gate half open": (GRU, 3, slice(UNITS, 2 * UNITS), 0.0),
    "GRU, update gate open": (GRU, 3, slice(UNITS, 2 * UNITS), 5.0),
}


def run(seed: int, fast: bool) -> Finding:
    seeds = range(3 if fast else 30)
    curves = {name: np.array([_gradients(*net, numpy_generator(seed, name, at)) for at in seeds])
              for name, net in NETS.items()}  # fmt: skip
    numbers = [mean_of(np.log10(curve[:, 0]), f"log10 of the gradient over {STEPS} steps, {name}")
               for name, curve in curves.items()]  # fmt: skip
    plain, lstm_half, lstm_open, gru_half, gru_open = (number.value for number in numbers)
    return judged(
        plain < -4, lstm_open > -1, gru_open > -1, lstm_half < -4, gru_half < -4,
        when="the gates are biased to be open",
        summary=f"Over {STEPS} steps 10^{plain:.0f} of the gradient is left in a plain network, 10^{lstm_open:.1f} in "
        "an "
        f"LSTM and 10^{gru_open:.1f} in a GRU with open gates (a gate alone keeps {sigmoid(5.0) ** STEPS:.2f}), but "
        f"10^{lstm_half:.0f} and 10^{gru_half:.0f} with gates that are half open.",
        numbers=numbers,
        figure=chart("Gradient of the state, back from step 100.",
                     *(series(name, range(STEPS + 1), curve.mean(0)) for name, curve in curves.items()), x="step",
                     y="|gradient|, last step = 1", log_y=True),
    )  # fmt: skip


def _gradients(cell: Cell, gates: int, opened: slice, bias: float, generator: np.random.Generator) -> list[float]:
    """Norm of the slope of the state (h and c together) at each step, for a slope of norm 1 at the last."""
    scale = 0.6 / np.sqrt(UNITS)
    weights = Weights(
        W_GI=scale * generator.standard_normal((gates * UNITS, UNITS)),
        U_GH=scale * generator.standard_normal((gates * UNITS, UNITS)),
        b_G=np.zeros(gates * UNITS), c_G=np.zeros(gates * UNITS),
    )  # fmt: skip
    weights.b_G[opened] = bias
    x = 0.5 * generator.standard_normal((STEPS, BATCH, UNITS))
    first = tuple(np.zeros((BATCH, UNITS)) for _ in range(cell.num_states))
    *_, memory = unroll(cell, x, first, weights)
    slope: tuple[np.ndarray, ...] = (generator.standard_normal((BATCH, UNITS)), *first[1:])
    norms = [float(np.linalg.norm(slope[0]))]
    for state, kept in reversed(memory):
        _, from_h, direct = cell.backward(slope, state, kept)
        slope = (direct[0] + from_h @ weights.U_GH, *direct[1:])
        norms.append(float(np.sqrt(sum((part**2).sum() for part in slope))))
    return [norm / norms[0] for norm in reversed(norms)]
