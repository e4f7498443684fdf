"""Lookahead around any optimizer: slow weights that follow the fast ones from afar.

timm 1.0 has one too. It takes the slow weights from the fast ones at the first meeting, which then moves nothing; here
they start where the paper's do, at the weights before the first step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Lookahead(torch.optim.Optimizer):
    """Every `k` steps of `base`: slow += alpha (fast - slow); fast = slow.

    `param_groups` are the base's, so that a schedule finds them.

    Source: Zhang 2019, Lookahead Optimizer: k steps forward, 1 step back, arXiv:1907.08610, algorithm 1.
    """

    def __init__(self, base: torch.optim.Optimizer, *, k: int = 5, alpha: float = 0.5) -> None:
        super().__init__(base.param_groups, {})
        self.base, self.k, self.alpha = base, k, alpha
        self.num_steps = 0
        self._slow: list[torch.Tensor] = []

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of the base, and every k-th time the meeting."""
        if not self._slow:
            self._slow = [weight.detach().clone() for weight in self._weights]
        loss = self.base.step() if closure is None else self.base.step(closure)
        self.num_steps += 1
        if self.num_steps % self.k == 0:
            for slow, fast in zip(self._slow, self._weights, strict=True):
                slow.add_(fast - slow, alpha=self.alpha)
                fast.copy_(slow)
        return loss

    def state_dict(self) -> dict[str, Any]:  # type: ignore[override]
        """The base's, the slow weights in the order of the groups, and the number of steps."""
        return {"base": self.base.state_dict(), "slow": [each.clone() for each in self._slow], "steps": self.num_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:  # type: ignore[override]
        """What `state_dict` gave."""
        self.base.load_state_dict(state_dict["base"])
        self.param_groups = self.base.param_groups
        self.num_steps = state_dict["steps"]
        found = zip(state_dict["slow"], self._weights, strict=False)
        self._slow = [slow.to(weight, copy=True) for slow, weight in found]

    @property
    def _weights(self) -> list[torch.Tensor]:
        return [weight for group in self.param_groups for weight in group["params"]]
