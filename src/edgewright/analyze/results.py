"""What common functions make, as tensors without content, without asking torch.

torch's own kernels for such tensors are largely written in Python and take most of the time of a recording. Each entry
here gives the shape, type and layout that torch gives, or None where it is not sure: then torch is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from .fusion import ELEMENTWISE
from .recognition import CONVOLUTIONS, Given
from .tracing import META
from .windows import SLIDING, names_of


def result_of(given: Given) -> torch.Tensor | None:
    """The tensor that a function makes, or None where torch has to be asked."""
    make = RESULTS.get(given.name)
    return None if make is None else make(given)


def _is_plain(*tensors: object) -> bool:
    """Whether all are floating-point tensors of one type in the plain layout."""
    return all(
        isinstance(each, torch.Tensor)
        and each.is_contiguous()
        and each.is_floating_point()
        and each.dtype == tensors[0].dtype  # type: ignore[attr-defined]
        for each in tensors
    )


def _empty(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.empty(shape, dtype=like.dtype, device=META)


def _like_first(given: Given) -> torch.Tensor:
    first = given.args[0]
    return _empty(first.shape, first) if first.is_contiguous() else torch.empty_like(first)


def _softmax(given: Given) -> torch.Tensor | None:
    return _like_first(given) if _is_plain(given.args[0]) and given["dtype"] is None else None


def _sum_of_two(given: Given) -> torch.Tensor | None:
    first, second = given.args[:2]
    if isinstance(second, (int, float)) and _is_plain(first):
        return _empty(first.shape, first)
    if not _is_plain(first, second) or first.dim() != second.dim():
        return None
    pairs = list(zip(first.shape, second.shape, strict=True))
    shape = tuple(a if b == 1 else b for a, b in pairs)
    return _empty(shape, first) if all(a in (b, 1) or b == 1 for a, b in pairs) else None


def _joined(given: Given) -> torch.Tensor | None:
    tensors, dim = given["tensors"], given["dim"]
    first = tensors[0]
    shapes = [list(each.shape) for each in tensors]
    if not _is_plain(*tensors) or len({len(shape) for shape in shapes}) > 1 or not isinstance(dim, int):
        return None
    total = sum(shape.pop(dim) for shape in shapes)
    if any(shape != shapes[0] for shape in shapes):
        return None
    position = dim % first.dim()
    return _empty((*shapes[0][:position], total, *shapes[0][position:]), first)


def _pooled_to(given: Given) -> torch.Tensor | None:
    first, size = given.args[0], given["output_size"]
    return _empty((*first.shape[: -len(size)], *size), first) if _is_plain(first) else None


def _convolved(given: Given) -> torch.Tensor | None:
    image, weight = given["input"], given["weight"]
    settings = [given[name] for name in ("stride", "padding", "dilation")]
    axes = weight.dim() - 2
    if (
        not _is_plain(image, weight)
        or image.dim() != weight.dim()
        or any(isinstance(each, str) or len(each) != axes for each in settings)
    ):
        return None
    sizes = zip(image.shape[2:], weight.shape[2:], *settings, strict=True)
    made = [(size + 2 * pad - far * (kernel - 1) - 1) // step + 1 for size, kernel, step, pad, far in sizes]
    fits = min(made) > 0 and image.shape[1] == weight.shape[1] * given["groups"]
    return _empty((image.shape[0], weight.shape[0], *made), image) if fits else None


def _attention(given: Given) -> torch.Tensor | None:
    """Without content there is one kernel, whose result lies in the plain layout however its factors lie."""
    query, key, value = given.args[:3]
    same = query.shape[:-2] == key.shape[:-2] == value.shape[:-2] and query.dtype == key.dtype == value.dtype
    known = query.is_floating_point() and query.shape[-1] == key.shape[-1] and key.shape[-2] == value.shape[-2]
    return _empty((*query.shape[:-1], value.shape[-1]), query) if same and known else None


def _linear(given: Given) -> torch.Tensor | None:
    first, weight = given.args[:2]
    if not _is_plain(first, weight) or weight.dim() != 2 or first.shape[-1] != weight.shape[1]:
        return None
    return _empty((*first.shape[:-1], weight.shape[0]), first)


Result = Callable[[Given], torch.Tensor | None]
RESULTS: Mapping[str, Result] = {
    **dict.fromkeys((name.removeprefix("aten.") for name in ELEMENTWISE), _like_first),
    **dict.fromkeys(("batch_norm", "layer_norm", "group_norm"), _like_first),
    **dict.fromkeys(("add", "sub", "mul", "div"), _sum_of_two),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("cat", "concat"), _joined),
    **dict.fromkeys((name for name in CONVOLUTIONS if not SLIDING[name].transposed), _convolved),
    **dict.fromkeys(names_of("adaptive_avg_pool"), _pooled_to),
    "linear": _linear,
    "scaled_dot_product_attention": _attention,
}
"""Function -> what it makes."""
