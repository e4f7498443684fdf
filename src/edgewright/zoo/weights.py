"""Weights from a file into a built model, with an error that says what does not fit. Only tensors are unpickled."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from ..errors import ModelError

PICKLED = (".pt", ".pth", ".th")
NESTED = ("state_dict", "model")  # where training scripts put the state dict beside the optimizer's
PREFIX = "module."  # left behind by nn.DataParallel
COUNTER = "num_batches_tracked"  # of batch normalization; absent from files older than torch 0.4.1
SHOWN = 3


def load_weights(model: nn.Module, path: Path, *, name: str) -> None:
    """Copy the tensors of `path` into `model`, all of them or none.

    Raises:
        ModelError: the file is missing or damaged, holds NaN, or its names and shapes are not those of the model.
    """
    tensors = _unwrap(_read(path), path)
    _check_finite(tensors, path)
    _check_fits(model, tensors, path, name)
    model.load_state_dict(tensors, strict=False)  # strict in all but the counters, see _check_fits


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"Weights file {path} does not exist: check the path.")
    kind = path.suffix.lower()
    if kind not in (".safetensors", *PICKLED):
        raise ModelError(f"Weights file {path} ends in '{kind}', expected .safetensors, {', '.join(PICKLED)}.")
    try:
        if kind == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"Weights file {path} is damaged or pickles more than tensors, which is never run: save "
            "`model.state_dict()` alone, best with safetensors."
        ) from error
    except Exception as error:  # damaged bytes reach deep into the readers: AssertionError, struct.error, and more
        raise ModelError(f"Weights file {path} is damaged ({type(error).__name__}): get or write it again.") from error


def _unwrap(content: Any, path: Path) -> dict[str, torch.Tensor]:
    """The state dict itself, without the dict around it and the prefix before every name."""
    for key in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"Weights file {path} holds {_kind(content)}, expected a state dict of named tensors.")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ModelError(f"Entry {key!r} of weights file {path} is {_kind(value)}, expected a tensor.")
    prefixed = all(key.startswith(PREFIX) for key in content)
    return {key.removeprefix(PREFIX) if prefixed else key: value for key, value in content.items()}


def _kind(value: Any) -> str:
    return "an empty dict" if isinstance(value, Mapping) and not value else f"a value of type {type(value).__name__}"


def _check_finite(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelError(f"Weight '{key}' in {path} holds NaN or infinity: use a file whose weights are finite.")


def _check_fits(model: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path, name: str) -> None:
    """Equal names and shapes, but for batch counters that old files lack."""
    own = model.state_dict()
    missing = [key for key in own if key not in tensors and not key.endswith(COUNTER)]
    extra = [key for key in tensors if key not in own]
    shapes = [
        f"{key} is {tuple(tensors[key].shape)} instead of {tuple(value.shape)}"
        for key, value in own.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    faults = {"it lacks": missing, "it has the unknown": extra, "of another shape:": shapes}
    text = "; ".join(f"{what} {_first(found)}" for what, found in faults.items() if found)
    if text:
        raise ModelError(
            f"Weights file {path} does not fit {name}: {text}; check the model's name, number of classes and channels."
        )


def _first(found: Iterable[str]) -> str:
    listed = list(found)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
