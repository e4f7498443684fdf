"""Does the large network help to repair the one that was cut out of it?

Claim: a network that lost accuracy when its units were removed regains more of it from the answers of the network it
    was cut from than from labels alone.
Source: Hinton et al. 2015, arXiv 1503.02531; Chen et al. 2019, for pruned networks as students.
Expected: with few images soft answers to them bring some points more than their labels, if both train for long.
See: a_student_knows_a_class_it_never_saw, removed_channels_speed_up_where_free_zeros_do_not
"""

import torch
from torch import Tensor
from torch.nn import functional

from ....losses import soft_target_loss
from ...digits import accuracy, built, digits, perceptron, train
from ...figures import bars
from ...finding import Finding, judged
from ...slimming import slimmed
from ...statistics import difference_of, mean_of

WIDTHS, SLIM, FEW, TEMPERATURE = (64, 128, 64, 10), (64, 20, 16, 10), 60, 4.0
STATES = ("large", "cut", "repaired by labels", "repaired by soft answers")


def run(seed: int, fast: bool) -> Finding:
    runs = [_scores(seed * 100 + at) for at in range(4 if fast else 20)]
    large, cut, labels, soft = (mean_of([each[at] for each in runs], f"accuracy, {name}")
                                for at, name in enumerate(STATES))  # fmt: skip
    gain = difference_of([each[3] for each in runs], [each[2] for each in runs], "soft answers - labels")
    return judged(
        large.exceeds(cut, by=0.05), labels.exceeds(cut), gain.exceeds(0.0),
        summary=f"Cut, the network falls from {large.value:.0%} to {cut.value:.0%}; {FEW} labelled images bring it "
        f"back to {labels.value:.1%}, the large network's answers to the same images to {soft.value:.1%}.",
        numbers=(large, cut, labels, soft, gain),
        figure=bars("Accuracy on digits before and after the repair.", STATES, value="accuracy",
                    only=[large, cut, labels, soft]),
    )  # fmt: skip


def _scores(seed: int) -> list[float]:
    data = digits(seed)
    net = built(lambda: perceptron(WIDTHS), seed, "net")
    train(net, data.x, data.y, optimizer=torch.optim.Adam(net.parameters(), 0.003), epochs=6, seed=seed)
    scores = [accuracy(each, data.test_x, data.test_y) for each in (net, slimmed(net, SLIM))]
    with torch.no_grad():
        answers = net(data.x[:FEW])
    for targets, loss in ((data.y[:FEW], functional.cross_entropy), (answers, _soft)):
        student = slimmed(net, SLIM)
        optimizer = torch.optim.Adam(student.parameters(), 0.003)
        train(student, data.x[:FEW], targets, optimizer=optimizer, epochs=150, seed=seed,
              loss=loss)  # fmt: skip
        scores.append(accuracy(student, data.test_x, data.test_y))
    return scores


def _soft(student_BK: Tensor, teacher_BK: Tensor) -> Tensor:
    return soft_target_loss(student_BK, teacher_BK, temperature=TEMPERATURE)
