"""One training step without data: which tensors autograd keeps, and the most that is ever alive.

The model's copy runs forward and backward in train mode on fake tensors: they have shape, type, device and identity of
memory but no content, so nothing is computed and every decision of PyTorch (what is saved, which attention kernel
runs, what is freed when) is the real one. A tensor counts once per memory; views and in-place results share it.
"""

from __future__ import annotations

import contextlib
import math
import warnings
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode  # the only data-free tensors whose device is the real one
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import ConfigError, ModelError, first_line
from .copying import copied_with
from .tracing import memory_of

AMP = "amp"
DTYPES: dict[str, torch.dtype] = {  # of the weights, and of all that is made from them
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    AMP: torch.float32,  # the weights stay; autocast runs convolutions and matrix products in bfloat16
}


@dataclass(frozen=True, kw_only=True)
class StepBytes:
    """What one step makes besides weights, buffers, gradients of weights and the input."""

    saved: int  # kept for the backward pass when the forward pass ends
    most: int  # alive at the fullest moment of the step


class Trainee:
    """A copy of a model that can be stepped without data. The model itself stays as it is."""

    def __init__(self, model: nn.Module, dtype: str) -> None:
        if dtype not in DTYPES:
            raise ConfigError(f"A training dtype is one of {', '.join(DTYPES)}, got '{dtype}'.")
        self.name, self.dtype = type(model).__name__, dtype
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        self.model = self._without_data(model).train()
        self.trainable = [each for each in self.model.parameters() if each.requires_grad]
        if not self.trainable:
            raise ModelError(f"{self.name} has no trainable parameters: set requires_grad on those that are to learn.")
        with self.mode:
            for each in self.trainable:
                each.grad = torch.empty_like(each)  # of the step before

    def _without_data(self, model: nn.Module) -> nn.Module:
        try:
            return copied_with(model, self._hollow)
        except (RuntimeError, TypeError) as error:
            reason = first_line(error, most=150, typed=True)
            raise ModelError(f"{self.name} cannot be copied ({reason}): remove what holds computed tensors.") from error

    def _hollow(self, tensor: torch.Tensor) -> torch.Tensor:
        """Not that of `tracing`: on the real device and at the type of the training, a parameter learns as it did."""
        dtype = DTYPES[self.dtype] if tensor.is_floating_point() else tensor.dtype
        with self.mode:
            twin = torch.empty_strided(tensor.shape, tensor.stride(), dtype=dtype, device="cpu")
        return nn.Parameter(twin, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else twin

    def step(self, input_shape: tuple[int, ...], batch: int) -> StepBytes:
        """Bytes of one step on a batch.

        Raises:
            ModelError: the model does not run in train mode on one tensor of this shape.
        """
        shape = (batch, *input_shape)
        try:
            with warnings.catch_warnings(), self.mode:
                warnings.simplefilter("ignore")  # of kernels on tensors without content
                return measured_step(self.model, torch.empty(shape, dtype=DTYPES[self.dtype]), amp=self.dtype == AMP)
        except ModelError:
            raise
        except Exception as error:  # the user's code may raise anything
            raise ModelError(
                f"{self.name} does not train on an input of shape {shape} ({first_line(error, most=150, typed=True)}): "
                "it is called without values and without targets; check the input shape and the batch."
            ) from error


def measured_step(model: nn.Module, images: torch.Tensor, *, amp: bool = False) -> StepBytes:
    """Bytes of one forward and backward pass on `images`, which may have content or not.

    The gradient of the outputs is made in full, as a loss does; what the loss keeps for itself is not there.
    """
    fixed = [*model.parameters(), *model.buffers(), images]
    meter = _Meter([*fixed, *(each.grad for each in model.parameters() if each.grad is not None)])
    cast = torch.autocast("cpu", dtype=torch.bfloat16) if amp else contextlib.nullcontext()
    with meter:
        with cast, torch.autograd.graph.saved_tensors_hooks(meter.keep, lambda kept: kept):
            made = model(images)
        outputs = [each for each in pytree.tree_leaves(made) if isinstance(each, torch.Tensor) and each.requires_grad]
        del made
        if not outputs:
            raise ModelError(f"The outputs of {type(model).__name__} depend on no trainable parameter: nothing learns.")
        saved = meter.saved
        torch.autograd.backward(outputs, [torch.ones_like(each) for each in outputs])
    return StepBytes(saved=saved, most=meter.most)


class _Meter(TorchDispatchMode):
    """Adds up the memories that operators make, from their birth to their end."""

    def __init__(self, fixed: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.fixed = {memory_of(each) for each in fixed}
        self.alive: dict[int, tuple[int, weakref.ref]] = {}  # memory -> bytes, and who tells when it ends
        self.kept: set[int] = set()
        self.now = self.most = 0

    @property
    def saved(self) -> int:
        """Bytes alive now that autograd has asked to keep."""
        return sum(self.alive[memory][0] for memory in self.kept)

    def keep(self, tensor: torch.Tensor) -> torch.Tensor:
        """Note a tensor that autograd saves. Its view goes into the graph: itself would refer to itself for ever."""
        if memory_of(tensor) in self.alive:
            self.kept.add(memory_of(tensor))
        return tensor.detach()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in pytree.tree_leaves(made):
            if isinstance(each, torch.Tensor):
                self._note(each)
        return made

    def _note(self, tensor: torch.Tensor) -> None:
        memory, storage = memory_of(tensor), tensor.untyped_storage()
        if memory in self.fixed or memory in self.alive:
            return
        self.alive[memory] = (storage.nbytes(), weakref.ref(storage, lambda _: self._end(memory)))
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)

    def _end(self, memory: int) -> None:
        self.now -= self.alive.pop(memory)[0]
        self.kept.discard(memory)


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of some tensors, each once however often it is shared."""
    unique = {id(each): each for each in tensors}
    return sum(math.prod(each.shape) * each.element_size() for each in unique.values())
