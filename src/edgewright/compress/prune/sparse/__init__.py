"""Zeros among the weights: anywhere, or N of M; chosen once or while the model trains.

    >>> Sparsify(sparsity=0.9).run(job)                                   # the smallest 90 % of all weights
    >>> Sparsify(sparsity=0.9, schedule="cubic", train=Train()).run(job)  # more and more of them while it trains
    >>> Sparsify(pattern="2:4").run(job)                                  # what sparse tensor cores take

which layers count (`weights`) -> what matters (`scores`) -> exact choice (`choose`), at each moment (`schedule`) of a
training (`gradual`) -> what it comes to (`accounts`)
"""

from ..schedule import COURSES, cubic, equal_steps, moments
from .accounts import accounts, layer_rows, storage
from .choose import SCOPES, choose, choose_pattern, count_zeros, energy_kept
from .scores import SCORES
from .stage import SCHEDULES, Sparsify
from .weights import counted_layers, weighted_layers, zero_outside

__all__ = [
    "COURSES",
    "SCHEDULES",
    "SCOPES",
    "SCORES",
    "Sparsify",
    "accounts",
    "choose",
    "choose_pattern",
    "count_zeros",
    "counted_layers",
    "cubic",
    "energy_kept",
    "equal_steps",
    "layer_rows",
    "moments",
    "storage",
    "weighted_layers",
    "zero_outside",
]
