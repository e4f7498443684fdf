"""PyTorch's autograd in float64, asked with arrays and answering with arrays: the oracle of the reference."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

TOLERANCE = {"rtol": 1e-8, "atol": 1e-8}  # of float64 sums in another order


def torch_gradients(
    function: Callable[..., torch.Tensor], arrays: Sequence[np.ndarray], *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The output, a random gradient of it, and what backward makes of that for every one of `arrays`."""
    leaves = [torch.tensor(np.asarray(each), dtype=torch.float64, requires_grad=True) for each in arrays]
    output = function(*leaves)
    slope = np.random.default_rng(seed).standard_normal(tuple(output.shape))
    gradients = torch.autograd.grad(output, leaves, torch.tensor(slope, dtype=torch.float64))
    return output.detach().numpy(), slope, [each.numpy() for each in gradients]


def check(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> None:
    """Equal to 1e-8, and as many."""
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, **TOLERANCE)
