"""Running an ONNX file in ONNX Runtime, as a function from images to outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, ShapeError, UnsupportedError, first_line


class OnnxRunner:
    """A model file, loaded. Call it with (B, C, H, W) float32, NumPy or torch; it answers in kind.

    Args:
        path: the file.
        threads: how many cores one call may use.
        see: names of inner tensors to return as well, see `tensors`.
        optimize: False runs every operator as it is written, without fusing any.
    """

    def __init__(self, path: Path, *, threads: int = 1, see: Sequence[str] = (), optimize: bool = True) -> None:
        self.path = Path(path)
        self.see = tuple(see)
        self._session = open_session(_source(self.path, self.see), self.path, threads=threads, optimize=optimize)
        self.input_name = self._session.get_inputs()[0].name
        self.input_shape = tuple(self._session.get_inputs()[0].shape)
        self._outputs = [value.name for value in self._session.get_outputs() if value.name not in self.see]

    @property
    def runtime(self) -> str:
        """What runs the file, with its version."""
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}"

    def __call__(self, images_BCHW: Any) -> Any:
        """The outputs: one array, or a tuple when the model has several.

        Raises:
            ShapeError: the images do not have the model's input shape.
        """
        is_torch = hasattr(images_BCHW, "detach")
        values: list[Any] = self._run(images_BCHW.detach().cpu().numpy() if is_torch else images_BCHW, self._outputs)
        if is_torch:
            import torch

            values = [torch.from_numpy(value) for value in values]
        return values[0] if len(values) == 1 else tuple(values)

    def tensors(self, images_BCHW: np.ndarray) -> dict[str, np.ndarray]:
        """The inner tensors named in `see`, by name."""
        return dict(zip(self.see, self._run(images_BCHW, list(self.see)), strict=True))

    def _run(self, images_BCHW: np.ndarray, names: list[str]) -> list[np.ndarray]:
        got, expected = images_BCHW.shape, self.input_shape
        if len(got) != len(expected) or any(isinstance(b, int) and a != b for a, b in zip(got, expected, strict=True)):
            raise ShapeError(f"{self.path.name} takes inputs of shape {list(expected)}, got {list(got)}.")
        return self._session.run(names, {self.input_name: np.ascontiguousarray(images_BCHW, dtype=np.float32)})


def open_session(
    source: Any, path: Path, *, threads: int = 1, optimize: bool = True, save_to: Path | None = None
) -> Any:
    """An ONNX Runtime session on the CPU; `save_to` receives the graph as the runtime optimized it.

    Raises:
        DataError: the file is missing or is no ONNX model.
        UnsupportedError: it is one, but ONNX Runtime cannot run it.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if save_to is not None:
        options.optimized_model_filepath = str(save_to)
    if not path.is_file():
        raise DataError(f"There is no model file {path}: give an artifact folder or an .onnx file.")
    try:
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions have no common base
        reason = first_line(error)
        if "INVALID_PROTOBUF" in reason or "Protobuf parsing failed" in reason:
            raise DataError(f"{path} is not an ONNX model, or it is damaged: export it again.") from error
        raise UnsupportedError(
            f"ONNX Runtime {ort.__version__} does not load {path} ({reason}): export it for this version."
        ) from error


def _source(path: Path, see: tuple[str, ...]) -> Any:
    """The path, or the model's bytes with inner tensors declared as outputs."""
    if not see:
        return str(path)
    import onnx

    model = onnx.load(path)
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    types = {node.output[0]: stored[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    clips = (node for node in model.graph.node if node.op_type == "Clip" and node.input[0] in types)
    types |= {node.output[0]: types[node.input[0]] for node in clips}
    for name in see:
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(name, types.get(name, onnx.TensorProto.FLOAT), None)
        )
    return model.SerializeToString()
