"""What zeros are worth here: one layer's matrix product in several forms, timed in turns in one run.

    dense    rows x columns times columns x positions, by the framework's matrix product
    masked   the same kernel on the same matrix with its smallest weights set to zero
    CSR      compressed sparse rows, by each kernel for them that is installed here
    cut      whole rows and columns gone, alike many of both, until as many MACs are left as weights in the others

A convolution's columns are cut from its input beforehand: no form is charged for that, and all read the same values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import ConfigError, ShapeError
from ..progress import SILENT, Progress
from ..seeding import numpy_generator
from .sparse_kernels import CSR_KERNELS, Ready, as_dense
from .timing import Latency, Timing, race, turn_ratios
from .torch_runner import torch_threads

DENSE, MASKED, CUT = "dense", "masked", "cut"
TIMING = Timing(turns=5, runs=20, seconds=0.05)


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form of a layer at one sparsity, timed beside the dense one."""

    way: str
    sparsity: float  # the share of the weights that is zero, or of the MACs that is cut
    macs: int  # multiplications with a weight that is left
    num_bytes: int
    latency: Latency
    ratio: float  # to the dense time within each turn, median over the turns: below 1 it is faster
    ratio_range: tuple[float, float]

    @property
    def is_faster(self) -> bool:
        return self.ratio < 1

    @property
    def is_certain(self) -> bool:
        """Whether every turn said the same."""
        return (self.ratio_range[1] < 1) == (self.ratio_range[0] < 1)


@dataclass(frozen=True, kw_only=True)
class ProductTimes:
    """All forms of one matrix product; the dense one is the first."""

    forms: tuple[Form, ...]

    @property
    def dense(self) -> Form:
        return self.forms[0]

    def at(self, sparsity: float, *ways: str) -> Form:
        """The fastest of these forms at a sparsity."""
        return min((form for form in self.of(*ways) if form.sparsity == sparsity), key=lambda form: form.ratio)

    def of(self, *ways: str) -> tuple[Form, ...]:
        """The forms of these ways in rising sparsity."""
        return tuple(form for form in self.forms if form.way in ways)

    @property
    def break_even(self) -> float | None:
        """The smallest measured sparsity from which on compressed rows are faster than dense; None: not here."""
        found = None
        for sparsity in sorted({form.sparsity for form in self.of(*CSR_KERNELS)}, reverse=True):
            if not self.at(sparsity, *CSR_KERNELS).is_faster:
                break
            found = sparsity
        return found


def time_product(
    matrix_RC: np.ndarray,
    positions: int,
    *,
    sparsities: Sequence[float],
    timing: Timing = TIMING,
    seed: int = 0,
    progress: Progress = SILENT,
) -> ProductTimes:
    """Time a layer's matrix in every form at every sparsity, all in turns in one run.

    Args:
        matrix_RC: R outputs, C inputs of a window, float32. Its smallest weights become the zeros.
        positions: vectors that it is multiplied with in one call.
        sparsities: shares in (0, 1).
        seed: of the values that it is multiplied with.

    Raises:
        ConfigError: a sparsity outside of (0, 1), or none.
        ShapeError: no matrix, or nothing to multiply with.
    """
    _check(matrix_RC, positions, sparsities)
    draws = numpy_generator(seed, "pays.columns")
    columns_CP = torch.from_numpy(draws.standard_normal((matrix_RC.shape[1], positions), dtype=np.float32))
    ready = {(DENSE, 0.0): as_dense(matrix_RC)}
    for sparsity in sorted(set(sparsities)):
        masked = without_smallest(matrix_RC, sparsity)
        ready[MASKED, sparsity] = as_dense(masked)
        ready |= {(way, sparsity): form(masked) for way, form in CSR_KERNELS.items()}
        ready[CUT, sparsity] = _cut(matrix_RC, columns_CP, sparsity)
    models = {f"{way} {sparsity}": each.run for (way, sparsity), each in ready.items()}
    with torch.inference_mode(), torch_threads(timing.threads):
        found = race(
            models,
            columns_CP,  # type: ignore[arg-type]
            timing=timing,
            progress=progress,
        )
    return _product_times(ready, found.latencies, matrix_RC.shape, positions)


def _check(matrix_RC: np.ndarray, positions: int, sparsities: Sequence[float]) -> None:
    if matrix_RC.ndim != 2 or not matrix_RC.size or positions < 1:
        raise ShapeError(f"A product needs a matrix and 1 vector or more, got {matrix_RC.shape} and {positions}.")
    outside = [each for each in sparsities if not 0 < each < 1]
    if outside or not sparsities:
        got = outside[0] if outside else "none"
        raise ConfigError(f"A sparsity is a share between 0 and 1, got {got}: give for instance 0.5 and 0.9.")


def without_smallest(matrix_RC: np.ndarray, sparsity: float) -> np.ndarray:
    """The matrix with exactly `round(sparsity x weights)` of its weights set to zero: those of least magnitude."""
    weights = matrix_RC.reshape(-1).copy()
    gone = np.argsort(np.abs(weights), kind="stable")[: round(sparsity * weights.size)]
    weights[gone] = 0
    return weights.reshape(matrix_RC.shape)


def cut_shape(rows: int, columns: int, sparsity: float) -> tuple[int, int]:
    """Rows and columns that stay when both are cut alike until about 1 - `sparsity` of their product is left."""
    keep = math.sqrt(1 - sparsity)  # what stays of the MACs is the product of what stays of both
    return max(1, round(keep * rows)), max(1, round(keep * columns))


def _cut(matrix_RC: np.ndarray, columns_CP: torch.Tensor, sparsity: float) -> Ready:
    rows, columns = cut_shape(matrix_RC.shape[0], matrix_RC.shape[1], sparsity)
    narrow, fewer = as_dense(matrix_RC[:rows, :columns]), columns_CP[:columns].contiguous()
    return Ready(run=lambda _: narrow.run(fewer), num_bytes=narrow.num_bytes)


def _product_times(
    ready: Mapping[tuple[str, float], Ready], latencies: Sequence[Latency], shape: tuple[int, ...], positions: int
) -> ProductTimes:
    forms = []
    for ((way, sparsity), each), latency in zip(ready.items(), latencies, strict=True):
        ratios, macs = turn_ratios(latency, latencies[0]), positions * _weights_left(way, sparsity, shape)
        forms.append(
            Form(
                way=way,
                sparsity=sparsity,
                macs=macs,
                num_bytes=each.num_bytes,
                latency=latency,
                ratio=float(np.median(ratios)),
                ratio_range=(min(ratios), max(ratios)),
            )
        )
    return ProductTimes(forms=tuple(forms))


def _weights_left(way: str, sparsity: float, shape: tuple[int, ...]) -> int:
    if way == CUT:
        return math.prod(cut_shape(shape[0], shape[1], sparsity))
    return math.prod(shape) - round(sparsity * math.prod(shape))
