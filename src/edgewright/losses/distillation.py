"""Losses that make one network imitate another. Axes: B samples, K classes."""

from __future__ import annotations

import torch
from torch.nn import functional

from ..errors import ConfigError, ShapeError


def soft_target_loss(student_BK: torch.Tensor, teacher_BK: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)), mean over the batch, in nats.

    The gradient of the divergence is (q_student - q_teacher) / T exactly and shrinks as 1 / T^2 only for large T; the
    factor T^2 keeps its size comparable with a hard-label term beside it.

    Args:
        student_BK: logits that are trained.
        teacher_BK: logits to imitate; no gradient flows into them.
        temperature: T > 0; larger spreads the teacher's mass over more classes.

    Raises:
        ShapeError: the two differ in shape.

    Source: Hinton, Vinyals, Dean 2015, Distilling the Knowledge in a Neural Network, section 2.
    """
    _check_logits(student_BK, teacher_BK, temperature)
    student = functional.log_softmax(student_BK / temperature, dim=1)
    teacher = functional.log_softmax(teacher_BK.detach() / temperature, dim=1)
    divergence = functional.kl_div(student, teacher, log_target=True, reduction="batchmean")
    return divergence * temperature**2


def decoupled_loss(
    student_BK: torch.Tensor,
    teacher_BK: torch.Tensor,
    targets_B: torch.Tensor,
    *,
    temperature: float,
    non_target: float = 1.0,
) -> torch.Tensor:
    """T^2 (KL of target against all others + non_target * KL among the others), mean over the batch, in nats.

    The divergence of soft targets is the first part plus the second one times the teacher's mass on the other classes:
    a teacher that is sure of the target hides what it knows about the others. Here their weight is chosen.

    Args:
        student_BK: logits that are trained.
        teacher_BK: logits to imitate; no gradient flows into them.
        targets_B: class ids in [0, K).
        temperature: T > 0.
        non_target: weight of the divergence among the classes that are not the target.

    Raises:
        ShapeError: the two differ in shape, or the targets are not one class id per sample.

    Source: Zhao 2022, Decoupled Knowledge Distillation (CVPR).
    """
    _check_logits(student_BK, teacher_BK, temperature)
    if targets_B.shape != student_BK.shape[:1] or targets_B.is_floating_point():
        raise ShapeError(
            f"The decoupled loss needs one class id per sample, got targets {tuple(targets_B.shape)} of "
            f"{targets_B.dtype}: leave out augmentations that mix images."
        )
    is_target_BK = functional.one_hot(targets_B, student_BK.shape[1]).bool()
    student, teacher = (
        functional.log_softmax(logits_BK / temperature, dim=1) for logits_BK in (student_BK, teacher_BK.detach())
    )
    binary = [
        torch.stack([each[is_target_BK], _log_of_others(each, is_target_BK)], dim=1) for each in (student, teacher)
    ]
    others = [functional.log_softmax(_others(each, is_target_BK), dim=1) for each in (student, teacher)]
    target_part, other_part = (
        functional.kl_div(ours, theirs, log_target=True, reduction="batchmean") for ours, theirs in (binary, others)
    )
    return (target_part + non_target * other_part) * temperature**2


def attention_distance(student_BCHW: torch.Tensor, teacher_BCHW: torch.Tensor) -> torch.Tensor:
    """Mean over the batch of the squared distance between two attention maps, each of length 1; in [0, 2].

    The attention at a place is the sum over channels of the squared activations, so the two may differ in channels.
    Where they differ in size, the larger is averaged down.

    Args:
        student_BCHW: the map that is trained.
        teacher_BCHW: the map to imitate; no gradient flows into it.

    Source: Zagoruyko and Komodakis 2017, Paying More Attention to Attention (activation-based, p = 2).
    """
    student, teacher = (each.float().square().sum(1, keepdim=True) for each in (student_BCHW, teacher_BCHW.detach()))
    size = tuple(min(ours, theirs) for ours, theirs in zip(student.shape[2:], teacher.shape[2:], strict=True))
    ours, theirs = (
        functional.normalize(functional.adaptive_avg_pool2d(each, size).flatten(1), dim=1)  # type: ignore[arg-type]
        for each in (student, teacher)
    )
    return (ours - theirs).square().sum(1).mean()


MOST_RELATED = 128  # samples of a batch that are held against each other: angles are as many as their cube


def relation_loss(student_BF: torch.Tensor, teacher_BF: torch.Tensor, *, angle: float = 2.0) -> torch.Tensor:
    """Huber distance between the two batches' relations: distances of pairs, and `angle` times angles of triplets.

    Distances are in units of their mean over the batch, so widths and scales of the two embeddings may differ. Of a
    batch the first 128 samples are related; fewer than 3 have no triplet, and give 0 with a gradient of 0.

    Args:
        student_BF: embeddings that are trained.
        teacher_BF: embeddings to imitate; no gradient flows into them.
        angle: weight of the angles beside the distances; 2 in the paper.

    Raises:
        ShapeError: the two differ in the number of samples.

    Source: Park 2019, Relational Knowledge Distillation (distance-wise and angle-wise losses).
    """
    if len(student_BF) != len(teacher_BF):
        raise ShapeError(
            f"Relations need the same samples of both, got {len(student_BF)} and {len(teacher_BF)}: show both models "
            "one batch."
        )
    if len(student_BF) < 3:  # the last batch of an epoch, a part or a share of one
        return student_BF.float().sum() * 0
    student, teacher = (each.float()[:MOST_RELATED] for each in (student_BF, teacher_BF.detach()))
    ours, theirs = _relations(student), _relations(teacher)
    num = len(student)
    distances = functional.smooth_l1_loss(ours[0], theirs[0], reduction="sum") / (num * (num - 1))
    angles = functional.smooth_l1_loss(ours[1], theirs[1], reduction="sum") / (num * (num - 1) * (num - 2))
    return distances + angle * angles


def _relations(embeddings_BF: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances (B, B) in units of their mean, and cosines (B, B, B) of the angles at the first index.

    Entries that name a sample twice are equal for all embeddings, and add nothing to a difference.
    """
    between_BBF = embeddings_BF[None] - embeddings_BF[:, None]
    distances_BB = (between_BBF.square().sum(-1) + 1e-12).sqrt()  # the root has no gradient at 0
    num = len(embeddings_BF)
    apart = 1 - torch.eye(num, device=embeddings_BF.device)
    mean = (distances_BB * apart).sum() / (num * (num - 1))
    directions_BBF = functional.normalize(between_BBF, dim=-1)
    return distances_BB * apart / mean.clamp_min(1e-12), directions_BBF @ directions_BBF.transpose(1, 2)


def _others(log_BK: torch.Tensor, is_target_BK: torch.Tensor) -> torch.Tensor:
    """The classes that are not the target, (B, K - 1)."""
    return log_BK[~is_target_BK].reshape(len(log_BK), -1)


def _log_of_others(log_BK: torch.Tensor, is_target_BK: torch.Tensor) -> torch.Tensor:
    """Logarithm of the mass on all classes but the target, (B,): exact where that mass is tiny."""
    return torch.logsumexp(_others(log_BK, is_target_BK), dim=1)


def _check_logits(student_BK: torch.Tensor, teacher_BK: torch.Tensor, temperature: float) -> None:
    if not temperature > 0:
        raise ConfigError(f"The distillation temperature must be greater than 0, got {temperature}.")
    if student_BK.shape != teacher_BK.shape or student_BK.dim() != 2:
        raise ShapeError(
            f"The student gives {tuple(student_BK.shape)} and the teacher {tuple(teacher_BK.shape)}, expected (B, K) "
            "for both: distil between models with the same classes."
        )
