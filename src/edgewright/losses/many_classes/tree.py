"""Binary trees over classes: each class is a leaf, and its path a row of decisions.

Axes: K classes, L levels, N = K - 1 inner nodes.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """Per class the inner nodes on its path from the root, and the turn at each; shorter paths are filled up.

    A turn is +1 or -1, and 0 where the path has ended already.
    """

    nodes_KL: torch.Tensor  # int64
    turns_KL: torch.Tensor  # int8

    @property
    def num_nodes(self) -> int:
        return len(self.nodes_KL) - 1

    @property
    def depth(self) -> int:
        """Decisions of the longest path."""
        return self.nodes_KL.shape[1]

    def depths(self) -> torch.Tensor:
        """Decisions per class, int64 (K,)."""
        return (self.turns_KL != 0).sum(dim=1)


def balanced_tree(num_classes: int) -> Tree:
    """The tree of least depth: every class costs floor(log2 K) or ceil(log2 K) decisions.

    Nodes are numbered as in a heap, the root 1 and the children of n 2n and 2n + 1; class k is leaf K + k, and the
    bits of that number are its path.

    Raises:
        ConfigError: fewer than 2 classes.
    """
    _check(num_classes)
    leaves_K1 = torch.arange(num_classes, 2 * num_classes)[:, None]
    levels = (2 * num_classes - 1).bit_length() - 1
    shifts_L = torch.arange(levels, 0, -1)
    heap_KL = leaves_K1 >> shifts_L
    turns_KL = 2 * ((leaves_K1 >> (shifts_L - 1)) & 1) - 1
    turns_KL[heap_KL < 1] = 0
    # the shorter paths miss the first column: bring every root into column 0
    order_KL = (turns_KL == 0).to(torch.int8).argsort(dim=1, stable=True)
    nodes_KL = (heap_KL - 1).clamp_min(0).gather(1, order_KL)
    return Tree(nodes_KL=nodes_KL, turns_KL=turns_KL.gather(1, order_KL).to(torch.int8))


def huffman_tree(counts: Sequence[float]) -> Tree:
    """The tree with the fewest decisions on average, for classes that come in these shares (Huffman 1952).

    Raises:
        ConfigError: fewer than 2 classes, or a negative count.
    """
    _check(len(counts))
    if min(counts) < 0:
        raise ConfigError(f"The counts of classes are 0 or greater, got {min(counts)}.")
    heap = [(float(count), label) for label, count in enumerate(counts)]
    heapq.heapify(heap)
    parents: dict[int, tuple[int, int]] = {}  # of leaf k or inner node K + n: node and turn
    for node in range(len(counts) - 1):
        (first, one), (second, other) = heapq.heappop(heap), heapq.heappop(heap)
        parents[one], parents[other] = (node, 1), (node, -1)
        heapq.heappush(heap, (first + second, len(counts) + node))
    return _tree([_path(label, parents, len(counts)) for label in range(len(counts))])


def _path(label: int, parents: dict[int, tuple[int, int]], num_classes: int) -> list[tuple[int, int]]:
    """Nodes and turns from the root to a leaf."""
    path, at = [], label
    while at in parents:
        path.append(parents[at])
        at = num_classes + parents[at][0]
    return path[::-1]


def _tree(paths: list[list[tuple[int, int]]]) -> Tree:
    depth = max(map(len, paths))
    filled = [path + [(0, 0)] * (depth - len(path)) for path in paths]
    table = torch.tensor(filled)
    return Tree(nodes_KL=table[..., 0].contiguous(), turns_KL=table[..., 1].to(torch.int8))


def _check(num_classes: int) -> None:
    if num_classes < 2:
        raise ConfigError(f"A tree over classes needs 2 classes or more, got {num_classes}.")
