"""A class as a row of yes-or-no decisions. Axes: B samples, D features, K classes, L levels, N inner nodes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ...errors import ConfigError
from .sampled import linear_weights
from .tree import Tree, balanced_tree


class HierarchicalHead(nn.Module):
    """The probability of a class is the product of sigmoids on its path: K - 1 nodes, at most `depth` of them a class.

    A training step reads the nodes on the paths of its targets only. What is cheap is the probability of one given
    class; the most probable class still takes all nodes (`forward`).

    Source: Morin and Bengio 2005, Hierarchical Probabilistic Neural Network Language Model.
    """

    nodes_KL: torch.Tensor
    turns_KL: torch.Tensor

    def __init__(self, dim: int, num_classes: int, *, tree: Tree | None = None, seed: int = 0) -> None:
        """
        Args:
            dim: D, features of a sample.
            num_classes: K.
            tree: over the classes; None is the balanced one. Classes that are alike should be near each other in it.
            seed: of the initial weights.

        Raises:
            ConfigError: a tree over another number of classes.
        """
        super().__init__()
        tree = balanced_tree(num_classes) if tree is None else tree
        if len(tree.nodes_KL) != num_classes:
            raise ConfigError(f"The tree is over {len(tree.nodes_KL)} classes and the head over {num_classes}.")
        self.register_buffer("nodes_KL", tree.nodes_KL, persistent=True)
        self.register_buffer("turns_KL", tree.turns_KL, persistent=True)
        self.weight_ND, self.bias_N = linear_weights(dim, tree.num_nodes, seed=seed)

    @property
    def depth(self) -> int:
        """The most decisions that a class takes."""
        return self.nodes_KL.shape[1]

    def forward(self, features_BD: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (B, K), which sum to 1."""
        scores_BN = functional.linear(features_BD, self.weight_ND, self.bias_N)
        total_BK = torch.zeros(len(features_BD), len(self.nodes_KL), dtype=scores_BN.dtype, device=scores_BN.device)
        for nodes_K, turns_K in zip(self.nodes_KL.T, self.turns_KL.T, strict=True):
            log_turn_BK = functional.logsigmoid(turns_K * scores_BN[:, nodes_K])
            total_BK = total_BK + torch.where(turns_K == 0, 0.0, log_turn_BK)
        return total_BK

    def log_probability(self, features_BD: torch.Tensor, targets_B: torch.Tensor) -> torch.Tensor:
        """Of one given class per sample, (B,): reads the nodes on its path."""
        nodes_BL, turns_BL = self.nodes_KL[targets_B], self.turns_KL[targets_B]
        scores_BL = (features_BD[:, None] * self.weight_ND[nodes_BL]).sum(dim=2) + self.bias_N[nodes_BL]
        return torch.where(turns_BL == 0, 0.0, functional.logsigmoid(turns_BL * scores_BL)).sum(dim=1)

    def loss(
        self, features_BD: torch.Tensor, targets_B: torch.Tensor, *, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Minus the log-probability of the targets, int64 (B,), mean over the batch, in nats; nothing is drawn."""
        return -self.log_probability(features_BD, targets_B).mean()
