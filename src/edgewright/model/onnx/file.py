"""The stored tensors of an ONNX file as PyTorch has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch

from ...formats.onnx_file import BITS, array_of, check_dense

WIDER = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64, np.dtype(np.uint64): np.int64}


def stored_tensors(model: onnx.ModelProto, path: Path) -> Iterator[tuple[str, torch.Tensor, int | None]]:
    """Name, content, and bits (of integers stored in fewer than 8) of each stored tensor.

    Raises:
        ModelError: content is missing or damaged, or is kept outside the file's folder.
        UnsupportedError: a type that holds no numbers.
    """
    check_dense(model, path)
    for tensor in model.graph.initializer:
        yield tensor.name, content_of(tensor, path), BITS.get(tensor.data_type)


def content_of(tensor: onnx.TensorProto, path: Path) -> torch.Tensor:
    """The content of a stored tensor of the file `path`; integers that PyTorch lacks become wider ones."""
    array = array_of(tensor, path)
    return torch.from_numpy(array.astype(WIDER.get(array.dtype, array.dtype)))
