"""What is in the small probabilities of a teacher?

Claim: a student that learns from soft answers recognises a class of which it has never seen an example.
Source: Hinton et al. 2015, arXiv 1503.02531, section 3 (digits without any 3: 98.6 % of the 3s right once the bias of
    that class was set).
Expected: trained on hard labels without one class, 0 % of it is recognised, whatever the bias; trained on the teacher's
    soft answers to the same images, most of it; raising the bias of that class can only help.
See: temperature_softens_from_one_hot_to_uniform
"""

import torch
from torch import Tensor, nn

from ....losses import soft_target_loss
from ...digits import Digits, accuracy, built, digits, perceptron, train
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import difference_of, mean_of

MISSING, TEMPERATURE = 3, 6.0
BIASES = tuple(range(0, 13, 2))  # added to the logit of the missing class


def run(seed: int, fast: bool) -> Finding:
    runs = [_students(seed * 100 + at, fast) for at in range(2 if fast else 8)]
    taught, alone = ([[_judge(logits, data, bias) for bias in BIASES] for *students, data in runs
                      for logits in [students[at]]] for at in (0, 1))  # fmt: skip
    best = [max(range(len(BIASES)), key=[share for _, share in curve].__getitem__) for curve in taught]
    recall = [curve[at][0] for curve, at in zip(taught, best, strict=True)]
    hard = [max(zip(curve, BIASES, strict=True), key=lambda each: each[0][1])[0][0] for curve in alone]
    numbers = (
        mean_of([curve[0][0] for curve in taught], "recall of the class, soft answers, bias as learned"),
        mean_of(recall, "recall of the class, soft answers, bias set"),
        mean_of(hard, "recall of the class, hard labels, bias set"),
        mean_of([curve[at][1] for curve, at in zip(taught, best, strict=True)], "accuracy over all, soft answers"),
        difference_of(recall, hard, "soft - hard"),
    )
    return judged(
        numbers[1].value > 0.7, numbers[4].exceeds(0.3),
        summary=f"Without one image of a {MISSING}, the student of soft answers recognises {numbers[0].value:.0%} of "
        "them, "
        f"and {numbers[1].value:.0%} with the bias of best accuracy ({numbers[3].value:.0%} over all classes); the one "
        "of "
        f"hard labels {numbers[2].value:.0%}.",
        numbers=numbers,
        figure=chart(f"Recall of the {MISSING}, of which no example was seen.",
                     *(series(name, BIASES, [sum(curve[at][0] for curve in curves) / len(curves)
                                             for at in range(len(BIASES))], mark=Mark.BOTH)
                       for name, curves in (("soft answers", taught), ("hard labels", alone))),
                     x="added to the logit of the class", y="recall"),
    )  # fmt: skip


def _students(seed: int, fast: bool) -> tuple[Tensor, Tensor, Digits]:
    """Test logits of a student of soft answers and of one of hard labels, both without the class."""
    data, epochs = digits(seed), 25 if fast else 80
    teacher = built(lambda: perceptron((64, 128, 10)), seed, "teacher")
    train(teacher, data.x, data.y, optimizer=torch.optim.Adam(teacher.parameters(), 0.003), epochs=12, seed=seed)
    assert accuracy(teacher, data.test_x, data.test_y) > 0.9
    known = data.y != MISSING
    with torch.no_grad():
        answers = teacher(data.x[known])
    students = []
    for targets, loss in ((answers, _soft), (data.y[known], nn.functional.cross_entropy)):
        student = built(lambda: perceptron((64, 32, 10)), seed, "student")
        optimizer = torch.optim.Adam(student.parameters(), 0.005)
        train(student, data.x[known], targets, optimizer=optimizer, epochs=epochs, seed=seed, loss=loss)
        with torch.no_grad():
            students.append(student(data.test_x))
    return students[0], students[1], data


def _soft(student_BK: Tensor, teacher_BK: Tensor) -> Tensor:
    return soft_target_loss(student_BK, teacher_BK, temperature=TEMPERATURE)


def _judge(logits_BK: Tensor, data: Digits, bias: float) -> tuple[float, float]:
    """Recall of the missing class and accuracy over all, with its logit raised."""
    raised = logits_BK + bias * nn.functional.one_hot(torch.tensor(MISSING), 10)
    right = raised.argmax(1) == data.test_y
    return float(right[data.test_y == MISSING].float().mean()), float(right.float().mean())
