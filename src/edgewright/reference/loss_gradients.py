"""The gradients of `losses`, each by the rule that its formula gives.

Through a softmax or a sigmoid, cross-entropy has the gradient p - y: as large as the mistake. Of all classes of a
softmax it is dense, not sparse. A squared error of the same output has (p - y) p (1 - p), which vanishes where the
network is surest, wrong or right: at z = -8 and y = 1, -0.000335 against -0.999665.

Every gradient is that of the mean over the batch. Axes: B samples, K classes or labels, D dimensions, S drawn classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .stable import log_sigmoid, log_softmax, sigmoid, softmax


def cross_entropy(logits_BK: np.ndarray, shares_BK: np.ndarray, *, label_smoothing: float = 0.0) -> np.ndarray:
    """(p - t) / B, with t the smoothed shares, which sum to 1."""
    smoothed_BK = (1 - label_smoothing) * shares_BK + label_smoothing / logits_BK.shape[1]
    return (softmax(logits_BK) - smoothed_BK) / len(logits_BK)


def focal(logits_BK: np.ndarray, labels_B: Sequence[int], *, gamma: float) -> np.ndarray:
    """((1 - p)^gamma - gamma p (1 - p)^(gamma - 1) log p) (p_k - [k = label]) / B, p of the true class.

    The first factor is -p times the derivative of -(1 - p)^gamma log p, and log p has the slope [k = label] - p_k.
    """
    rows_B = np.arange(len(logits_BK))
    log_p = log_softmax(logits_BK)[rows_B, labels_B]
    p = np.exp(log_p)
    factor_B = (1 - p) ** gamma - gamma * p * (1 - p) ** (gamma - 1) * log_p
    slopes_BK = softmax(logits_BK)
    slopes_BK[rows_B, labels_B] -= 1
    return factor_B[:, None] * slopes_BK / len(logits_BK)


def binary_cross_entropy(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(p - y) / n."""
    return (sigmoid(logits) - targets) / np.size(logits)


def squared_error_of_sigmoid(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(p - y) p (1 - p) / n, of (p - y)²/2: the one that learns nothing from a sure mistake."""
    return (sigmoid(logits) - targets) * sigmoid(logits) * sigmoid(-logits) / np.size(logits)


def sigmoid_focal(logits: np.ndarray, targets: np.ndarray, *, gamma: float, alpha: float) -> np.ndarray:
    """a_t (gamma p_t (1 - p_t)^gamma log p_t - (1 - p_t)^(gamma + 1)) times the sign of y, / n."""
    sign = np.where(targets > 0, 1.0, -1.0)  # p_t is the sigmoid of sign z
    p_t, log_p_t, rest = sigmoid(sign * logits), log_sigmoid(sign * logits), sigmoid(-sign * logits)
    weight = np.where(targets > 0, alpha, 1 - alpha)
    return sign * weight * (gamma * p_t * rest**gamma * log_p_t - rest ** (gamma + 1)) / np.size(logits)


def contrastive(
    first_BD: np.ndarray, second_BD: np.ndarray, similar_B: Sequence[int], *, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of both embeddings: pairs of a kind are pulled by their difference, others pushed by margin - d until there."""
    between_BD = first_BD - second_BD
    distance_B1 = np.linalg.norm(between_BD, axis=1, keepdims=True)
    apart_BD = -np.maximum(0, margin - distance_B1) * between_BD / np.where(distance_B1 > 0, distance_B1, 1)
    slope_BD = np.where(np.reshape(similar_B, (-1, 1)), between_BD, apart_BD) / len(first_BD)
    return slope_BD, -slope_BD


def triplet(
    anchor_BD: np.ndarray, positive_BD: np.ndarray, negative_BD: np.ndarray, *, margin: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of anchor, positive and negative, of the mean of max(0, d(a, p) - d(a, n) + margin); 0 where it is met."""
    to_positive, to_negative = anchor_BD - positive_BD, anchor_BD - negative_BD
    near, far = (np.linalg.norm(each, axis=1, keepdims=True) for each in (to_positive, to_negative))
    active = (near - far + margin > 0) / len(anchor_BD)
    pull, push = active * to_positive / near, active * to_negative / far
    return pull - push, -pull, push


def cosine_embedding(
    first_BD: np.ndarray, second_BD: np.ndarray, similar_B: Sequence[int], *, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of both: cos = a·b / (|a| |b|) has the slope (b/|b| - cos a/|a|) / |a| by a, at a right angle to a."""
    sizes = [np.linalg.norm(each, axis=1, keepdims=True) for each in (first_BD, second_BD)]
    first, second = first_BD / sizes[0], second_BD / sizes[1]
    cosine_B1 = (first * second).sum(1, keepdims=True)
    outer_B1 = np.where(np.reshape(similar_B, (-1, 1)), -1.0, (cosine_B1 > margin) * 1.0) / len(first_BD)
    return outer_B1 * (second - cosine_B1 * first) / sizes[0], outer_B1 * (first - cosine_B1 * second) / sizes[1]


def sampled_softmax(
    logits_BK: np.ndarray, labels_B: Sequence[int], drawn_S: Sequence[int], *, noise_K: np.ndarray
) -> np.ndarray:
    """q - 1 at the label, q at every draw of another class, / B: q the softmax over label and draws, which stand for
    1 / (S noise) classes each. Its mean over all draws approaches p - y as S grows."""
    slopes_BK = np.zeros_like(logits_BK)
    for row, (logits_K, label) in enumerate(zip(logits_BK, labels_B, strict=True)):
        others = [k for k in drawn_S if k != label]
        weights = [logits_K[k] - np.log(len(drawn_S) * noise_K[k]) for k in others]
        shares = softmax(np.array([logits_K[label], *weights]))
        slopes_BK[row, label] += shares[0] - 1
        np.add.at(slopes_BK[row], others, shares[1:])
    return slopes_BK / len(logits_BK)


def noise_contrastive(
    logits_BK: np.ndarray, labels_B: Sequence[int], drawn_S: Sequence[int], *, noise_K: np.ndarray
) -> np.ndarray:
    """`negative_sampling` of the logits less log(S noise): another objective than cross-entropy, not a way to it."""
    return negative_sampling(logits_BK - np.log(len(drawn_S) * noise_K), labels_B, drawn_S)


def negative_sampling(logits_BK: np.ndarray, labels_B: Sequence[int], drawn_S: Sequence[int]) -> np.ndarray:
    """p - 1 at the label, p at every draw (twice drawn, twice added), / B."""
    slopes_BK = np.zeros_like(logits_BK)
    for row, (logits_K, label) in enumerate(zip(logits_BK, labels_B, strict=True)):
        slopes_BK[row, label] -= sigmoid(-logits_K[label])
        for k in drawn_S:
            slopes_BK[row, k] += sigmoid(logits_K[k])
    return slopes_BK / len(logits_BK)
