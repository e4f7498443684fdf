"""Learning from another network's answers, one sample after the other.

    soft targets   T² KL(q_t || q_s),  q = softmax(z / T)          teacher first
    its gradient   T (q_s - q_t) by the student's logits: exactly 1/T for the KL, times T²

The gradient of the KL itself shrinks as 1/T² only for large T, where T² KL tends to |centred difference|² / (2 K).

    decoupled      KL splits into target against all others, and the others among themselves times the teacher's mass
                   on them; here that weight is chosen
    attention      |a_s - a_t|²,  a = Σ_c x² as a vector of length 1
    relations      Huber of distances in units of their mean, and of the cosines of angles in triplets

Sources: Hinton 2015; Zhao 2022 (decoupled); Zagoruyko and Komodakis 2017 (attention); Park 2019 (relations).
Axes: B samples, K classes, F features. Everything is a mean over the batch, in nats.
"""

from __future__ import annotations

import math

import numpy as np

from .regression_losses import smooth_l1
from .stable import log_softmax, softmax


def divergence(log_p_K: np.ndarray, log_q_K: np.ndarray) -> float:
    """KL(p || q) = Σ p (log p - log q)."""
    return float((np.exp(log_p_K) * (log_p_K - log_q_K)).sum())


def soft_targets(student_BK: np.ndarray, teacher_BK: np.ndarray, *, temperature: float) -> float:
    """T² KL(teacher || student)."""
    logs = [log_softmax(each / temperature) for each in (teacher_BK, student_BK)]
    return temperature**2 * sum(divergence(p, q) for p, q in zip(*logs, strict=True)) / len(student_BK)


def soft_targets_gradient(student_BK: np.ndarray, teacher_BK: np.ndarray, *, temperature: float) -> np.ndarray:
    """T (q_s - q_t) / B."""
    q_student, q_teacher = (softmax(each / temperature) for each in (student_BK, teacher_BK))
    return temperature * (q_student - q_teacher) / len(student_BK)


def decoupled(
    student_BK: np.ndarray, teacher_BK: np.ndarray, labels_B: np.ndarray, *, temperature: float, non_target: float
) -> float:
    """T² (KL of target and all others + non_target · KL among the others)."""
    total = 0.0
    for student_K, teacher_K, label in zip(student_BK, teacher_BK, labels_B, strict=True):
        binary, among = [], []
        for logits_K in (teacher_K / temperature, student_K / temperature):
            p = softmax(logits_K)[label]
            binary.append(np.log([p, 1 - p]))
            among.append(log_softmax(np.delete(logits_K, label)))
        total += divergence(*binary) + non_target * divergence(*among)
    return temperature**2 * total / len(student_BK)


def attention(student_BCHW: np.ndarray, teacher_BCHW: np.ndarray) -> float:
    """Maps of one size, of any numbers of channels."""
    total = 0.0
    for pair in zip(student_BCHW, teacher_BCHW, strict=True):
        ours, theirs = ((each**2).sum(0).ravel() for each in pair)
        total += float(((ours / np.linalg.norm(ours) - theirs / np.linalg.norm(theirs)) ** 2).sum())
    return total / len(student_BCHW)


def relations(student_BF: np.ndarray, teacher_BF: np.ndarray, *, angle: float) -> float:
    """Mean over ordered pairs of the distances' Huber loss, and `angle` times that over ordered triplets' cosines."""
    count = len(student_BF)
    huber = smooth_l1(1.0).value
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    apart = []
    for points_BF in (student_BF, teacher_BF):
        distances = np.array([math.dist(points_BF[i], points_BF[j]) for i, j in pairs])
        apart.append(distances / distances.mean())
    triplets = [(i, j, k) for i, j in pairs for k in range(count) if k not in (i, j)]
    corners = [
        np.array([_cosine(points_BF[j] - points_BF[i], points_BF[k] - points_BF[i]) for i, j, k in triplets])
        for points_BF in (student_BF, teacher_BF)
    ]
    return float(huber(apart[0] - apart[1]).mean() + angle * huber(corners[0] - corners[1]).mean())


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
