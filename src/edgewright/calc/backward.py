"""Gradients by formula: what a convolution's backward pass correlates, and where a pool sends its gradient."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError
from .windows import output_size, padding_of
from .worked import Step, Worked, finite, shown, whole

Rows = list[list[float]]


def conv_backward(*, size: int, kernel: int, stride: int = 1, padding: int | str = 0, dilation: int = 1) -> Worked:
    """Sizes in the backward pass of a convolution, one axis.

    Forward is cross-correlation. With dO stuffed with S-1 zeros between its values and W flipped,
    `dX = corr(pad(dO), W^T)` keeps the dilation, and `dW = corr(pad(X, P), dO)` is taken with stride D, summed over the
    batch and cropped to K; `db = sum dO`.

    Args:
        size: length of the axis before the convolution.

    Source: Dumoulin & Visin 2016, arXiv:1603.07285, chapter 4.
    """
    out = output_size(size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation).result["size"]
    added, grown = padding_of(padding, kernel, dilation), dilation * (kernel - 1)
    stuffed, room = (out - 1) * stride + 1, size + 2 * added
    rest = (room - grown - 1) % stride
    before, after = grown - added, grown - added + rest
    size_dx = stuffed + before + after - grown
    taken = (room - stuffed) // dilation + 1
    steps = (
        Step("dO", "floor((H + 2P - D(K-1) - 1)/S) + 1", f"floor(({room} - {grown} - 1)/{stride}) + 1", out),
        Step("dO stuffed", "(H_o - 1) S + 1", f"{out - 1} x {stride} + 1", stuffed),
        Step("pad left, top", "D(K-1) - P", f"{grown} - {added}", before),
        Step("rest", "(H + 2P - D(K-1) - 1) mod S", f"{room - grown - 1} mod {stride}", rest),
        Step("pad right, bottom", "D(K-1) - P + rest", f"{grown} - {added} + {rest}", after),
        Step("dX", "stuffed + pads - D(K-1)", f"{stuffed} + {before} + {after} - {grown}", size_dx),
        Step("dW uncropped", "floor((H + 2P - stuffed)/D) + 1", f"floor(({room} - {stuffed})/{dilation}) + 1", taken),
        Step("dW", "crop to K", f"first {kernel} of {taken}", kernel),
    )
    notes = ["dX = conv(dO, rotated W) and dW = conv(X, dO) alone hold for one channel, stride 1 and the right padding"]
    if before < 0:
        notes.append(f"a negative pad is a crop: P = {added} is wider than the kernel reaches")
    result = {
        "size_out": out, "stuffed": stuffed, "pad_before": before, "pad_after": after, "rest": rest,
        "size_dx": size_dx, "size_dw_uncropped": taken, "size_dw": kernel,
    }  # fmt: skip
    return Worked(title="Backward of a convolution, one axis", steps=steps, result=result, notes=tuple(notes))


def pool_backward(
    *, values: Sequence[Sequence[float]], kernel: int, stride: int | None = None, kind: str = "max",
    gradients: Sequence[Sequence[float]] | None = None,
) -> Worked:  # fmt: skip
    """The gradient that a pool sends to each input value.

    Max sends it to the first largest of each window, average sends 1/K^2 of it to all; windows that overlap add up.

    Args:
        values: the rows of the input.
        kind: max or average.
        stride: the kernel unless said.
        gradients: the rows of the output's gradient; ones unless said.
    """
    if kind not in ("max", "average"):
        raise ConfigError(f"kind is max or average, got {kind!r}.")
    rows = _rows("values", values)
    stride = whole("stride", whole("kernel", kernel) if stride is None else stride)
    high, wide = (output_size(size=n, kernel=kernel, stride=stride).result["size"] for n in (len(rows), len(rows[0])))
    given = [[1.0] * wide for _ in range(high)] if gradients is None else _rows("gradients", gradients)
    if (len(given), len(given[0])) != (high, wide):
        raise ConfigError(f"gradients has the output's {high} x {wide} values, got {len(given)} x {len(given[0])}.")
    sent: Rows = [[0.0] * len(rows[0]) for _ in rows]
    for row in range(high):
        for column in range(wide):
            window = [(row * stride + i, column * stride + j) for i in range(kernel) for j in range(kernel)]
            _send(sent, given[row][column], window, rows, kind)
    formula = "sum of dO where this is the largest" if kind == "max" else "sum of dO / K^2 of its windows"
    steps = tuple(
        Step(f"row {number}", formula, f"{high} x {wide} windows", line) for number, line in enumerate(sent, start=1)
    )
    title = f"Backward of {kind} pooling {kernel}x{kernel}, stride {stride}"
    return Worked(title=title, steps=steps, result={"gradients": sent, "shape_out": [high, wide]})


def _send(sent: Rows, gradient: float, window: list[tuple[int, int]], rows: Rows, kind: str) -> None:
    """Add one output value's gradient to the input values of its window."""
    if kind == "max":
        largest = max(window, key=lambda place: rows[place[0]][place[1]])  # the first one of equals, as torch does
        window, share = [largest], gradient
    else:
        share = gradient / len(window)
    for row, column in window:
        sent[row][column] += share


def _rows(name: str, values: Sequence[Sequence[float]]) -> Rows:
    rows = [list(row) if isinstance(row, Sequence) else [] for row in values]
    if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
        lengths = [len(row) for row in rows]
        raise ConfigError(f"{name} is rows of equal length, got lengths {shown(lengths)}.")
    for row in rows:
        for value in row:
            finite(name, value)
    return rows
