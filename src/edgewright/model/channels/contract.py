"""Products of two tensors (matmul, einsum, attention): which of their axes may carry channels.

Letters name axes as in einsum. Axes that both factors and the result have (heads, windows) may carry channels, then
both are coupled. An axis that is summed over may carry them when nothing else does; so may an axis of one factor
alone. All else is locked.
"""

from __future__ import annotations

import string
from typing import Any

import torch
from torch import fx

from .combine import elementwise
from .space import NOBODY, Labels, nobody
from .trace import Trace, name_of


def matmul(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """(..., m, k) x (..., k, n), leading axes broadcast."""
    left, right = _operand(args[0]), _operand(args[1])
    if min(len(left.shape), len(right.shape)) < 2:
        return _lock_all(seen, node, left, right)
    batch = string.ascii_lowercase[: max(len(left.shape), len(right.shape)) - 2]
    lead_left, lead_right = batch[len(batch) - len(left.shape) + 2 :], batch[len(batch) - len(right.shape) + 2 :]
    return _contract(seen, node, (left, lead_left + "xy"), (right, lead_right + "yz"), batch + "xz")


def einsum(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """einsum(equation, [a, b]) with two factors and named axes."""
    equation, factors = args[0].replace(" ", ""), [_operand(value) for value in args[1]]
    inputs, arrow, result = equation.partition("->")
    letters = inputs.split(",")
    plain = arrow and "." not in equation and all(len(set(each)) == len(each) for each in letters)
    if len(factors) != 2 or not plain:
        return _lock_all(seen, node, *factors)
    return _contract(seen, node, (factors[0], letters[0]), (factors[1], letters[1]), result)


def attention(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """softmax(q k^T) v: heads may carry channels; so may the features that q and k share when there is one head."""
    query, key, value = (_operand(each) for each in args[:3])
    mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
    if kwargs.get("enable_gqa") or len({len(each.shape) for each in (query, key, value)}) != 1:
        return _lock_all(seen, node, query, key, value)
    batch = string.ascii_lowercase[: len(query.shape) - 2]
    scores = _contract(seen, node, (query, batch + "xk"), (key, batch + "yk"), batch + "xy")
    if mask is not None:
        scores = elementwise(seen, node, (scores, mask), {})
    return _contract(seen, node, (scores, batch + "xy"), (value, batch + "yv"), batch + "xv")


def _operand(value: Any) -> Labels:
    return value if isinstance(value, Labels) else nobody(value.shape)


def _lock_all(seen: Trace, node: fx.Node, *factors: Labels) -> Labels:
    for labels in factors:
        seen.space.lock(labels.ids, _reason(node))
    return seen.unknown(node)


def _reason(node: fx.Node) -> str:
    return f"{name_of(node.target)} at '{node.name}' mixes them"


Factor = tuple[Labels, str]


def _contract(seen: Trace, node: fx.Node, left: Factor, right: Factor, result: str) -> Labels:
    left, right = (seen.space.settle(left[0]), left[1]), (seen.space.settle(right[0]), right[1])
    sizes: dict[str, int] = {}
    for labels, letters in (left, right):
        for letter, size in zip(letters, labels.shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))  # a broadcast axis has size 1 in one of the two
    shape = tuple(sizes[letter] for letter in result)
    shared = set(left[1]) & set(right[1])
    varies = _varying(left) | _varying(right)
    if varies & shared & set(result):
        return _along_batch(seen, node, left, right, result, shape)
    if varies and varies <= shared:
        _couple_summed(seen, node, left, right)
        return nobody(shape)
    for one, other in ((left, right), (right, left)):
        if varies <= set(one[1]) - shared and varies <= set(result) and not other[0].axes:
            return Labels(_aligned(one, result), shape)
    for labels, _ in (left, right):
        seen.space.lock(labels.ids, _reason(node))
    return nobody(shape)


def _varying(factor: Factor) -> set[str]:
    return {factor[1][axis] for axis in factor[0].axes}


def _aligned(factor: Factor, letters: str) -> torch.Tensor:
    """The ids with one axis per letter, size 1 for letters that the factor has not."""
    labels, own = factor
    present = [own.index(letter) for letter in letters if letter in own]
    missing = [axis for axis in range(len(own)) if axis not in present]
    ids = labels.ids.permute(*present, *missing)
    for _ in missing:  # nothing varies along them
        ids = ids.select(-1, 0)
    view = iter(ids.shape)
    return ids.reshape([next(view) if letter in own else 1 for letter in letters])


def _along_batch(
    seen: Trace, node: fx.Node, left: Factor, right: Factor, result: str, shape: tuple[int, ...]
) -> Labels:
    """Both factors are cut along an axis that they share and that the result keeps."""
    shared = set(left[1]) & set(right[1]) & set(result)
    batch = "".join(letter for letter in result if letter in shared)
    parts = []
    for labels, letters in (left, right):
        axes = [axis for axis, letter in enumerate(letters) if letter not in shared]
        kept = seen.space.forbid(labels, axes, _reason(node))
        sizes = dict(zip(letters, labels.shape, strict=True))
        parts.append(Labels(_aligned((kept, letters), batch), tuple(sizes[letter] for letter in batch)))
    joined = elementwise(seen, node, parts, {})
    return Labels(_aligned((joined, batch), result), shape)


def _couple_summed(seen: Trace, node: fx.Node, left: Factor, right: Factor) -> None:
    """Both factors are cut along the axis that is summed over: a dropped pair adds nothing."""
    shared = "".join(letter for letter in left[1] if letter in right[1])
    ids = torch.broadcast_tensors(_aligned(left, shared), _aligned(right, shared))
    seen.space.couple(*ids)
    broken = (ids[0] == NOBODY) != (ids[1] == NOBODY)
    seen.space.lock(torch.maximum(*ids)[broken], _reason(node))
