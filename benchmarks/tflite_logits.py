"""MLPerf Tiny's two int8 vision models at their logits, in TensorFlow Lite Micro and as programs; images for them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from edgewright.program import Program
from edgewright.program.building import tidied
from edgewright.program.tflite_file.tables import root

FILES = {
    "image_classification": "image_classification/pretrainedResnet_quant.tflite",
    "visual_wake_words": "visual_wake_words/vww_96_int8.tflite",
}


def images(program: Program, count: int) -> Iterator[np.ndarray]:
    """Codes of the first input, the same in every run: three constants, then checkerboards, noise and waves in turn."""
    tensor = program.tensors[program.inputs[0]]
    assert tensor.grid is not None, "an input has codes"
    low, high = tensor.grid.low, tensor.grid.high
    rng = np.random.default_rng(0)
    rows, columns = np.indices(tensor.shape[1:]) / tensor.shape[1]
    for index in range(count):
        if index < 3:
            yield np.full(tensor.shape, (low, high, 0)[index])
        elif index % 3 == 0:
            yield rng.choice([low, high], tensor.shape)
        elif index % 3 == 1:
            yield rng.integers(low, high + 1, tensor.shape)
        else:
            waves = [np.sin(rng.uniform(1, 20) * rows + rng.uniform(1, 20) * columns) for _ in range(tensor.shape[0])]
            yield np.rint(high * np.array(waves)).astype(np.int64)


def at_logits(program: Program) -> Program:
    """The program up to what softmax reads."""
    (softmax,) = (each for each in program.operations if each.kind == "softmax")
    return tidied(replace(program, outputs=softmax.inputs))


def file_at_logits(data: bytes) -> bytes:
    """The file with its output pointed at what its last operator reads."""
    (graph,) = root(data).tables(2)
    start, count = graph.vector(2, 4)
    assert count == 1, "these files have one output"
    logits = graph.tables(3)[-1].numbers(1, np.int32)[0]
    return data[:start] + struct.pack("<i", logits) + data[start + 4 :]


def of_engine(data: bytes, codes: Sequence[np.ndarray]) -> list[list[int]]:
    """What TensorFlow Lite Micro's reference kernels make of each image."""
    from tflite_micro import runtime

    engine = runtime.Interpreter.from_bytes(data)
    found = []
    for each in codes:
        engine.set_input(each.transpose(1, 2, 0)[np.newaxis].astype(np.int8), 0)
        engine.invoke()
        found.append(engine.get_output(0).ravel().tolist())
    return found
