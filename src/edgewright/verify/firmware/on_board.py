"""Generated C on an emulated board: every tensor held against the program, and what it costs there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...errors import ConfigError, ExportError
from ...program import Program
from .build import Firmware, build
from .cpu import emulate as emulate_cpu
from .cycles import MODELLED_CORES, Cycles, estimated_cycles, modelled_cycles
from .host import FirmwareParity, compare_with_program
from .layout import Layout, read_layout_of
from .qemu import TIME_LIMIT_S, Emulate, FirmwareRun, run_firmware
from .routes import Route, find_route
from .sizes import Sizes
from .subject import Target
from .tools import missing_wheels

LONGEST_MODEL_S = 600.0


@dataclass(frozen=True, kw_only=True)
class BoardProof:
    """A program's firmware on one board.

    Attributes:
        parity: differing bytes per operation, and of the outputs as the caller reads them.
        instructions: for each image, what `run` executes.
        layer_instructions: for each operation in its order the most that an image took; with the call of the hook
            behind it, about twenty instructions.
        sizes: of the firmware without hooks.
        stack_bytes: the most that a run used.
        route: what built and ran it.
        cycles: of the image that takes most: modelled where every instruction is seen and the core has a model,
            otherwise estimated from the instructions; None for cores of which nothing is published.
        layer_cycles: modelled, for each operation in its order; None where only the whole is estimated.
    """

    target: Target
    parity: FirmwareParity
    instructions: tuple[int, ...]
    layer_instructions: tuple[int, ...]
    sizes: Sizes
    stack_bytes: int
    route: Route
    cycles: Cycles | None
    layer_cycles: tuple[int, ...] | None

    @property
    def flash_bytes(self) -> int:
        """Code, constants and first values."""
        return self.sizes.flash_bytes

    @property
    def ram_bytes(self) -> int:
        """Variables, the arena among them, and the stack that was used."""
        return self.sizes.static_ram_bytes + self.stack_bytes


def prove_on_board(
    program: Program,
    folder: Path,
    images: Sequence[Mapping[str, np.ndarray]],
    *,
    target: Target,
    time_limit_s: float = TIME_LIMIT_S,
    route: Route | None = None,
) -> BoardProof:
    """Build the generated C of `program` for `target`, run every image, and compare all bytes with `program.run`.

    It is built twice: as it ships, which is measured, and with a hook behind each operation, which hands out every
    tensor. The outputs of both count as compared.

    Args:
        folder: what `export --format c` wrote of this very program.
        images: for each, the codes of every input by name.
        route: compiler and emulator; None: the first that is installed. Where QEMU runs a core whose cycles have a
            model and `unicorn` is installed, the first image runs there once more, for its cycles.

    Raises:
        ConfigError: there is no image.
        UnsupportedError: no route is installed that knows the core.
        ShapeError: an input is missing or has another number of codes.
        What `read_layout_of`, `build` and `run_firmware` raise.
    """
    if not images:
        raise ConfigError("There is no image to run the firmware on: give at least one.")
    layout = read_layout_of(program, folder)
    route = route or find_route(target.board)
    tape = [layout.image_bytes(image) for image in images]
    with TemporaryDirectory(prefix="firmware-") as place:
        pair = _Pair.built(layout, folder, Path(place), target=target, route=route)
        counted, told = pair.run(tape, time_limit_s=time_limit_s, emulate=route.emulate)
        cycles, layer_cycles = pair.cycles(tape, counted, told)
    if counted.outputs != told.outputs:
        raise ExportError(
            "The firmware's outputs change when it tells its layers: the generated C or compiler is wrong."
        )
    assert counted.instructions is not None
    return BoardProof(
        target=target,
        parity=compare_with_program(program, images, list(_tensors(layout, told))),
        instructions=counted.instructions,
        layer_instructions=tuple(max(layer.instructions for layer in same) for same in zip(*told.layers, strict=True)),
        sizes=pair.plain.sizes,
        stack_bytes=counted.stack_bytes,
        route=route,
        cycles=cycles,
        layer_cycles=layer_cycles,
    )


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """The firmware as it ships, and the one that tells its layers."""

    plain: Firmware
    traced: Firmware

    @classmethod
    def built(cls, layout: Layout, folder: Path, place: Path, *, target: Target, route: Route) -> _Pair:
        plain, traced = (
            build(
                folder, place / name, target=target, interface=layout.interface, trace=trace, compiler=route.compiler
            )
            for name, trace in (("plain", False), ("traced", True))
        )  # fmt: skip
        return cls(plain=plain, traced=traced)

    def run(
        self, tape: Sequence[Sequence[bytes]], *, time_limit_s: float, emulate: Emulate, values: bool = True
    ) -> tuple[FirmwareRun, FirmwareRun]:  # fmt: skip
        counted = run_firmware(self.plain, tape, time_limit_s=time_limit_s, emulate=emulate)
        return counted, run_firmware(
            self.traced, tape, values=values, time_limit_s=time_limit_s, emulate=emulate
        )  # fmt: skip

    def cycles(
        self, tape: Sequence[Sequence[bytes]], counted: FirmwareRun, told: FirmwareRun
    ) -> tuple[Cycles | None, tuple[int, ...] | None]:
        """Of the whole and of each operation; a processor in Python is about a hundred times slower than QEMU."""
        core = self.plain.target.board.core
        if counted.cycles is None and core in MODELLED_CORES and not missing_wheels(("unicorn",)):
            counted, told = self.run(tape[:1], time_limit_s=LONGEST_MODEL_S, emulate=emulate_cpu, values=False)
        assert counted.instructions is not None
        if counted.cycles is None:
            return estimated_cycles(max(counted.instructions), core), None
        layers = [[layer.cycles for layer in same] for same in zip(*told.layers, strict=True)]
        return modelled_cycles(max(counted.cycles)), tuple(max(each or 0 for each in same) for same in layers)


def _tensors(layout: Layout, told: FirmwareRun) -> list[dict[str, np.ndarray]]:
    """For each image what every operation made; an output is what the caller reads after the run."""
    found = []
    for layers, outputs in zip(told.layers, told.outputs, strict=True):
        made = {layout.operations[layer.index]: layer.values for layer in layers}
        made |= dict(zip(layout.outputs, outputs, strict=True))
        found.append({each.tensor: each.from_bytes(raw) for each, raw in made.items()})
    return found
