"""Running a model file in OpenVINO, with the same calls as the runner of ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, MissingExtraError, ShapeError, UnsupportedError, first_line

# Float layers in float32: on processors with bfloat16 the plugin would round them to 8 bits of mantissa by itself.
SETTINGS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
HEAVY = {"Convolution", "Deconvolution", "FullyConnected", "MatMul"}


class OpenVinoRunner:
    """A model file, `.xml` beside its `.bin` or `.onnx`, on the CPU. Call it with (B, C, H, W) float32, NumPy or torch;
    it answers in kind.

    It is compiled once for each batch size, when it first meets one: the plugin's kernels are chosen by fixed shapes.

    Args:
        path: the file.
        threads: how many cores one call may use.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        DataError: the file is missing or is no model.
        UnsupportedError: it is one, but OpenVINO cannot run it.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.path, self.threads = Path(path), threads
        self._core = _openvino().Core()
        self._model = _read(self._core, self.path)
        sizes = self._model.inputs[0].get_partial_shape()
        self.input_shape = tuple("batch" if size.is_dynamic else size.get_length() for size in sizes)
        self._requests: dict[tuple[int, ...], Any] = {}

    @property
    def runtime(self) -> str:
        """What runs the file, with its version."""
        return f"openvino {_openvino().__version__.partition('-')[0]}"

    def __call__(self, images_BCHW: Any) -> Any:
        """The outputs: one array, or a tuple when the model has several.

        Raises:
            ShapeError: the images do not have the model's input shape.
        """
        is_torch = hasattr(images_BCHW, "detach")
        array_BCHW = images_BCHW.detach().cpu().numpy() if is_torch else images_BCHW
        request = self._request(array_BCHW.shape)
        found = request.infer([np.ascontiguousarray(array_BCHW, dtype=np.float32)], share_inputs=True)
        values: list[Any] = [found[output].copy() for output in request.model_outputs]
        if is_torch:
            import torch

            values = [torch.from_numpy(value) for value in values]
        return values[0] if len(values) == 1 else tuple(values)

    def precisions(self) -> dict[tuple[str, str], int]:
        """(kind of layer, type it computes in) of the model as the plugin runs it -> how many there are."""
        shape = tuple(size if isinstance(size, int) else 1 for size in self.input_shape)
        compiled = self._request(shape).get_compiled_model()
        facts = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
        return dict(Counter((_text(each["layerType"]), _text(each["runtimePrecision"])) for each in facts))

    def _request(self, shape: tuple[int, ...]) -> Any:
        if shape not in self._requests:
            self._requests[shape] = self._compiled(shape)
        return self._requests[shape]

    def _compiled(self, shape: tuple[int, ...]) -> Any:
        expected = self.input_shape
        if len(shape) != len(expected) or any(
            isinstance(known, int) and size != known for size, known in zip(shape, expected, strict=True)
        ):
            raise ShapeError(f"{self.path.name} takes inputs of shape {list(expected)}, got {list(shape)}.")
        model = self._model.clone()
        model.reshape(list(shape))
        try:
            compiled = self._core.compile_model(model, "CPU", {**SETTINGS, "INFERENCE_NUM_THREADS": self.threads})
        except RuntimeError as error:
            raise _refused(self.path, error) from error
        return compiled.create_infer_request()


def float_layers(precisions: dict[tuple[str, str], int]) -> int:
    """How many convolutions, linear layers and matrix products compute in float."""
    return sum(count for (kind, type_), count in precisions.items() if kind in HEAVY and type_ not in ("u8", "i8"))


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("openvino", "openvino") from error
    return openvino


def _read(core: Any, path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"There is no model file {path}: give an artifact folder, an .xml or an .onnx file.")
    if path.suffix == ".xml" and not path.with_suffix(".bin").is_file():
        raise DataError(f"{path} lacks its weights, {path.with_suffix('.bin').name}: the two files go together.")
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: RuntimeError) -> UnsupportedError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = first_line(RuntimeError(lines[-1] if lines else "no reason given"))
    return UnsupportedError(f"OpenVINO does not load {path} ({reason}): export it for this version.")


def _text(value: Any) -> str:
    """A fact of the runtime's graph as text; older versions wrap it."""
    return str(value.astype(str) if hasattr(value, "astype") else value)
