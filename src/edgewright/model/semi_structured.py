"""Linear layers whose weights are PyTorch's semi-structured tensors, which sparse tensor cores of NVIDIA GPUs multiply.

    >>> fast, dense = semi_structured(net.cuda(), dtype=torch.float16)      # `dense`: layer -> why it was left

For measuring: such a model is not saved. Convolutions have no kernel there and stay dense; so do layers whose weights
do not follow 2:4 or whose sizes the kernels do not take. Whether it is faster is for a measurement to say
(`benchmarks/sparse_tensor_cores.py`).

Source: Mishra 2021, arXiv:2104.08378; torch.sparse.to_sparse_semi_structured.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import fx, nn

from ..errors import UnsupportedError

GROUP, KEPT = 4, 2


def semi_structured(
    net: fx.GraphModule, *, dtype: torch.dtype = torch.float16
) -> tuple[fx.GraphModule, dict[str, str]]:
    """A copy of `net` in `dtype` whose linear layers are semi-structured where they can be, and why the others are not.

    Args:
        net: on a CUDA device; inputs of the copy are there too, and of `dtype`.
        dtype: float16 or bfloat16.

    Raises:
        UnsupportedError: the model is not on a CUDA device, its device has no sparse tensor cores, or no such kernels
            are known for the type.
    """
    device = next(net.parameters()).device
    if device.type != "cuda":
        raise UnsupportedError(f"Semi-structured tensors run on sparse tensor cores, got a model on '{device}'.")
    major, minor = torch.cuda.get_device_capability(device)
    if major < 8:
        raise UnsupportedError(f"Sparse tensor cores come with compute capability 8.0, this GPU has {major}.{minor}.")
    result, dense = copy.deepcopy(net).to(dtype), {}
    for name, layer in result.named_modules():
        if hasattr(layer, "weight") and isinstance(layer.weight, torch.Tensor) and layer.weight.dim() > 1:
            if reason := why_dense(layer, dtype):
                dense[name] = reason
            else:
                layer.weight = nn.Parameter(_convert(layer.weight.detach()), requires_grad=False)
    return result, dense


def why_dense(layer: nn.Module, dtype: torch.dtype) -> str:
    """Why a layer cannot be semi-structured in this type; "" where it can.

    Raises:
        UnsupportedError: no kernels are known for the type.
    """
    if not isinstance(layer, nn.Linear):
        return f"there is no sparse kernel for {type(layer).__name__}"
    rows, columns = _multiples(dtype)
    outputs, inputs = layer.weight.shape
    if outputs % rows or inputs % columns:
        return f"its {outputs} outputs and {inputs} inputs are no multiples of {rows} and {columns}"
    kept = torch.count_nonzero(layer.weight.detach().reshape(-1, GROUP), dim=1)
    return "" if bool((kept <= KEPT).all()) else "its weights do not follow 2:4"


def _multiples(dtype: torch.dtype) -> tuple[int, int]:
    """What the kernels that PyTorch takes here want outputs and inputs to be multiples of."""
    from torch.sparse import semi_structured as kinds

    has_library = torch.backends.cusparselt.is_available()
    kind: Any = kinds.SparseSemiStructuredTensorCUSPARSELT if has_library else kinds.SparseSemiStructuredTensorCUTLASS
    known = kind._DTYPE_SHAPE_CONSTRAINTS
    if dtype not in known or not dtype.is_floating_point:
        raise UnsupportedError(f"Semi-structured tensors are float16 or bfloat16 here, got {dtype}.")
    return known[dtype].sparse_min_rows, known[dtype].sparse_min_cols


def _convert(weight: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of SparseSemiStructuredTensor is in prototype stage")
        return torch.sparse.to_sparse_semi_structured(weight.contiguous())
