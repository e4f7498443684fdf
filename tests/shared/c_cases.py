"""Programs of many small operations side by side, so that one compilation proves all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edgewright.errors import UnsupportedError
from edgewright.export.c import emit, write
from edgewright.program import Operation, Program, Tensor, check
from edgewright.reference.integer import Grid
from edgewright.verify.firmware.host import OperationBytes, compare_on_host

ODD = st.sampled_from((1, 3, 5, 17, 33))


def drawn(strategy: st.SearchStrategy, *, count: int) -> list[Any]:
    """`count` draws, the same in every run."""
    found: list[Any] = []

    @settings(max_examples=count, derandomize=True, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found[:count]


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Grids of any zero point, with ends that a clamp may have moved."""
    low = draw(st.sampled_from((-128, -128, -128, -8, 0)))
    high = draw(st.sampled_from((127, 127, 127, 7, 100)))
    zero_point = draw(st.integers(low, high))
    return Grid(scale=draw(st.floats(0.005, 0.3)), zero_point=zero_point, low=low, high=high)


@dataclass
class Bench:
    """Collects operations, each with inputs of its own."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)

    def add(
        self, kind: str, inputs: list[tuple[tuple[int, ...], Grid]], shape: tuple[int, ...], grid: Grid | None,
        **more: Any,
    ) -> str:  # fmt: skip
        """One operation; the name of its output."""
        name = f"{kind}_{len(self.operations)}"
        names = []
        for index, (in_shape, in_grid) in enumerate(inputs):
            names.append(f"{name}_x{index}")
            self.tensors[names[-1]] = Tensor(name=names[-1], shape=in_shape, grid=in_grid)
        self.inputs += names
        self.tensors[name] = Tensor(name=name, shape=shape, grid=grid)
        self.operations.append(Operation(kind=kind, inputs=tuple(names), output=name, **more))
        return name

    def program(self, name: str) -> Program:
        """All of them. Only the last output leaves: many that are live at once would make planning the work."""
        outputs = (self.operations[-1].output,)
        return check(
            Program(name=name, tensors=self.tensors, operations=tuple(self.operations), inputs=tuple(self.inputs),
                    outputs=outputs)
        )  # fmt: skip


def images_of(program: Program, *, count: int, seed: int) -> list[dict[str, np.ndarray]]:
    """Random codes of every input; the first two images hold the lowest and the highest codes alone."""
    generator = np.random.default_rng(seed)
    ends: list[Callable[[Grid, tuple[int, ...]], np.ndarray]] = [
        lambda grid, shape: np.full(shape, grid.low),
        lambda grid, shape: np.full(shape, grid.high),
    ]
    random = lambda grid, shape: generator.integers(grid.low, grid.high + 1, shape)  # noqa: E731
    return [
        {name: (ends[index] if index < 2 else random)(program.tensors[name].grid, program.tensors[name].shape)
         for name in program.inputs}
        for index in range(count)
    ]  # fmt: skip


def in_tflm(program: Program, *, every: int) -> Program:
    """The operations of a bench that the second rounding has, one of `every`, without those that may overflow there.

    Grids that it prescribes are given first.
    """
    tensors = dict(program.tensors)
    for operation in program.operations:
        grid, out = tensors[operation.inputs[0]].grid, tensors[operation.output].grid
        if operation.kind in PRESCRIBED and grid is not None and out is not None:
            tensors[operation.output] = replace(tensors[operation.output], grid=PRESCRIBED[operation.kind](grid, out))
    alone = [_alone(program, tensors, each) for each in program.operations[::every]]
    kept = [each for each in alone if _is_safe(each)]
    return replace(
        program, rounding="tflm", tensors={name: tensor for each in kept for name, tensor in each.tensors.items()},
        operations=tuple(each.operations[0] for each in kept), outputs=kept[-1].outputs,
        inputs=tuple(name for each in kept for name in each.inputs),
    )  # fmt: skip


PRESCRIBED: dict[str, Callable[[Grid, Grid], Grid]] = {
    "average_pool": lambda grid, out: replace(out, scale=grid.scale, zero_point=grid.zero_point),
    "softmax": lambda grid, out: Grid(scale=1 / 256, zero_point=-128, low=-128, high=127),
}


def _alone(program: Program, tensors: dict[str, Tensor], operation: Operation) -> Program:
    names = (*operation.inputs, operation.output)
    return replace(
        program, rounding="tflm", tensors={name: tensors[name] for name in names}, operations=(operation,),
        inputs=operation.inputs, outputs=(operation.output,),
    )  # fmt: skip


def _is_safe(program: Program) -> bool:
    try:
        return not emit(program).may_overflow
    except UnsupportedError:
        return False


PROVEN: dict[str, dict[str, OperationBytes]] = {}  # by the calls in model.c: sets that make the same ones share a proof


def proof_of(program: Program, folder: Path, *, seed: int, kernels: str) -> dict[str, OperationBytes]:
    """Six images through the program as C on the host: tensor -> its bytes beside those of the program."""
    firmware = emit(program, kernels=kernels)
    calls = firmware.files["model.c"]
    if calls not in PROVEN:
        write(firmware, folder)
        parity = compare_on_host(program, folder, images_of(program, count=6, seed=seed))
        PROVEN[calls] = {each.tensor: each for each in parity.operations}
    return PROVEN[calls]
