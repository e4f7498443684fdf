"""Losses that put samples of one kind near each other. Axes: B samples, D dimensions of the embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch.nn import functional

from ..errors import ConfigError, ShapeError


def contrastive_loss(
    first_BD: torch.Tensor, second_BD: torch.Tensor, similar_B: torch.Tensor, *, margin: float = 1.0
) -> torch.Tensor:
    """Mean over pairs of `y d^2 / 2 + (1 - y) max(0, margin - d)^2 / 2`, d the Euclidean distance.

    Args:
        first_BD, second_BD: the two embeddings of each pair.
        similar_B: y, 1 (true) for pairs of one kind and 0 for others. (The paper has it the other way round.)
        margin: others need to be so far apart; above 0.

    Raises:
        ConfigError: a margin that is not above 0.
        ShapeError: embeddings or labels that do not fit together.

    Source: Hadsell, Chopra, LeCun 2006, Dimensionality Reduction by Learning an Invariant Mapping, section 2.
    """
    _check_margin(margin)
    similar_B = _checked_pairs(first_BD, second_BD, similar_B).to(first_BD.dtype)
    distances_B = torch.linalg.vector_norm(first_BD - second_BD, dim=1)
    apart_B = (margin - distances_B).clamp_min(0)
    return 0.5 * (similar_B * distances_B**2 + (1 - similar_B) * apart_B**2).mean()


def cosine_embedding_loss(
    first_BD: torch.Tensor, second_BD: torch.Tensor, similar_B: torch.Tensor, *, margin: float = 0.0
) -> torch.Tensor:
    """Mean over pairs of `1 - cos` for those of one kind and `max(0, cos - margin)` for others.

    Args:
        first_BD, second_BD: the two embeddings of each pair.
        similar_B: 1 (true) for pairs of one kind and 0 for others.
        margin: others may be so alike, in [-1, 1].

    Raises:
        ShapeError: embeddings or labels that do not fit together.
    """
    similar_B = _checked_pairs(first_BD, second_BD, similar_B)
    signs_B = torch.where(similar_B.bool(), 1, -1)
    return functional.cosine_embedding_loss(first_BD, second_BD, signs_B, margin=margin)


def triplet_loss(
    embeddings_BD: torch.Tensor, labels_B: torch.Tensor, *, margin: float = 0.2, mining: str = "hard"
) -> torch.Tensor:
    """Mean over mined triplets of `max(0, d(anchor, positive) - d(anchor, negative) + margin)`, d Euclidean.

    Triplets are made inside the batch, which therefore holds several samples of each class.

    Args:
        embeddings_BD: usually of unit length.
        labels_B: class ids, integer.
        margin: how much farther a negative has to be; above 0.
        mining: "hard": for each anchor its farthest positive and its nearest negative (batch-hard, Hermans 2017);
            "semi-hard": for each pair the nearest negative that is farther than the positive, or the farthest
            negative where none is (Schroff 2015); "all": every triplet.

    Returns:
        A scalar; 0 where the batch has no triplet.

    Raises:
        ConfigError: an unknown mining, or a margin that is not above 0.
        ShapeError: not one label per embedding.

    Source: Schroff, Kalenichenko, Philbin 2015, FaceNet, section 3.
    """
    _check_margin(margin)
    if mining not in MINING:
        raise ConfigError(f"Triplets are mined as one of {', '.join(MINING)}, got '{mining}'.")
    if embeddings_BD.dim() != 2 or labels_B.shape != embeddings_BD.shape[:1]:
        raise ShapeError(
            f"Triplets need embeddings (B, D) and one label each, got {tuple(embeddings_BD.shape)} and "
            f"{tuple(labels_B.shape)}."
        )
    # by differences: the faster way over dot products loses all digits of small distances
    distances_BB = torch.cdist(embeddings_BD, embeddings_BD, compute_mode="donot_use_mm_for_euclid_dist")
    same_BB = labels_B[:, None] == labels_B[None, :]
    others_BB = same_BB & ~torch.eye(len(labels_B), dtype=torch.bool, device=labels_B.device)
    terms = MINING[mining](distances_BB, others_BB, ~same_BB, margin)
    return terms.mean() if len(terms) else embeddings_BD.sum() * 0


def _hard(
    distances_BB: torch.Tensor, positive_BB: torch.Tensor, negative_BB: torch.Tensor, margin: float
) -> torch.Tensor:
    """One triplet per anchor that has a positive and a negative."""
    usable_B = positive_BB.any(dim=1) & negative_BB.any(dim=1)
    farthest_B = distances_BB.masked_fill(~positive_BB, -torch.inf).amax(dim=1)
    nearest_B = distances_BB.masked_fill(~negative_BB, torch.inf).amin(dim=1)
    return (farthest_B[usable_B] - nearest_B[usable_B] + margin).clamp_min(0)


def _semi_hard(
    distances_BB: torch.Tensor, positive_BB: torch.Tensor, negative_BB: torch.Tensor, margin: float
) -> torch.Tensor:
    """One triplet per pair of anchor and positive (P pairs) whose anchor has a negative."""
    anchors_P, positives_P = (positive_BB & negative_BB.any(dim=1, keepdim=True)).nonzero(as_tuple=True)
    pairs_P = distances_BB[anchors_P, positives_P]
    rows_PB, negative_PB = distances_BB[anchors_P], negative_BB[anchors_P]
    farther_PB = negative_PB & (rows_PB > pairs_P[:, None])
    if not len(pairs_P):
        return pairs_P
    nearest_P = rows_PB.masked_fill(~farther_PB, torch.inf).amin(dim=1)
    farthest_P = rows_PB.masked_fill(~negative_PB, -torch.inf).amax(dim=1)
    chosen_P = torch.where(farther_PB.any(dim=1), nearest_P, farthest_P)
    return (pairs_P - chosen_P + margin).clamp_min(0)


def _all(
    distances_BB: torch.Tensor, positive_BB: torch.Tensor, negative_BB: torch.Tensor, margin: float
) -> torch.Tensor:
    """Every anchor with every positive and every negative of it."""
    anchors, positives, negatives = (positive_BB[:, :, None] & negative_BB[:, None, :]).nonzero(as_tuple=True)
    return (distances_BB[anchors, positives] - distances_BB[anchors, negatives] + margin).clamp_min(0)


Mine = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]
MINING: Mapping[str, Mine] = {"hard": _hard, "semi-hard": _semi_hard, "all": _all}


def _checked_pairs(first_BD: torch.Tensor, second_BD: torch.Tensor, similar_B: torch.Tensor) -> torch.Tensor:
    if first_BD.shape != second_BD.shape or first_BD.dim() != 2 or similar_B.shape != first_BD.shape[:1]:
        raise ShapeError(
            f"Pairs are two embeddings (B, D) and a label (B,), got {tuple(first_BD.shape)}, "
            f"{tuple(second_BD.shape)} and {tuple(similar_B.shape)}."
        )
    return similar_B


def _check_margin(margin: float) -> None:
    if not margin > 0:
        raise ConfigError(f"The margin of a distance must be greater than 0, got {margin}.")
