"""A captured model in one small file: description and weights in the codes of `formats.coded`. No pickle, no user code.

What is coded is found in the weights themselves: zeros are skipped, and a weight that takes few values is written as
a codebook and Huffman codes. So any captured model can be written, and each loads back bit for bit; the file of one
that was pruned and clustered is small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import fx

from ..errors import DataError, ModelError, first_line
from ..formats import coded
from .store import TORCH_CONSTANTS, build, describe

SUFFIX = ".coded"
MODEL_FILE = f"model{SUFFIX}"  # in an artifact
FORMAT = "edgewright.coded/1"


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedModel:
    """A model as the content of a file.

    Args:
        parts_bytes: what the bytes are spent on: values, indices, codebooks, tables, other (what is stored as it is:
            biases, norms, weights of many values) and description. Their sum is the file.
        fp32_bytes: what the weights take as they are in memory, 4 bytes each, without any description.
    """

    data: bytes
    parts_bytes: Mapping[str, int]
    fp32_bytes: int

    @property
    def ratio(self) -> float:
        """How many times smaller the whole file is than the weights as they are."""
        return self.fp32_bytes / len(self.data)


def encode_model(
    net: fx.GraphModule, *, facts: Mapping[str, Any] | None = None, huffman: bool = True
) -> CodedModel:  # fmt: skip
    """A captured model as a file.

    Args:
        facts: JSON-able facts to keep beside it, for instance how its images are preprocessed.
        huffman: False gives words of one length, to tell what the coding is worth.
    """
    tensors = [_as_bytes(name, value) for name, value in net.state_dict().items()]
    description = {"format": FORMAT, "model": describe(net), "facts": dict(facts or {})}
    data, parts = coded.write(description, tensors, huffman=huffman)
    return CodedModel(data=data, parts_bytes=parts, fp32_bytes=sum(len(each.data) for each in tensors))


def load_coded(path: Path) -> tuple[fx.GraphModule, dict[str, Any]]:
    """The captured model in a file, in eval mode, and the facts that were kept beside it.

    Raises:
        ModelError: there is no such file, or it is no coded model, of another version, or damaged.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): give a file that export wrote.") from error
    try:
        content, tensors = coded.read(data)
        if content["format"] != FORMAT:
            raise ModelError(
                f"{path} has the format {content['format']}, this version reads {FORMAT}: export it again."
            )
        net = build(content["model"], {each.name: _tensor(each) for each in tensors})
        return net, dict(content["facts"])
    except DataError as error:
        raise ModelError(f"{path} is not a coded model that can be used, {error}: export it again.") from error
    except (ValueError, LookupError, RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged ({first_line(error, typed=True)}): export it again.") from error


def _as_bytes(name: str, value: torch.Tensor) -> coded.Tensor:
    flat = value.detach().cpu().contiguous().reshape(-1)
    return coded.Tensor(
        name=name,
        dtype=str(value.dtype).removeprefix("torch."),
        shape=tuple(value.shape),
        data=flat.view(torch.uint8).numpy().tobytes(),
    )


def _tensor(stored: coded.Tensor) -> torch.Tensor:
    dtype = TORCH_CONSTANTS[f"torch.{stored.dtype}"]
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"the type {stored.dtype}")
    if len(stored.data) != math.prod(stored.shape) * dtype.itemsize:
        raise ValueError(f"{len(stored.data)} bytes for {stored.name}")
    if not stored.data:
        return torch.empty(stored.shape, dtype=dtype)
    return torch.frombuffer(bytearray(stored.data), dtype=dtype).reshape(stored.shape)
