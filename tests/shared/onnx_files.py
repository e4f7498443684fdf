"""Integer ONNX files by ONNX Runtime's own quantizer, and programs held against the runtime by operation."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn

from edgewright.program import input_codes, output_values, run
from edgewright.program.dead.evaluate import evaluate
from edgewright.program.onnx_file import read_onnx
from edgewright.program.onnx_file.read import program_of, read_values
from edgewright.program.onnx_file.values import Coded

TYPES = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def export(model: nn.Module, images: np.ndarray, path: Path, *, opset: int = 17) -> Path:
    """A float file by PyTorch's older exporter, batch axis open."""
    axes = {"image": {0: "batch"}, "output": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(), (torch.from_numpy(images[:1]),), str(path), dynamo=False, opset_version=opset,
            input_names=["image"], output_names=["output"], dynamic_axes=axes,
        )  # fmt: skip
    return path


class _Images(CalibrationDataReader):
    def __init__(self, images: np.ndarray) -> None:
        self.left = iter([{"image": image[None]} for image in images])

    def get_next(self):
        return next(self.left, None)


def quantized(
    path: Path, images: np.ndarray, *, activations: str = "uint8", weights: str = "int8", per_channel: bool = True,
    form: QuantFormat = QuantFormat.QDQ,
) -> Path:  # fmt: skip
    """The file by ONNX Runtime's static quantization, weights symmetric."""
    target = path.with_suffix(f".{activations}.{weights}.{per_channel}.{form}.onnx")
    session = onnxruntime.SessionOptions()
    session.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session.optimized_model_filepath = str(path.with_suffix(".basic.onnx"))
    onnxruntime.InferenceSession(str(path), session)
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        quantize_static(
            path.with_suffix(".basic.onnx"), target, _Images(images), quant_format=form, per_channel=per_channel,
            activation_type=TYPES[activations], weight_type=TYPES[weights], extra_options={"WeightSymmetric": True},
        )  # fmt: skip
    finally:
        logging.disable(before)
    return target


def runtime(model: onnx.ModelProto | Path) -> onnxruntime.InferenceSession:
    content = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def own_steps(path: Path, images: np.ndarray) -> dict[str, tuple[int, float]]:
    """Each operation of the program on the runtime's own codes: the largest difference from its codes, share equal."""
    reading, outputs = read_values(path)
    program = program_of(reading, outputs, name="net")
    made = {op for node in onnx.load(path).graph.node for op in node.output}
    names = {
        value.tensor.name: name for name, value in reading.values.items()
        if isinstance(value, Coded) and value.raw and name in made
    }  # fmt: skip
    seen = onnx.load(path)
    del seen.graph.output[:]
    seen.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names.values())
    session, found = runtime(seen), {}
    for image in images:
        codes = dict(zip(names, session.run(None, {session.get_inputs()[0].name: image[None]}), strict=True))
        here = {name: _signed(each[0]) for name, each in codes.items()}
        for operation in program.operations:
            if program.tensors[operation.output].grid is None:
                continue
            got = evaluate(operation, [here[name] for name in operation.inputs], program)
            want = here.setdefault(operation.output, got)
            differ = np.abs(got - want)
            most, equal = found.get(operation.output, (0, 1.0))
            found[operation.output] = (max(most, int(differ.max())), min(equal, float((differ == 0).mean())))
    return found


def _signed(codes: np.ndarray) -> np.ndarray:
    return codes.astype(np.int64) - (128 if codes.dtype == np.uint8 else 0)


def agreement(path: Path, images: np.ndarray) -> float:
    """Share of images on which program and runtime decide alike."""
    program, session = read_onnx(path), runtime(path)
    same = 0
    for image in images:
        values = run(program, {program.inputs[0]: input_codes(program, image)})
        want = session.run(None, {session.get_inputs()[0].name: image[None]})[0]
        same += int(np.argmax(output_values(program, values)[0]) == np.argmax(want))
    return same / len(images)
