"""Firmware as a function from images to outputs, as every other runtime is one: on the host, and on a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...program import Program, input_codes, output_values
from .build import Firmware, build
from .host import HostBuild, build_on_host, run_on_host
from .layout import Layout, read_layout_of
from .on_board import BoardProof
from .qemu import TIME_LIMIT_S, run_firmware
from .routes import Route


@dataclass(frozen=True, kw_only=True)
class HostRunner:
    """A folder of generated C, built without sanitizers, which are slow, on this machine."""

    program: Program
    built: HostBuild

    @classmethod
    def of(cls, program: Program, folder: Path, out: Path) -> HostRunner:
        """Build `folder` in `out`."""
        read_layout_of(program, folder)
        return cls(program=program, built=build_on_host(folder, out, sanitize=False))

    def __call__(self, images_BCHW: Any) -> torch.Tensor:
        """The first output of each image, float32."""
        found = run_on_host(self.built, [codes_of(self.program, image) for image in images_BCHW])
        return torch.from_numpy(np.stack([output_values(self.program, each)[0] for each in found]))


@dataclass(frozen=True, kw_only=True)
class BoardRunner:
    """The same on an emulated board.

    Attributes:
        instructions: of one image, for the time that the emulator is given.
        route: what builds and runs it.
    """

    program: Program
    layout: Layout
    firmware: Firmware
    instructions: int
    route: Route

    @classmethod
    def of(cls, program: Program, folder: Path, out: Path, *, proof: BoardProof) -> BoardRunner:
        """Build `folder` in `out` as it ships, in the way in which it was proven."""
        layout = read_layout_of(program, folder)
        route = proof.route
        firmware = build(folder, out, target=proof.target, interface=layout.interface, compiler=route.compiler)
        return cls(program=program, layout=layout, firmware=firmware, instructions=max(proof.instructions), route=route)

    @property
    def most_images(self) -> int:
        """How many images fit beside the board's memory at once."""
        room = self.firmware.target.board.tape_bytes - 64
        return max(1, room // (4 * self.layout.interface.words_per_image))

    def __call__(self, images_BCHW: Any) -> torch.Tensor:
        """The first output of each image, float32."""
        tape = [self.layout.image_bytes(codes_of(self.program, image)) for image in images_BCHW]
        parts = [tape[at : at + self.most_images] for at in range(0, len(tape), self.most_images)]
        return torch.from_numpy(np.stack([output for part in parts for output in self._run(part)]))

    def _run(self, tape: Sequence[Sequence[bytes]]) -> list[np.ndarray]:
        limit_s = TIME_LIMIT_S + len(tape) * self.instructions / self.route.instructions_per_s
        lying = self.layout.outputs[0]
        made = run_firmware(self.firmware, tape, time_limit_s=limit_s, emulate=self.route.emulate)
        name = self.program.outputs[0]
        grid = self.program.tensors[name].grid
        values = [lying.from_bytes(outputs[0]) for outputs in made.outputs]
        return [each if grid is None else np.asarray(grid.values(each), dtype=np.float32) for each in values]


def codes_of(program: Program, image_CHW: Any) -> dict[str, np.ndarray]:
    """The codes of one image, as the program takes them."""
    return {program.inputs[0]: input_codes(program, np.asarray(image_CHW))}
