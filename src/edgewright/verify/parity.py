"""Parity: the codes that the runtime computes against those of the simulation, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .runner import OnnxRunner


@dataclass(frozen=True, kw_only=True)
class TensorParity:
    """How far one tensor is from the simulation's, in steps of its grid; differences of earlier tensors included."""

    tensor: str
    max_steps: int
    mean_steps: float
    share_equal: float


def compare_codes(expected: np.ndarray, got: np.ndarray, *, tensor: str) -> TensorParity:
    """The difference of two tensors of codes of the same shape."""
    steps = np.abs(expected.astype(np.int32) - got.astype(np.int32))
    return TensorParity(
        tensor=tensor,
        max_steps=int(steps.max(initial=0)),
        mean_steps=float(steps.mean()),
        share_equal=float((steps == 0).mean()),
    )


def _crop(codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The part that the simulation has: a file may have channels of zeros behind it, see the manifest's `lanes`."""
    return codes[tuple(slice(0, size) for size in shape)]


def parity(path: Path, expected: Mapping[str, np.ndarray], *, threads: int = 1) -> tuple[TensorParity, ...]:
    """Run the golden input through the file and compare every quantized tensor, in the order of `expected`.

    Args:
        expected: `input`, and `codes/NAME` per tensor, as the artifact's `expected.npz` holds them.
    """
    names = [key.removeprefix("codes/") for key in expected if key.startswith("codes/")]
    if not names:
        return ()
    got = OnnxRunner(path, threads=threads, see=names).tensors(expected["input"])
    return tuple(
        compare_codes(expected[f"codes/{name}"], _crop(got[name], expected[f"codes/{name}"].shape), tensor=name)
        for name in names
    )
