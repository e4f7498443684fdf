"""Can a training begin with Adam and go on with SGD?

Claim: Adam's own steps tell the rate for SGD: their length, projected on the gradient, settles, and from there on SGD
    with momentum goes on without a jump of the loss.
Source: Keskar & Socher 2017, arXiv:1712.07628 (SWATS), algorithm 1.
Expected: no rise of the loss in the 50 steps after the hand-over; handed over at Adam's own rate instead, SGD hardly
    moves. The end need not be lower: on one convex layer Adam alone goes lower in training loss. The paper's tolerance
    of 1e-9 is not reached in a short training; .003 stands for it here.
See: adam_does_not_generalize_worse
"""

import numpy as np

from ....reference.optimizers import How, adam, sgd, swats
from ....reference.stable import log_softmax, softmax
from ....seeding import numpy_generator
from ...digits import digits
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import difference_of, mean_of

NUM_TRAIN, BATCH, HOW = 600, 50, How(lr=0.01, b2=0.99, tolerance=3e-3)
WAYS = ("Adam", "SWATS", "SGD at Adam's rate")


def run(seed: int, fast: bool) -> Finding:
    num_runs, num_steps = (4, 800) if fast else (20, 4_000)
    data = digits(seed)
    x, y = data.x[:NUM_TRAIN].double().numpy(), np.eye(10)[data.y[:NUM_TRAIN].numpy()]
    runs = [_run(x, y, num_steps, numpy_generator(seed, "batches", at).integers(0, NUM_TRAIN, (num_steps, BATCH)))
            for at in range(num_runs)]  # fmt: skip
    at = [switch for switch, _, _ in runs]
    rate = mean_of([rate for _, rate, _ in runs], "rate for SGD, found in Adam's steps")
    before, after = ([losses["SWATS"][switch + shift] for switch, _, losses in runs] for shift in (0, 50))
    jump = difference_of(after, before, "loss 50 steps after the hand-over - at it")
    last = {way: [losses[way][-1] for _, _, losses in runs] for way in WAYS}
    ends = {way: mean_of(values, f"loss at the end, {way}") for way, values in last.items()}
    gain = difference_of(last["Adam"], last["SWATS"], "loss at the end, Adam - SWATS")
    curves = [series(way, range(0, num_steps, 5), runs[0][2][way][::5],
        mark=Mark.DASHES if way == "Adam" else Mark.LINE)
              for way in WAYS]  # fmt: skip
    return judged(
        jump.value < 0, ends["SGD at Adam's rate"].exceeds(ends["SWATS"], by=0.1),
        summary=f"The projected rate settles at {rate.value:.2f} after {np.mean(at):.0f} steps; the loss goes on "
        f"falling "
        f"(by {-jump.value:.3f} in 50 steps, against hardly any at Adam's own {HOW.lr:g}), and ends at "
        f"{ends['SWATS'].value:.3f}, where Adam alone has {ends['Adam'].value:.3f}.",
        numbers=(jump, gain, *ends.values(), rate, mean_of(np.array(at, float), "steps before the hand-over")),
        figure=chart("One layer on digits, first run: handed over where the curves part.", *curves, x="step",
                     y="loss on all", log_y=True),
    )  # fmt: skip


def _run(x: np.ndarray, y: np.ndarray, num_steps: int, rows: np.ndarray) -> tuple[int, float, dict[str, list[float]]]:
    """Step and rate of the hand-over, and the loss after each step of the three ways, on the same batches."""
    weights = {way: np.zeros((x.shape[1], y.shape[1])) for way in WAYS}
    memories: dict[str, dict] = {way: {} for way in WAYS}
    losses: dict[str, list[float]] = {way: [] for way in WAYS}
    switch = num_steps - 51
    for step, batch in enumerate(rows):
        handed_over = "rate" in memories["SWATS"]
        switch = min(switch, step) if handed_over else switch
        for way, rule in (("Adam", adam), ("SWATS", swats), ("SGD at Adam's rate", sgd if handed_over else adam)):
            gradient = x[batch].T @ (softmax(x[batch] @ weights[way]) - y[batch]) / len(batch)
            weights[way] = rule(weights[way], gradient, memories[way], HOW)
            losses[way].append(float(-(y * log_softmax(x @ weights[way])).sum() / len(x)))
    return switch, memories["SWATS"].get("rate", np.nan), losses
