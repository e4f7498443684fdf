"""Adam that hands over to SGD: fast at the start, better in the end.

    Adam, and with every step p along the gradient g    gamma = p.p / -(p.g)     the rate at which SGD's step, projected
                                                                                  on p, would be p itself
    its moving average, as a share of the rate of now    -> the rate of SGD, which then follows the same schedule

With a constant rate this is algorithm 1 of Keskar and Socher 2017 (SWATS, arXiv:1712.07628) step by step. All that it
knows is in its state dict, so a continued run switches at the same step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..groups import Groups

BETA2 = 0.999  # of Adam, and of the mean of the projected rate (algorithm 1 uses one for both)


@dataclass
class Progress:
    """What the switch has seen so far; plain numbers, for the checkpoint."""

    num_steps: int = 0
    mean: float = 0.0  # of the projected rate, as a share of Adam's, not yet corrected for its start at 0
    num_estimates: int = 0
    best_score: float = -math.inf
    epochs_without_gain: int = 0
    switched_at: int | None = None  # the last step of Adam
    sgd_share: float | None = None  # rate of SGD as a share of the schedule's, once it has taken over
    is_told: bool = False  # that it has switched


class AdamToSgd(torch.optim.Optimizer):
    """PyTorch's Adam until one of three conditions holds, then PyTorch's SGD with momentum.

    Both see the rates that the schedule writes into `param_groups`; SGD multiplies them by its share. A switch waits
    until there is a rate to switch to: no steps downhill, no projection.

    Args:
        groups: parameters with their weight decay (in both halves a term of the gradient).
        lr: the largest rate of the schedule.
        momentum: Adam's first beta, and SGD's momentum.
        after_epoch: switch at the end of this epoch.
        patience: switch when the score has not risen for so many epochs.
        tolerance: switch when the projected rate lies so close to its mean.
        sgd_lr: SGD's largest rate; None for the projected one.
    """

    def __init__(
        self, groups: Groups, *, lr: float, momentum: float, after_epoch: int | None = None,
        patience: int | None = None, tolerance: float | None = None, sgd_lr: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0})
        self._adam = torch.optim.Adam(self.param_groups, lr=lr, betas=(momentum, BETA2))
        self._sgd: torch.optim.SGD | None = None
        self._momentum = momentum
        self._after_epoch, self._patience, self._tolerance = after_epoch, patience, tolerance
        self._sgd_share = None if sgd_lr is None else sgd_lr / lr
        self.progress = Progress()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of whoever's turn it is."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.progress.num_steps += 1
        if self._sgd is None:
            self._step_adam()
        else:
            self._step_sgd(self._sgd)
        return loss

    @property
    def share_of_lr(self) -> float:
        """What the last step took of the rate of its group: all of it by Adam, its own share by SGD."""
        seen = self.progress
        if seen.sgd_share is None or seen.num_steps == seen.switched_at:  # the step that led to a switch was Adam's
            return 1.0
        return seen.sgd_share

    def end_epoch(self, number: int, score: float) -> str:
        """Told after each epoch: its number, from 1, and its score on val. Says once that it has switched, else ""."""
        seen = self.progress
        seen.epochs_without_gain = 0 if score > seen.best_score else seen.epochs_without_gain + 1
        seen.best_score = max(score, seen.best_score)
        is_last = self._after_epoch is not None and number >= self._after_epoch
        is_flat = self._patience is not None and seen.epochs_without_gain >= self._patience
        if self._sgd is None and (is_last or is_flat):
            self._switch()
        if seen.switched_at is None or seen.is_told:
            return ""
        seen.is_told = True
        return (
            f"SGD took over from Adam after step {seen.switched_at}, at {seen.sgd_share:.3g} times its learning rate."
        )

    def state_dict(self) -> dict[str, Any]:  # type: ignore[override]
        """Both halves and what the switch has seen: tensors and plain values."""
        sgd = None if self._sgd is None else self._sgd.state_dict()
        return {"adam": self._adam.state_dict(), "sgd": sgd, "progress": asdict(self.progress)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:  # type: ignore[override]
        """What `state_dict` gave."""
        self._adam.load_state_dict(state_dict["adam"])
        self.param_groups = self._adam.param_groups
        self.progress = Progress(**state_dict["progress"])
        self._sgd = None
        if state_dict["sgd"] is not None:
            self._sgd = self._make_sgd()
            self._sgd.load_state_dict(state_dict["sgd"])

    def _step_adam(self) -> None:
        gradients = {
            weight: weight.grad.add(weight, alpha=group["weight_decay"])
            for group in self.param_groups
            for weight in group["params"]
            if weight.grad is not None
        }
        self._adam.step()
        gamma = self._projected(gradients)
        if gamma is None:
            return
        seen = self.progress
        seen.mean = BETA2 * seen.mean + (1 - BETA2) * gamma
        seen.num_estimates += 1
        is_settled = self._tolerance is not None and abs(self._mean - gamma) * self._rate < self._tolerance
        if is_settled and seen.num_estimates > 1:
            self._switch()

    def _step_sgd(self, sgd: torch.optim.SGD) -> None:
        share = self.progress.sgd_share or 0.0
        for own, group in zip(sgd.param_groups, self.param_groups, strict=True):
            own["lr"] = group["lr"] * share
        sgd.step()

    def _projected(self, gradients: dict[torch.Tensor, torch.Tensor]) -> float | None:
        """p.p / -(p.g) over all weights together, as a share of the schedule's rate; None where p.g is 0."""
        products = []
        for group in self.param_groups:
            for weight in group["params"]:
                if weight in gradients:
                    step = _step_of_adam(self._adam.state[weight], group)
                    products.append(torch.stack([step.square().sum(), (step * gradients[weight]).sum()]))
        length, along = torch.stack(products).sum(0).tolist() if products else (0.0, 0.0)
        return None if along == 0 or self._rate == 0 else length / -along / self._rate

    @property
    def _rate(self) -> float:
        """What the schedule says, before a group's own share."""
        group = self.param_groups[0]
        return group["lr"] / group.get("lr_scale", 1.0)

    @property
    def _mean(self) -> float:
        """The mean of the projected rates, corrected for its start at 0."""
        return self.progress.mean / (1 - BETA2**self.progress.num_estimates) if self.progress.num_estimates else 0.0

    def _switch(self) -> None:
        """Hand over, if there is a rate to go on with. 1 - momentum: SGD's momentum adds up its steps."""
        share = self._mean * (1 - self._momentum) if self._sgd_share is None else self._sgd_share
        if share <= 0:
            return
        self.progress.switched_at, self.progress.sgd_share = self.progress.num_steps, share
        self._sgd = self._make_sgd()
        self._adam.state.clear()

    def _make_sgd(self) -> torch.optim.SGD:
        groups = [{"params": each["params"], "weight_decay": each["weight_decay"]} for each in self.param_groups]
        return torch.optim.SGD(groups, lr=0.0, momentum=self._momentum)


def _step_of_adam(state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
    """The step that Adam has just taken; from its moments, because a difference of weights loses its last digits."""
    beta1, beta2 = group["betas"]
    time = float(state["step"])
    scale = state["exp_avg_sq"].sqrt() / math.sqrt(1 - beta2**time) + group["eps"]
    return -group["lr"] / (1 - beta1**time) * state["exp_avg"] / scale
