"""`read_tflite`: the operators are walked once, in their order."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ...errors import ModelError
from ..building import tidied
from ..shapes import check
from ..types import Program
from .call import Call, Reading
from .forms import FORMS
from .graph import Graph, Operator, intact, read_graph

REPLACE = "replace it by operators that have one, or cut the model there"


def read_tflite(path: Path | str, *, name: str | None = None, rounding: str = "tflm") -> Program:
    """The program of a fully quantized .tflite file: int8 codes, one image, static shapes.

    Maps become (C, H, W). Weights have one scale or one per output channel, and no zero point. A float input that is
    quantized first is an input of codes. Tensors are named after those of the file.

    Args:
        name: of the program; None for the file's.
        rounding: "tflm" for TensorFlow Lite Micro's bytes, "single" for the cheaper arithmetic.

    Raises:
        ModelError: the file is missing, no .tflite file, or damaged.
        UnsupportedError: an operator has no integer operation; names it, its place and a remedy.
    """
    path = Path(path)
    graph = read_graph(path)
    with intact(path):
        return check(tidied(replace(_program(graph, name=name or path.stem), rounding=rounding)))


def _program(graph: Graph, *, name: str) -> Program:
    reading = Reading(graph=graph)
    for number in graph.inputs:
        if graph.entries[number].dtype != "float32":  # one of floats enters where it is quantized
            enter = Operator(name="INPUT", index=-1, inputs=(), outputs=(number,), options=None)
            reading.made[number] = Call(reading=reading, operator=enter).entering()
    for operator in graph.operators:
        call = Call(reading=reading, operator=operator)
        if operator.name not in FORMS:
            raise call.refused("has no integer operation", remedy=REPLACE)
        if len(operator.outputs) != 1:
            raise ValueError(f"{operator.name} makes {len(operator.outputs)} tensors")
        made = FORMS[operator.name](call)
        if made is not None:
            reading.made[operator.outputs[0]] = made
    builder, outputs = reading.builder, [_leaving(reading, number) for number in graph.outputs]
    return Program(
        name=re.sub(r"\W", "_", name, flags=re.ASCII), tensors=builder.tensors, operations=tuple(builder.operations),
        inputs=tuple(builder.inputs), outputs=tuple(outputs),
    )  # fmt: skip


def _leaving(reading: Reading, number: int) -> str:
    tensor = reading.tensor(number)
    if tensor is None:
        raise ModelError(f"{reading.graph.path} is damaged: nothing makes its output {number}.")
    return tensor.name
