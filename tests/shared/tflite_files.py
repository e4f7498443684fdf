"""Small .tflite files, written by hand: tensors, constants and operators as TensorFlow Lite's schema.fbs has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np

TYPES = {"float32": 0, "int32": 2, "uint8": 3, "int8": 9}
CODES = {
    "ADD": 0, "AVERAGE_POOL_2D": 1, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "DEQUANTIZE": 6,
    "FULLY_CONNECTED": 9, "LOGISTIC": 14, "MAX_POOL_2D": 17, "MUL": 18, "RELU": 19, "RELU6": 21, "RESHAPE": 22,
    "SOFTMAX": 25, "PAD": 34, "TRANSPOSE": 39, "MEAN": 40, "SUB": 41, "LEAKY_RELU": 98, "QUANTIZE": 114,
}  # fmt: skip
OPTIONS = {
    "ADD": 11, "AVERAGE_POOL_2D": 5, "CONCATENATION": 10, "CONV_2D": 1, "DEPTHWISE_CONV_2D": 2, "DEQUANTIZE": 38,
    "FULLY_CONNECTED": 8, "MAX_POOL_2D": 5, "MUL": 21, "RESHAPE": 17, "SOFTMAX": 9, "PAD": 22, "TRANSPOSE": 26,
    "MEAN": 27, "SUB": 28, "LEAKY_RELU": 75, "QUANTIZE": 89,
}  # fmt: skip
"""Operator -> the table of its options in the union."""
Field = tuple[str, Any]
WRITES = {"b": "Int8", "i": "Int32", "I": "Uint32", "f": "Float32", "offset": "UOffsetTRelative"}


@dataclass
class TfliteFile:
    """Collects tensors and operators; each method gives the number of the tensor that it adds."""

    tensors: list[dict[str, Any]] = field(default_factory=list)
    operators: list[dict[str, Any]] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)

    def tensor(self, shape, *, scale=(), zero_point=0, dtype="int8", axis=0, values=None):
        scales = np.atleast_1d(np.float32(scale))
        self.tensors.append(
            {"name": f"t{len(self.tensors)}", "shape": shape, "dtype": dtype, "scales": scales, "axis": axis,
             "zero_points": np.full(len(scales), zero_point, np.int64), "values": values}
        )  # fmt: skip
        return len(self.tensors) - 1

    def input(self, shape, **more):
        self.inputs.append(self.tensor(shape, **more))
        return self.inputs[-1]

    def constant(self, values, *, scale=(), axis=0):
        values = np.asarray(values)
        return self.tensor(values.shape, scale=scale, dtype=values.dtype.name, axis=axis, values=values)

    def operator(self, name, inputs, shape, *, options=None, **more):
        """One operator that makes a tensor; `options` are (kind, value) by field."""
        output = self.tensor(shape, **more)
        self.operators.append({"name": name, "inputs": inputs, "outputs": [output], "options": options or {}})
        return output

    def data(self, *outputs) -> bytes:
        return _Writer(self).model(list(outputs or self.operators[-1]["outputs"]))


class _Writer:
    def __init__(self, file: TfliteFile) -> None:
        self.file, self.builder = file, flatbuffers.Builder(1024)
        self.builder.ForceDefaults(True)

    def table(self, fields: dict[int, Field]) -> int:
        self.builder.StartObject(max(fields, default=-1) + 1)
        for place, (kind, value) in fields.items():
            getattr(self.builder, f"Prepend{WRITES[kind]}Slot")(place, value, 0)
        return self.builder.EndObject()

    def vector(self, offsets: list[int]) -> Field:
        self.builder.StartVector(4, len(offsets), 4)
        for each in reversed(offsets):
            self.builder.PrependUOffsetTRelative(each)
        return "offset", self.builder.EndVector()

    def numbers(self, values: Any, dtype: Any) -> Field:
        return "offset", self.builder.CreateNumpyVector(np.asarray(values, dtype))

    def model(self, outputs: list[int]) -> bytes:
        names = sorted({each["name"] for each in self.file.operators})
        buffers = [self.table({})] + [self.buffer(each["values"]) for each in self.file.tensors]
        tensors = self.vector([self.tensor(number, each) for number, each in enumerate(self.file.tensors)])
        operators = self.vector([self.operator(each, names) for each in self.file.operators])
        inputs, made = self.numbers(self.file.inputs, np.int32), self.numbers(outputs, np.int32)
        graph = self.table({0: tensors, 1: inputs, 2: made, 3: operators})
        codes = self.vector([self.table({0: ("b", CODES[name]), 2: ("i", 1), 3: ("i", CODES[name])}) for name in names])
        fields = {0: ("I", 3), 1: codes, 2: self.vector([graph]), 4: self.vector(buffers)}
        self.builder.Finish(self.table(fields), file_identifier=b"TFL3")
        return bytes(self.builder.Output())

    def buffer(self, values: np.ndarray | None) -> int:
        if values is None:
            return self.table({})
        self.builder.StartVector(1, values.nbytes, 16)
        self.builder.head = self.builder.head - values.nbytes
        self.builder.Bytes[self.builder.head : self.builder.head + values.nbytes] = values.tobytes()
        return self.table({0: ("offset", self.builder.EndVector())})

    def tensor(self, number: int, each: dict[str, Any]) -> int:
        name = "offset", self.builder.CreateString(each["name"])
        fields = {
            0: self.numbers(each["shape"], np.int32),
            1: ("b", TYPES[each["dtype"]]),
            2: ("I", number + 1),
            3: name,
        }
        if len(each["scales"]):
            scale, zero = self.numbers(each["scales"], np.float32), self.numbers(each["zero_points"], np.int64)
            fields[4] = "offset", self.table({2: scale, 3: zero, 6: ("i", each["axis"])})
        return self.table(fields)

    def operator(self, each: dict[str, Any], names: list[str]) -> int:
        inputs, outputs = (self.numbers(each[key], np.int32) for key in ("inputs", "outputs"))
        fields = {0: ("I", names.index(each["name"])), 1: inputs, 2: outputs}
        if each["name"] in OPTIONS:
            fields[3] = ("b", OPTIONS[each["name"]])
            fields[4] = "offset", self.table(each["options"])
        return self.table(fields)
