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
from .host import FirmwareParity, compare_with_program
from .layout import Layout, read_layout_of
from .qemu import TIME_LIMIT_S, FirmwareRun, run_firmware
from .sizes import Sizes
from .subject import Target


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
    """

    target: Target
    parity: FirmwareParity
    instructions: tuple[int, ...]
    layer_instructions: tuple[int, ...]
    sizes: Sizes
    stack_bytes: int

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
) -> BoardProof:
    """Build the generated C of `program` for `target`, run every image, and compare all bytes with `program.run`.

    It is built twice: as it ships, which is measured, and with a hook behind each operation, which hands out every
    tensor. The outputs of both count as compared.

    Args:
        folder: what `export --format c` wrote of this very program.
        images: for each, the codes of every input by name.

    Raises:
        ConfigError: there is no image.
        ShapeError: an input is missing or has another number of codes.
        What `read_layout_of`, `build` and `run_firmware` raise.
    """
    if not images:
        raise ConfigError("There is no image to run the firmware on: give at least one.")
    layout = read_layout_of(program, folder)
    plain, counted, told = _both_runs(layout, folder, images, target=target, time_limit_s=time_limit_s)
    assert counted.instructions is not None
    return BoardProof(
        target=target,
        parity=compare_with_program(program, images, list(_tensors(layout, told))),
        instructions=counted.instructions,
        layer_instructions=tuple(max(layer.instructions for layer in same) for same in zip(*told.layers, strict=True)),
        sizes=plain.sizes,
        stack_bytes=counted.stack_bytes,
    )


def _both_runs(
    layout: Layout, folder: Path, images: Sequence[Mapping[str, np.ndarray]], *, target: Target, time_limit_s: float
) -> tuple[Firmware, FirmwareRun, FirmwareRun]:
    """The firmware as it ships, its run, and the run of the one that tells its layers."""
    tape = [layout.image_bytes(image) for image in images]
    with TemporaryDirectory(prefix="firmware-") as place:
        interface = layout.interface
        plain = build(folder, Path(place) / "plain", target=target, interface=interface)
        traced = build(folder, Path(place) / "traced", target=target, interface=interface, trace=True)
        counted = run_firmware(plain, tape, time_limit_s=time_limit_s)
        told = run_firmware(traced, tape, values=True, time_limit_s=time_limit_s)
    if counted.outputs != told.outputs:
        raise ExportError(
            "The firmware's outputs change when it tells its layers: the generated C or compiler is wrong."
        )
    return plain, counted, told


def _tensors(layout: Layout, told: FirmwareRun) -> list[dict[str, np.ndarray]]:
    """For each image what every operation made; an output is what the caller reads after the run."""
    found = []
    for layers, outputs in zip(told.layers, told.outputs, strict=True):
        made = {layout.operations[layer.index]: layer.values for layer in layers}
        made |= dict(zip(layout.outputs, outputs, strict=True))
        found.append({each.tensor: each.from_bytes(raw) for each, raw in made.items()})
    return found
