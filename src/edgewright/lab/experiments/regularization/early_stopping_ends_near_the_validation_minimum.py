"""When should a training stop?

Claim: stop when the validation loss has not fallen for `patience` epochs and go back to the best weights: that ends at
    the minimum of the validation loss, at a fraction of the cost.
Source: Prechelt 1998, Early Stopping - But When?; Goodfellow et al., Deep Learning (2016), section 7.8.
Expected: training ends exactly `patience` epochs after the best; the weights gone back to are better than the last. A
    patience of 1 stops at the first ripple, far from the minimum; a longer one ends within a few per cent of it.
See: each_cause_of_overfitting_acts_alone, the_validation_minimum_chooses_capacity
"""

from functools import partial

import numpy as np
import torch

from ...digits import built, digits, mislabelled, train
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...many import cross_entropies, many_perceptrons, summed_cross_entropy
from ...statistics import mean_of

PATIENCES, NUM_TRAIN = (1, 3, 10, 20), 200


def stopped(losses: np.ndarray, patience: int, min_delta: float = 0.0) -> tuple[int, int]:
    """The last epoch and the best one, which is gone back to; a fall by `min_delta` or less does not count."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best] - min_delta:
            best = epoch
        elif epoch - best >= patience:
            return epoch, best
    return len(losses) - 1, best


def run(seed: int, fast: bool) -> Finding:
    curves = _validation_losses(seed, num_seeds=6 if fast else 40, num_epochs=80 if fast else 200)
    least, last = curves.min(1), curves[:, -1]
    numbers = [mean_of(last / least, "loss at the end over the least, no stopping")]
    waits = []
    for patience in PATIENCES:
        stops = [stopped(curve, patience) for curve in curves]
        waits += [end - best == patience for end, best in stops if end < curves.shape[1] - 1]
        reached, left = (np.array([curve[pair[which]] for curve, pair in zip(curves, stops, strict=True)])
                         for which in (1, 0))  # fmt: skip
        numbers += [mean_of(reached / least, f"loss of the best weights over the least, patience {patience}"),
                    mean_of(left / least, f"loss of the last weights over the least, patience {patience}"),
                    mean_of(np.array([end + 1.0 for end, _ in stops]), f"epochs trained, patience "
                    f"{patience}")]  # fmt: skip
    exact = Number(
        name="share of stops just `patience` epochs after the best", value=float(np.mean(waits)), expected=1.0
    )
    named = {each.name: each.value for each in numbers}
    of = partial("{} over the least, patience {}".format)
    long, short = named[of("loss of the best weights", 20)], named[of("loss of the best weights", 1)]
    end, best = stopped(curves[0], 10)
    return judged(
        bool(exact.agrees), long < 1.05, named[of("loss of the last weights", 20)] > long,
            numbers[0].value > 1.1 * long,
        short > 1.2 * long, named["epochs trained, patience 20"] < curves.shape[1],
        when="patience is longer than the ripples of the validation loss",
        summary=f"With a patience of 20 the best weights are within {long - 1:.1%} of the least validation loss after "
        f"{named['epochs trained, patience 20']:.0f} epochs; without stopping the loss ends {numbers[0].value - 1:.0%} "
        f"above "
        f"it, and a patience of 1 stops {short - 1:.0%} above it.",
        numbers=(exact, *numbers),
        figure=chart("Validation loss of the first run; a patience of 10 stops at the second dot and goes back to the "
        "first.",
                     series("validation loss", range(1, curves.shape[1] + 1), curves[0]),
                     series("best, and where it stops", [best + 1, end + 1], [curves[0][best], curves[0][end]],
                            mark=Mark.DOTS), x="epoch", y="loss"),
    )  # fmt: skip


def _validation_losses(seed: int, *, num_seeds: int, num_epochs: int) -> np.ndarray:
    """(runs, epochs); a fifth of the labels learnt from are wrong."""
    data, seen = digits(seed), []
    net = built(lambda: many_perceptrons(num_seeds, (64, 64, 10)), seed, "nets")

    def after_epoch(epoch: int) -> None:
        seen.append(cross_entropies(net(data.test_x).detach(), data.test_y).tolist())

    train(net, data.x[:NUM_TRAIN], mislabelled(data.y[:NUM_TRAIN], 0.2, seed),
        optimizer=torch.optim.SGD(net.parameters(), 0.2),
          epochs=num_epochs, batch=20, loss=summed_cross_entropy, seed=seed, after_epoch=after_epoch)  # fmt: skip
    return np.array(seen).T
