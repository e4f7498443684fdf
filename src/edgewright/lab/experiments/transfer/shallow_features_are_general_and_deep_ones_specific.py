"""Which layers of a trained network are of use for another task?

Claim: first layers find features that serve any task, last ones features of their own task.
Source: Yosinski et al. 2014, NeurIPS.
Expected: taken from "odd or even" and frozen for telling all ten digits apart, the first layer costs the least (10 to
    16 points here), all hidden layers by far the most; up to two frozen layers that never learned do about as well.
"""

from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import difference_of, mean_of
from ._tasks import adapted, pretrained, untrained

FROZEN, IMAGES, FIRST, SECOND = (0, 1, 2, 3), 400, "odd or even", "ten digits"


def run(seed: int, fast: bool) -> Finding:
    seeds = [seed * 100 + at for at in range(3 if fast else 16)]
    nets = {"learned": [pretrained(FIRST, each) for each in seeds],
            "random": [untrained(SECOND, each) for each in seeds]}  # fmt: skip
    scores = {kind: [[adapted(net, SECOND, each, images=IMAGES, frozen=frozen)
                      for net, each in zip(made, seeds, strict=True)] for frozen in FROZEN]
              for kind, made in nets.items()}  # fmt: skip
    numbers = {kind: [mean_of(column, f"accuracy, {frozen} layers frozen, {kind}")
                      for frozen, column in zip(FROZEN, columns, strict=True)]
               for kind, columns in scores.items()}  # fmt: skip
    learned = scores["learned"]
    first, last = (difference_of(learned[0], learned[at], f"lost by freezing {at}") for at in (1, 3))
    deeper = difference_of(learned[1], learned[3], "lost by freezing layers 2 and 3 as well")
    return judged(
        deeper.exceeds(0.0), last.exceeds(0.0), deeper.exceeds(first),
        summary=f"Frozen from a network for odd or even, the first layer costs {100 * first.value:.1f} points, "
        f"all three {100 * last.value:.1f}; of a network that never learned, all three "
        f"{100 * (numbers['random'][0].value - numbers['random'][3].value):.1f}.",
        numbers=(*numbers["learned"], *numbers["random"], first, last, deeper),
        figure=chart("Accuracy on ten digits.",
                     *(series(kind, FROZEN, [each.value for each in column], [each.error or 0 for each in column],
                              mark=Mark.BOTH) for kind, column in numbers.items()),
                     x="layers frozen", y="accuracy"),
    )  # fmt: skip
