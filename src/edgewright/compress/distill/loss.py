"""The loss of distillation, in the form that `train_weights` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import fx, nn

from ...data import Data
from ...errors import UnsupportedError
from ...train import fastest_layout, weights_digest
from ...train.companion import parted
from ...types import Task
from .regressors import regressors
from .taps import paired_maps, shared_maps, stage_ends, tapped
from .terms import PAIRED, TERMS, Look, Maps, Seen

if TYPE_CHECKING:
    from .stage import Distill


class DistillLoss:
    """alpha * task loss + the sum of the terms that `settings` weighs.

    The teacher sees the same augmented images, in eval mode and without gradients. A teacher that has an `identity`
    (`answers.Frozen`) gives answers only.

    Args:
        settings: weights, temperature and so on; its `train` is not used.
        student: the model that will be trained, or one whose tensors have the same names.
        teacher: the model to imitate.
        seed: of the regressors that `hints` learns.

    Raises:
        UnsupportedError: feature maps are to be compared, and one of the two shows none.
    """

    def __init__(
        self, settings: Distill, *, student: nn.Module, teacher: nn.Module, task: Task, data: Data, seed: int = 0
    ) -> None:
        self.settings, self.task = settings, task
        self.look = _look(settings, student, teacher)
        self.weights = {
            name: weight for name, weight in settings.weights.items() if name != "features" or self.look.shared
        }
        self.companion = regressors(self.look.pairs, seed=seed) if "hints" in self.weights else None
        self._taps = _taps(self.look, self.weights)
        identity = getattr(teacher, "identity", None)
        if identity is None:
            copied, self.layout = fastest_layout(teacher, data.preprocess.shape)
            self.teacher = self._view(copied.eval(), self._taps[1])
        else:
            self.layout, self.teacher = torch.contiguous_format, teacher
        self.name = self._name(identity or weights_digest(teacher), seed)
        self._viewed: tuple[nn.Module, nn.Module] | None = None  # the student last seen, and the view of it

    def __call__(self, net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        parts = self.parts(net, inputs, targets)
        loss = self.settings.alpha * parts["labels"]
        for name, weight in self.weights.items():
            loss = loss + weight * parts[name]
        return loss

    def parts(self, net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        """The task's loss as "labels" and every term by name, none of them weighted."""
        student, companion = parted(net)
        if self._viewed is None or self._viewed[0] is not student:
            self._viewed = (student, self._view(student, self._taps[0]))
        student_BK, student_maps = _answer(self._viewed[1], inputs, self._taps[0])
        parts = {"labels": self.task.loss(student_BK, targets)}
        if not self.weights:
            return parts
        self.teacher.to(inputs.device)  # the student may learn on another device than it was given on
        with torch.no_grad():
            teacher_BK, teacher_maps = _answer(
                self.teacher, inputs.contiguous(memory_format=self.layout), self._taps[1]
            )
        seen = Seen(
            student_BK=student_BK, teacher_BK=teacher_BK, targets=targets, student_maps=student_maps,
            teacher_maps=teacher_maps, companion=companion,
        )  # fmt: skip
        return parts | {name: TERMS[name](seen, self.look) for name in self.weights}

    def _view(self, net: nn.Module, taps: tuple[str, ...]) -> nn.Module:
        if not taps:
            return net
        missing = set(taps) - {node.name for node in net.graph.nodes} if isinstance(net, fx.GraphModule) else set(taps)
        if missing:
            raise UnsupportedError(
                f"The net that learns makes no tensor {sorted(missing)[0]}, whose values were to be compared: imitate "
                "answers only (soft, decoupled)."
            )
        return tapped(net, taps)  # type: ignore[arg-type]

    def _name(self, teacher: str, seed: int) -> str:
        """Tells the checkpoints of this loss from those of others."""
        settings, look = self.settings, self.look
        name = f"distill {settings.alpha} {settings.temperature} {settings.features} {look.shared} teacher={teacher}"
        others = {key: value for key, value in self.weights.items() if key not in ("soft", "features")}
        if not others and settings.soft is None:
            return name
        pairs = [str(pair) for pair in look.pairs]
        return f"{name} {self.weights} {settings.non_target} {pairs} {look.ends} {seed}"


def _look(settings: Distill, student: nn.Module, teacher: nn.Module) -> Look:
    wanted = settings.weights
    shared = shared_maps(student, teacher) if "features" in wanted else ()
    pairs = paired_maps(student, teacher) if set(PAIRED) & set(wanted) else ()
    needing = [name for name in PAIRED if name in wanted]
    if needing and not pairs:
        sides = {"student": student, "teacher": teacher}
        blind = next((side for side, net in sides.items() if not stage_ends(net)), "teacher")
        raise UnsupportedError(
            f"{needing[0]} compares feature maps, and the {blind} shows none: imitate answers (soft, decoupled, "
            "relational), or name a captured convolutional model."
        )
    ends = None
    if "relational" in wanted:
        ours, theirs = ([name for name, _ in stage_ends(net).values()] for net in (student, teacher))
        ends = (ours[-1], theirs[-1]) if ours and theirs else None
    return Look(settings=settings, shared=shared, pairs=pairs, ends=ends)


def _taps(look: Look, weights: dict[str, float]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the tensors to take out of the student and out of the teacher, each once."""
    ours, theirs = list(look.shared), list(look.shared)
    if set(PAIRED) & set(weights):
        ours += [pair.student for pair in look.pairs]
        theirs += [pair.teacher for pair in look.pairs]
    if look.ends is not None:
        ours.append(look.ends[0])
        theirs.append(look.ends[1])
    return tuple(dict.fromkeys(ours)), tuple(dict.fromkeys(theirs))


def _answer(view: nn.Module, inputs: torch.Tensor, taps: tuple[str, ...]) -> tuple[torch.Tensor, Maps]:
    if not taps:
        return view(inputs).float(), {}
    outputs, maps = view(inputs)
    return outputs.float(), dict(zip(taps, maps, strict=True))
