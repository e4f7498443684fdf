"""Lottery tickets: sparse nets that learn from their initial weights, and the controls that show what is in them.

    >>> masks = settings.next_masks(whole(start), trained, 1)       # the smallest fifth of each layer goes
    >>> ticket = masked(start, masks)                               # the survivors as they were before training
    >>> result = TrainTicket().run(job.with_model(ticket))          # trained; what is 0 stays 0

`pipeline.find_tickets` runs all rounds, seeds and controls as steps of a run directory.
"""

from .masks import ALIVE, Masks, count_left, keep_of, masked, masks_of, shuffled, smaller, whole
from .paired import Spread, paired, spread, verdict
from .stage import Tickets, TrainTicket

__all__ = [
    "ALIVE",
    "Masks",
    "Spread",
    "Tickets",
    "TrainTicket",
    "count_left",
    "keep_of",
    "masked",
    "masks_of",
    "paired",
    "shuffled",
    "smaller",
    "spread",
    "verdict",
    "whole",
]
