"""How each operator treats channels: a table from the operator's name to a rule.

An operator that is missing here is refused: the channels that reach it are locked, with its name as the reason. A new
operator is one line and one test; one whose arguments hold sizes also needs a line in `cutting/resize.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from .combine import as_labels, combine, elementwise
from .contract import attention, einsum, matmul
from .planes import Rule, columns, image, pool, with_places
from .space import Labels, compact, nobody
from .trace import Trace, name_of, refuse


def keep(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """Each element depends on the element at the same place."""
    return args[0]


def literal(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Any:
    """The operator only moves elements: it is applied to the ids themselves."""
    if not isinstance(args[0], Labels) or len(seen.labels_in([args, kwargs])) > 1:
        return refuse(seen, node, args, kwargs)
    source = seen.space.settle(args[0])
    function = VIEWS.get(name_of(node.target), node.target)
    moved = function(source.full(), *args[1:], **kwargs)  # type: ignore[operator]
    return compact(moved) if isinstance(moved, torch.Tensor) else tuple(compact(part) for part in moved)


def like(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """view_as(x, other): the shape follows `other` when that is cut, so both must lose the same."""
    other = as_labels(args[1])
    if not isinstance(args[0], Labels) or other is None:
        return refuse(seen, node, args, kwargs)
    moved = compact(torch.reshape(seen.space.settle(args[0]).full(), other.shape))
    return combine(seen, node, moved, other)


VIEWS: dict[str, Any] = {"view": torch.reshape, "_unsafe_view": torch.reshape}  # ids are not laid out as the values are


def reduce(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """Takes some axes together. Sums and means may run over fewer channels, as in norms; else those stay whole."""
    name, shape = name_of(node.target), seen.shapes[node.name]
    labels, place = seen.space.settle(args[0]), DIMS_AT.get(name, 1)
    axes = _axes(args[place] if len(args) > place else kwargs.get("dim"), len(labels.shape))
    if name in STATISTICS and labels.axes and set(labels.axes) <= set(axes):
        return nobody(shape)
    labels = seen.space.forbid(labels, axes, f"{name} at '{node.name}' takes them together")
    ids = labels.ids.squeeze(tuple(axes)) if len(shape) != len(labels.shape) else labels.ids
    return Labels(ids, shape)


STATISTICS = ("sum", "mean", "norm", "linalg_vector_norm")  # a channel of zeros adds nothing; means count who stays
DIMS_AT = {"norm": 2, "linalg_vector_norm": 2}  # position of the argument that names the axes, where it is not 1


def extreme(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Any:
    """max and min: over all of x, over one axis, or of two tensors."""
    if "dim" in node.target._overloadname:  # type: ignore[union-attr]
        return with_places(reduce)(seen, node, args, kwargs)
    several = len(args) > 1
    return elementwise(seen, node, args, kwargs) if several else reduce(seen, node, args, kwargs)


def along_axis(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """Normalizes or accumulates along one axis (softmax, cumsum): channels along it must stay whole."""
    axes = _axes(args[1] if len(args) > 1 else kwargs["dim"], len(args[0].shape))
    return seen.space.forbid(args[0], axes, f"{name_of(node.target)} at '{node.name}' takes them together")


def _axes(dims: Any, rank: int) -> list[int]:
    if dims is None or dims == []:
        return list(range(rank))
    values = list(dims) if isinstance(dims, (list, tuple)) else [dims]
    return [int(value) % rank for value in values]


def concat(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """Puts tensors side by side; along an axis that carries no channels, those that meet are coupled."""
    tensors = [labels for labels in map(as_labels, args[0]) if labels is not None]
    dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    if name_of(node.target) == "stack":
        axis = dim % (len(tensors[0].shape) + 1)
        tensors = [Labels(each.ids.unsqueeze(axis), (*each.shape[:axis], 1, *each.shape[axis:])) for each in tensors]
    axis = dim % len(tensors[0].shape)
    tensors = [seen.space.settle(each) for each in tensors]
    made = [each for each in tensors if seen.space.made_by_layer(each)]
    carries = any(axis in each.axes for each in made or tensors)
    joined = _join(tensors, axis)
    if not carries:
        reason = f"{name_of(node.target)} at '{node.name}' joins them with something that cannot be cut"
        joined = seen.space.forbid(joined, (axis,), reason)
    return joined


def _join(tensors: Sequence[Labels], axis: int) -> Labels:
    rank = len(tensors[0].shape)
    sizes = [max(each.ids.size(other) for each in tensors) for other in range(rank)]
    parts = [each.ids.expand(*[each.shape[axis] if i == axis else sizes[i] for i in range(rank)]) for each in tensors]
    shape = list(tensors[0].shape)
    shape[axis] = sum(each.shape[axis] for each in tensors)
    return Labels(compact(torch.cat(parts, dim=axis)).ids, tuple(shape))


def pad(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """New channels of constants before and after; along other axes each channel grows."""
    labels, widths = seen.space.settle(args[0]), list(args[1])
    mode = args[2] if len(args) > 2 and name_of(node.target) == "pad" else kwargs.get("mode", "constant")
    for place, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True)):
        axis = len(labels.shape) - 1 - place
        if axis not in labels.axes or (before, after) == (0, 0):
            continue
        reason = f"{name_of(node.target)} at '{node.name}' pads along them"
        if min(before, after) < 0 or mode != "constant":
            labels = seen.space.forbid(labels, (axis,), reason)
            continue
        labels = seen.space.only(labels, axis, reason)
        ids = [seen.space.fresh(before), labels.along(axis), seen.space.fresh(after)]
        view = [-1 if i == axis else 1 for i in range(len(labels.shape))]
        labels = Labels(torch.cat(ids).view(view), labels.shape)
    return labels.reshaped(seen.shapes[node.name])


def pick(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Any:
    """One of several results."""
    return args[0][args[1]] if isinstance(args[0], (list, tuple)) else seen.unknown(node)


def size(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> int:
    return args[0].shape[args[1]]


def gate(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """glu(x, dim): the first half of an axis times the sigmoid of the second."""
    labels = seen.space.settle(args[0])
    halves = labels.full().chunk(2, dim=args[1] if len(args) > 1 else kwargs.get("dim", -1))
    return combine(seen, node, compact(halves[0]), compact(halves[1]))


def constant(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> torch.Tensor:
    """new_zeros(x, size) and the like take no more than the type of x."""
    return node.target(torch.empty(0), *args[1:], **kwargs)  # type: ignore[operator]


def shuffle(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """channel_shuffle(x, groups): the same places of every group are coupled, so that groups stay equal."""
    labels = seen.space.only(args[0], 1, f"channel_shuffle at '{node.name}' moves them")
    rows = labels.along(1).view(args[1], -1)
    seen.space.collapse(Labels(rows, tuple(rows.shape)), (0,), f"channel_shuffle at '{node.name}' moves them")
    return literal(seen, node, (labels, args[1]), kwargs)


def norm(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """layer_norm(x, shape, weight, bias), rms_norm(x, shape, weight): heads stay free, or what is normalized over."""
    x, shape, *factors = args
    x = seen.space.settle(x)
    normalized = range(len(x.shape) - len(shape), len(x.shape))
    if set(x.axes) - set(normalized):
        x = seen.space.forbid(x, normalized, f"{name_of(node.target)} at '{node.name}' normalizes over them")
    for factor in seen.labels_in([factors, kwargs]):
        x = combine(seen, node, x, factor)
    return x


def prelu(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """prelu(x, slope): one slope, or one for each channel on axis 1."""
    x, slope = args
    view = [1] * len(x.shape)
    if len(x.shape) > 1:
        view[1] = slope.shape[0]
    return combine(seen, node, x, Labels(slope.ids.view(view), tuple(view)))


IDENTITY = (
    "relu", "relu6", "hardtanh", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish",
    "hardsigmoid", "sigmoid", "tanh", "softplus", "softsign", "log_sigmoid", "exp", "log", "log1p", "expm1",
    "sqrt", "rsqrt", "abs", "neg", "square", "reciprocal", "erf", "sin", "cos", "round", "floor", "ceil", "sign",
    "trunc", "clamp", "clamp_min", "clamp_max", "clip", "hardshrink", "softshrink", "threshold", "nan_to_num",
    "logical_not", "bitwise_not", "isnan", "contiguous", "clone", "detach", "alias", "to", "_to_copy", "type_as",
    "dropout", "alpha_dropout", "feature_dropout", "ones_like", "zeros_like", "full_like", "lift_fresh_copy",
)  # fmt: skip
COMBINING = (
    "add", "sub", "rsub", "mul", "div", "true_divide", "maximum", "minimum", "fmax", "fmin", "pow", "atan2",
    "fmod", "remainder", "floor_divide", "where", "addcmul", "addcdiv", "lerp", "eq", "ne", "gt", "ge", "lt",
    "le", "logical_and", "logical_or", "masked_fill",
)  # fmt: skip
MOVING = (
    "view", "_unsafe_view", "reshape", "flatten", "unflatten", "permute", "transpose", "swapaxes", "swapdims",
    "movedim", "moveaxis", "t", "squeeze", "unsqueeze", "chunk", "split", "split_with_sizes", "tensor_split",
    "unbind", "slice", "select", "narrow", "expand", "repeat", "tile", "repeat_interleave", "roll", "flip",
    "index", "index_select", "pixel_shuffle", "pixel_unshuffle", "unfold",
)  # fmt: skip
POOLING = (
    "max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "upsample_nearest1d", "upsample_nearest2d",
    "upsample_nearest3d", "_upsample_nearest_exact2d", "upsample_bilinear2d", "upsample_bicubic2d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "reflection_pad1d", "reflection_pad2d",
    "replication_pad1d", "replication_pad2d",
)  # fmt: skip
POOLING_WITH_PLACES = (
    "max_pool2d_with_indices", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
)  # fmt: skip
REDUCING = (
    "mean", "sum", "amax", "amin", "prod", "var", "std", "logsumexp", "linalg_vector_norm", "norm", "all", "any",
)  # fmt: skip
NORMALIZING = (
    "softmax", "log_softmax", "_softmax", "_log_softmax", "cumsum", "cumprod",
)  # fmt: skip

RULES: dict[str, Rule] = {
    **dict.fromkeys(IDENTITY, keep),
    **dict.fromkeys(COMBINING, elementwise),
    **dict.fromkeys(MOVING, literal),
    **dict.fromkeys(POOLING, pool),
    **dict.fromkeys(POOLING_WITH_PLACES, with_places(pool)),
    **dict.fromkeys(REDUCING, reduce),
    **dict.fromkeys(("max", "min"), extreme),
    **dict.fromkeys(NORMALIZING, along_axis),
    **dict.fromkeys(("view_as", "reshape_as"), like),
    "expand_as": elementwise,
    **dict.fromkeys(("new_zeros", "new_ones", "new_full"), constant),
    "cat": concat,
    "stack": concat,
    "constant_pad_nd": pad,
    "pad": pad,
    "layer_norm": norm,
    "rms_norm": norm,
    "im2col": columns,
    "col2im": image,
    "prelu": prelu,
    "channel_shuffle": shuffle,
    "glu": gate,
    "getitem": pick,
    "sym_size": size,
    "matmul": matmul,
    "bmm": matmul,
    "einsum": einsum,
    "scaled_dot_product_attention": attention,
}
