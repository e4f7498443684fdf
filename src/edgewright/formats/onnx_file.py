"""The bytes of an ONNX file: a checked model and its stored arrays. Nothing in it is ever run.

Tensors kept outside the file are read from beside it only. Half precision, bfloat16 and double become float32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from ..errors import ModelError, UnsupportedError, first_line

OLDEST_OPSET, NEWEST_OPSET = 7, 25
MOST_BYTES = 2**31 - 1  # what a message of protocol buffers can hold
STANDARD = ("", "ai.onnx")
FLOATS = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT}
BITS = {onnx.TensorProto.INT4: 4, onnx.TensorProto.UINT4: 4, onnx.TensorProto.INT2: 2, onnx.TensorProto.UINT2: 2}


def read_model(path: Path) -> onnx.ModelProto:
    """The model in `path`, with its own functions put in place of their calls; tensors beside it are not loaded.

    Raises:
        ModelError: there is no such file, or it is no ONNX model.
        UnsupportedError: its operator set is out of range.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path} is no regular file: give the .onnx file itself.")
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} has more than 2 GiB, which no ONNX file has: keep its weights beside it.")
        model = onnx.load(path, load_external_data=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({first_line(error)}).") from error
    except DecodeError as error:
        raise ModelError(f"{path} is no ONNX file, or a damaged one: export the model again.") from error
    if not model.HasField("graph") or not model.graph.output or not model.opset_import:
        raise ModelError(f"{path} is no ONNX file, or a damaged one: it holds no graph with an output.")
    if not OLDEST_OPSET <= opset_of(model) <= NEWEST_OPSET:
        raise UnsupportedError(
            f"{path} uses operator set {opset_of(model)}, and this version reads {OLDEST_OPSET} to {NEWEST_OPSET}: "
            "export it at opset 18."
        )
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators."""
    return max((each.version for each in model.opset_import if each.domain in STANDARD), default=0)


def check_dense(model: onnx.ModelProto, path: Path) -> None:
    """Refuse stored tensors in the sparse form.

    Raises:
        UnsupportedError: names the first.
    """
    if model.graph.sparse_initializer:
        name = model.graph.sparse_initializer[0].values.name
        raise UnsupportedError(f"{path}: the tensor '{name}' is sparse, and only dense ones are read: export it dense.")


def array_of(tensor: onnx.TensorProto, path: Path) -> np.ndarray:
    """The content of a stored tensor of the file `path`: float32, bool, or integers of at least 8 bits.

    Raises:
        ModelError: content is missing or damaged, or is kept outside the file's folder.
        UnsupportedError: a type that holds no numbers.
    """
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        _check_place(tensor, path)
    try:
        array = numpy_helper.to_array(tensor, base_dir=str(path.parent))
    except (ValueError, TypeError, OSError, KeyError, onnx.checker.ValidationError) as error:
        raise ModelError(
            f"{path}: the tensor '{tensor.name}' is damaged ({first_line(error)}): export it again."
        ) from error
    if tensor.data_type in FLOATS:
        return np.array(array, dtype=np.float32)
    if tensor.data_type in BITS:
        array = array.astype(np.int8 if "INT" in str(array.dtype).upper() and array.dtype.name[0] == "i" else np.uint8)
    if array.dtype.kind not in "biu":
        raise UnsupportedError(f"{path}: the tensor '{tensor.name}' holds {array.dtype}, and only numbers are read.")
    return np.array(array)


def _check_place(tensor: onnx.TensorProto, path: Path) -> None:
    """Content outside the file is read from the file's own folder, links resolved, or not at all."""
    place = next((each.value for each in tensor.external_data if each.key == "location"), "")
    folder = path.resolve().parent
    target = (folder / place).resolve()
    if not place or not target.is_relative_to(folder):
        raise ModelError(f"{path} keeps '{tensor.name}' in '{place}', outside its own folder: that is never read.")
    if not target.is_file():
        raise ModelError(
            f"{path} keeps '{tensor.name}' in '{place}', which is not beside it: copy both files together."
        )
