"""Losses as their formulas read, one sample, label or class after the other, in float64.

Axes: B samples, K classes or labels, D dimensions, S classes drawn as noise. Every mean is over the batch, in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .stable import log_sigmoid, log_softmax, sigmoid


def cross_entropy(logits_BK: np.ndarray, shares_BK: np.ndarray, *, label_smoothing: float = 0.0) -> float:
    """-sum_k t_k log p_k; smoothing moves so much of the target's mass evenly to all classes."""
    num_classes = logits_BK.shape[1]
    total = 0.0
    for logits_K, shares_K in zip(logits_BK, shares_BK, strict=True):
        smoothed_K = (1 - label_smoothing) * shares_K + label_smoothing / num_classes
        total -= float((smoothed_K * log_softmax(logits_K)).sum())
    return total / len(logits_BK)


def focal(logits_BK: np.ndarray, labels_B: Sequence[int], *, gamma: float) -> float:
    """-(1 - p)^gamma log p of the true class, p by softmax."""
    log_p = [log_softmax(row)[label] for row, label in zip(logits_BK, labels_B, strict=True)]
    return -sum((1 - math.exp(each)) ** gamma * each for each in log_p) / len(log_p)


def binary_cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """max(z, 0) - z y + log(1 + e^-|z|), mean over all labels."""
    pairs = zip(np.ravel(logits), np.ravel(targets), strict=True)
    terms = [max(z, 0) - z * y + math.log1p(math.exp(-abs(z))) for z, y in pairs]
    return sum(terms) / len(terms)


def sigmoid_focal(logits: np.ndarray, targets: np.ndarray, *, gamma: float, alpha: float) -> float:
    """-a_t (1 - p_t)^gamma log p_t with p_t the probability of what is true, mean over all labels."""
    terms = []
    for logit, target in zip(np.ravel(logits), np.ravel(targets), strict=True):
        p_t = sigmoid(logit) if target else sigmoid(-logit)
        terms.append(-(alpha if target else 1 - alpha) * (1 - p_t) ** gamma * math.log(p_t))
    return sum(terms) / len(terms)


def contrastive(first_BD: np.ndarray, second_BD: np.ndarray, similar_B: Sequence[int], *, margin: float) -> float:
    """d^2 / 2 for pairs of one kind, max(0, margin - d)^2 / 2 for others."""
    terms = []
    for first_D, second_D, similar in zip(first_BD, second_BD, similar_B, strict=True):
        distance = math.dist(first_D, second_D)
        terms.append(0.5 * (distance if similar else max(0.0, margin - distance)) ** 2)
    return sum(terms) / len(terms)


def triplets(embeddings_BD: np.ndarray, labels_B: Sequence[int], *, margin: float, mining: str) -> float:
    """Mean hinge over the triplets that `mining` finds: "hard", "semi-hard" or "all"."""
    count = range(len(labels_B))
    distance = [[math.dist(embeddings_BD[i], embeddings_BD[j]) for j in count] for i in count]
    terms = []
    for anchor in count:
        near = [distance[anchor][j] for j in count if j != anchor and labels_B[j] == labels_B[anchor]]
        far = [distance[anchor][j] for j in count if labels_B[j] != labels_B[anchor]]
        if near and far:
            terms += [max(0.0, positive - negative + margin) for positive, negative in _mined(near, far, mining)]
    return sum(terms) / len(terms) if terms else 0.0


def _mined(near: list[float], far: list[float], mining: str) -> list[tuple[float, float]]:
    if mining == "hard":
        return [(max(near), min(far))]
    if mining == "all":
        return [(positive, negative) for positive in near for negative in far]
    return [(each, min((other for other in far if other > each), default=max(far))) for each in near]


def cosine_embedding(first_BD: np.ndarray, second_BD: np.ndarray, similar_B: Sequence[int], *, margin: float) -> float:
    """1 - cos for pairs of one kind, max(0, cos - margin) for others."""
    terms = []
    for first_D, second_D, similar in zip(first_BD, second_BD, similar_B, strict=True):
        cosine = float(first_D @ second_D) / (math.hypot(*first_D) * math.hypot(*second_D))
        terms.append(1 - cosine if similar else max(0.0, cosine - margin))
    return sum(terms) / len(terms)


def sampled_softmax(
    logits_BK: np.ndarray, labels_B: Sequence[int], drawn_S: Sequence[int], *, noise_K: np.ndarray
) -> float:
    """Cross-entropy with the sum over all classes estimated from S draws with probabilities `noise_K`.

    The true class counts once; each draw of another stands for 1 / (S noise_k) classes like it; a draw of the true
    class counts for nothing.
    """
    total = 0.0
    for logits_K, label in zip(logits_BK, labels_B, strict=True):
        others = [math.exp(logits_K[k]) / (len(drawn_S) * noise_K[k]) for k in drawn_S if k != label]
        total += math.log(math.exp(logits_K[label]) + sum(others)) - logits_K[label]
    return total / len(labels_B)


def noise_contrastive(
    logits_BK: np.ndarray, labels_B: Sequence[int], drawn_S: Sequence[int], *, noise_K: np.ndarray
) -> float:
    """Telling the true class from S draws of noise, by logits less log(S noise_k)."""
    count = len(drawn_S)
    total = 0.0
    for logits_K, label in zip(logits_BK, labels_B, strict=True):
        total -= log_sigmoid(logits_K[label] - math.log(count * noise_K[label]))
        total -= sum(log_sigmoid(math.log(count * noise_K[k]) - logits_K[k]) for k in drawn_S)
    return total / len(labels_B)


def negative_sampling(logits_BK: np.ndarray, labels_B: Sequence[int], drawn_S: Sequence[int]) -> float:
    """The same by the logits as they are."""
    total = 0.0
    for logits_K, label in zip(logits_BK, labels_B, strict=True):
        total -= log_sigmoid(logits_K[label]) + sum(log_sigmoid(-logits_K[k]) for k in drawn_S)
    return total / len(labels_B)


def tree_log_probability(scores_N: np.ndarray, path: Sequence[tuple[int, int]]) -> float:
    """Of a leaf of a binary tree: the sum of log sigmoid(+-score) over its path of (node, turn) pairs.

    Args:
        scores_N: of the inner nodes.
        path: turn 1 is taken with probability sigmoid(score), turn 0 with the rest.
    """
    return sum(log_sigmoid(scores_N[node] if turn else -scores_N[node]) for node, turn in path)
