"""Windows that slide: output sizes and the receptive field. K kernel, S stride, P padding, D dilation."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError
from .worked import Pair, Step, Worked, pair, whole

SAME, FULL = "same", "full"


def output_size(
    *, size: int, kernel: int, stride: int = 1, padding: int | str = 0, dilation: int = 1, ceil: bool = False
) -> Worked:
    """Length of one axis after a convolution or pooling.

    In ceil mode a last window that would start in the right padding is dropped.

    Args:
        size: length of the axis before.
        padding: values added at each end; `same` is D(K-1)/2 and keeps the size at stride 1, `full` is D(K-1).
        ceil: round up instead of down.

    Source: Dumoulin & Visin 2016, arXiv:1603.07285.
    """
    for name, value in (("size", size), ("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        whole(name, value)
    added = padding_of(padding, kernel, dilation)
    span = dilation * (kernel - 1) + 1
    room = size + 2 * added - span
    if room < 0:
        raise ConfigError(
            f"A window of {span} does not fit into {size} + 2 x {added}: use more padding or a smaller kernel."
        )
    out = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (out - 1) * stride >= size + added:
        out -= 1
    rounding = "ceil" if ceil else "floor"
    steps = (_padding_step(padding, added, kernel, dilation),) if isinstance(padding, str) else ()
    step = Step(
        "output size",
        f"{rounding}((H + 2P - D(K-1) - 1)/S) + 1",
        f"{rounding}(({size} + {2 * added} - {dilation} x {kernel - 1} - 1)/{stride}) + 1",
        out,
    )
    used = max(0, min(size, (out - 1) * stride + span - added))
    unread = f"the last {size - used} of the {size} are not read"
    return Worked(
        title="Output size of one axis",
        steps=(*steps, step),
        result={"size": out, "padding": added, "used": used},
        notes=(unread,) if used < size else (),
    )


def transposed_size(
    *, size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> Worked:
    """Length of one axis after a transposed convolution.

    Args:
        size: length of the axis before.
        padding: values cut off at each end of the output.
        output_padding: values added at the far end, to choose among the sizes that a stride maps to one.

    Source: Dumoulin & Visin 2016, arXiv:1603.07285.
    """
    for name, value in (("size", size), ("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        whole(name, value)
    whole("padding", padding, least=0)
    whole("output_padding", output_padding, least=0)
    if output_padding >= max(stride, dilation):
        raise ConfigError(
            f"output_padding is smaller than stride or dilation ({stride}, {dilation}), got {output_padding}."
        )
    out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
    if out < 1:
        raise ConfigError(f"padding {padding} leaves nothing of the transposed output ({out} rows): use less.")
    step = Step(
        "output size",
        "(H-1)S - 2P + D(K-1) + OP + 1",
        f"{size - 1} x {stride} - {2 * padding} + {dilation} x {kernel - 1} + {output_padding} + 1",
        out,
    )
    return Worked(title="Output size of one axis, transposed", steps=(step,), result={"size": out})


def receptive_field(*, layers: Sequence[Sequence[int]]) -> Worked:
    """Input values along one axis that one output value sees.

    Args:
        layers: in order, each (kernel, stride) or (kernel, stride, dilation).
    """
    if not layers:
        raise ConfigError("layers is a list of (kernel, stride) pairs, got none.")
    field, jump, steps = 1, 1, []
    for number, layer in enumerate(layers, start=1):
        kernel, stride, dilation = _window(layer)
        grown = field + dilation * (kernel - 1) * jump
        numbers = f"{field} + {dilation} x {kernel - 1} x {jump}"
        steps.append(Step(f"layer {number}", "r + D(K-1) j", numbers, grown))
        field, jump = grown, jump * stride
    return Worked(
        title="Receptive field",
        steps=tuple(steps),
        result={"receptive_field": field, "jump": jump},
        notes=(f"j is the product of the strides before a layer; two neighbours of the output lie {jump} apart",),
    )


def _window(layer: Sequence[int]) -> tuple[int, int, int]:
    if not isinstance(layer, Sequence) or len(layer) not in (2, 3):
        got = tuple(layer) if isinstance(layer, Sequence) else layer
        raise ConfigError(f"A layer is (kernel, stride) or (kernel, stride, dilation), got {got!r}.")
    kernel, stride, dilation = (*layer, 1)[:3]
    return whole("kernel", kernel), whole("stride", stride), whole("dilation", dilation)


def sizes_out(size: Pair, kernel: Pair, stride: Pair, padding: Pair | str, dilation: Pair) -> tuple[int, int]:
    """Output height and width of a convolution."""
    kernels, strides, dilations = pair("kernel", kernel), pair("stride", stride), pair("dilation", dilation)
    paddings = _padding(padding, kernels, dilations)
    high, wide = (
        output_size(size=s, kernel=k, stride=st, padding=p, dilation=d).result["size"]
        for s, k, st, p, d in zip(pair("size", size), kernels, strides, paddings, dilations, strict=True)
    )
    return high, wide


def _padding(padding: Pair | str, kernels: tuple[int, int], dilations: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(padding, str):
        return pair("padding", padding, least=0)
    high, wide = (padding_of(padding, k, d) for k, d in zip(kernels, dilations, strict=True))
    return high, wide


def padding_of(padding: int | str, kernel: int, dilation: int) -> int:
    """The padding of one axis as a number.

    Raises:
        ConfigError: it is another word, or `same` of a window that has no middle.
    """
    if not isinstance(padding, str):
        return whole("padding", padding, least=0)
    if padding not in (SAME, FULL):
        raise ConfigError(f"padding is a whole number, two of them, 'full' or 'same', got {padding!r}.")
    grown = dilation * (kernel - 1)
    if padding == SAME and grown % 2:
        raise ConfigError(f"padding 'same' needs D(K-1) even, got kernel {kernel} and dilation {dilation}.")
    return grown // 2 if padding == SAME else grown


def _padding_step(word: str, padding: int, kernel: int, dilation: int) -> Step:
    half = "/2" if word == SAME else ""
    numbers = f"{dilation} x {kernel - 1}" + (" / 2" if half else "")
    return Step(f"{word} padding", f"D(K-1){half}", numbers, padding)
