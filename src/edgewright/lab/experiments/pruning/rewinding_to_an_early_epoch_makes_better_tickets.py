"""Should a ticket go back to its first weights, or to those of an early epoch?

Claim: tickets rewound to an early epoch learn better than tickets rewound to initialization.
Source: Frankle et al. 2020, ICML (linear mode connectivity), on networks of ResNet size.
Expected: needed on large networks; on one as small as this the ticket of the first weights may do as well, so that the
    paired difference is no larger than its error. Both learn for as many epochs in all.
See: winning_tickets_need_their_first_weights
"""

from ...figures import bars
from ...finding import Finding, judged
from ...statistics import difference_of, mean_of
from ._tickets import EPOCHS, found, fresh, score, trained, whole

EARLY = (0, 1)


def run(seed: int, fast: bool) -> Finding:
    runs = [_scores(seed * 100 + at) for at in range(3 if fast else 16)]
    columns = list(zip(*runs, strict=True))
    numbers = [mean_of(column, f"accuracy, rewound to epoch {epoch}")
               for epoch, column in zip(EARLY, columns, strict=True)]  # fmt: skip
    gaps = [difference_of(column, columns[0], f"epoch {epoch} - epoch 0")
            for epoch, column in zip(EARLY[1:], columns[1:], strict=True)]  # fmt: skip
    return judged(
        *(gap.exceeds(0.0) for gap in gaps),
        summary=f"On this small network rewinding to epoch {EARLY[1]} brings {100 * gaps[0].value:+.1f} ± "
        f"{100 * (gaps[0].error or 0):.1f} points over the first weights.",
        numbers=(*numbers, *gaps),
        figure=bars("Accuracy of tickets, as many epochs in all.", [f"epoch {epoch}" for epoch in EARLY],
                    value="accuracy", only=numbers),
    )  # fmt: skip


def _scores(seed: int) -> list[float]:
    start, scores = fresh(seed), []
    for epoch in EARLY:
        early = trained(start, whole(start), seed, epochs=epoch) if epoch else start
        masks, _ = found(early, seed)
        scores.append(score(trained(early, masks, seed, epochs=EPOCHS - epoch), seed))
    return scores
