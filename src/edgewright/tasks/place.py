"""Where a model lives. Data comes from the CPU and is brought to the model; what is decided comes back."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree


def device_of(model: Any) -> torch.device:
    """The device of a module's first parameter or buffer; the CPU for one without any, and for a plain function."""
    tensors = chain(model.parameters(), model.buffers()) if isinstance(model, nn.Module) else iter(())
    first = next(tensors, None)
    return torch.device("cpu") if first is None else first.device


def on_cpu(values: Any) -> Any:
    """The same structure with every tensor on the CPU; one that is there already is not copied."""
    return pytree.tree_map_only(torch.Tensor, torch.Tensor.cpu, values)
