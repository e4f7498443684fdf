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
    if not temperature > 0:
        raise ConfigError(f"The distillation temperature must be greater than 0, got {temperature}.")
    if student_BK.shape != teacher_BK.shape or student_BK.dim() != 2:
        raise ShapeError(
            f"The student gives {tuple(student_BK.shape)} and the teacher {tuple(teacher_BK.shape)}, expected (B, K) "
            "for both: distil between models with the same classes."
        )
    student = functional.log_softmax(student_BK / temperature, dim=1)
    teacher = functional.log_softmax(teacher_BK.detach() / temperature, dim=1)
    divergence = functional.kl_div(student, teacher, log_target=True, reduction="batchmean")
    return divergence * temperature**2
