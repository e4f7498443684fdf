"""Networks from simulation to firmware: every byte on the board is the program's."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from edgewright.errors import BudgetError, ConfigError, ExportError, ShapeError
from edgewright.export.c import emit, write
from edgewright.program import check, input_codes
from edgewright.program.lowering import lower
from edgewright.program.types import ROUNDINGS
from edgewright.verify.firmware.boards import BOARDS
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.routes import ROUTES
from edgewright.verify.firmware.subject import Target
from edgewright.zoo.mobilenet_v1 import mobilenet_v1
from edgewright.zoo.resnet8 import resnet8
from lowered_nets import images, simulation

SETS = {"M3": "portable", "M4": "dsp", "M7": "dsp", "M33": "dsp", "M55": "helium"}


def made(model, x, folder, *, name="net", kernels="portable", rounding="single"):
    """Program, codes of the images, and the folder of its C."""
    program = check(replace(lower(simulation(model, x), name=name), rounding=rounding))
    write(emit(program, kernels=kernels), folder)
    return program, [{program.inputs[0]: input_codes(program, each)} for each in x.numpy()], folder


def target(core, ram_bytes=320 << 10):
    return Target(board=BOARDS[core], flash_bytes=1 << 20, ram_bytes=ram_bytes)


@pytest.fixture(scope="module")
def small(tools, tmp_path_factory):
    layers = [nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3, groups=6), nn.Flatten()]
    x = images(3, 2, 8, 8)
    return made(nn.Sequential(*layers, nn.Linear(24, 5)), x, tmp_path_factory.mktemp("small") / "c")


@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_small_net_gives_the_bytes_of_its_program_by_the_fastest_kernels(core, rounding, tools, tmp_path):
    """An odd number of channels, rows and columns is left over in each of the layers."""
    layers = [
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU(),
        nn.Conv2d(16, 17, 1), nn.ReLU(), nn.Conv2d(17, 20, (1, 3), padding=(0, 2)), nn.ReLU(),
        nn.Conv2d(20, 20, 3, stride=2, groups=20), nn.Flatten(),
    ]  # fmt: skip
    model = nn.Sequential(*layers, nn.Linear(20 * 3 * 4, 5))
    program, codes, folder = made(model, images(3, 3, 7, 7), tmp_path / "c", kernels=SETS[core], rounding=rounding)
    proof = prove_on_board(program, folder, codes, target=target(core))
    assert proof.parity.differing == 0, proof.parity.operations
    assert proof.parity.total == 3 * sum(program.tensors[each.output].num_values for each in program.operations)
    assert len(proof.layer_instructions) == len(program.operations) and len(proof.instructions) == 3
    assert all(0 < each < 10**6 for each in (*proof.instructions, *proof.layer_instructions))
    assert proof.ram_bytes == proof.sizes.static_ram_bytes + proof.stack_bytes


@pytest.mark.slow
@pytest.mark.parametrize("core", ["M3", "M4", "M7", "M33"])
def test_two_packages_alone_give_the_same_bytes(small, core, wheels):
    program, codes, folder = small
    board = prove_on_board(program, folder, codes, target=target(core))
    proof = prove_on_board(program, folder, codes, target=target(core), route=ROUTES[1])
    assert (board.route, proof.route) == ROUTES
    assert proof.parity.differing == 0 and proof.parity.total == board.parity.total
    assert all(0 < each < 10**6 for each in (*proof.instructions, *proof.layer_instructions))
    assert 0 < proof.sizes.harness_flash_bytes < 2500 and proof.flash_bytes < 2 * board.flash_bytes


@pytest.mark.slow
def test_a_core_with_a_table_has_modelled_cycles_and_one_without_has_estimates_or_none(small, wheels):
    program, codes, folder = small
    proofs = {core: prove_on_board(program, folder, codes, target=target(core)) for core in ("M4", "M7", "M55")}
    m4 = proofs["M4"]
    assert m4.cycles.label == "modelled" and max(m4.instructions) < m4.cycles.least < 2 * max(m4.instructions)
    assert len(m4.layer_cycles) == len(program.operations)
    assert abs(sum(m4.layer_cycles) / m4.cycles.least - 1) < 0.1
    assert proofs["M7"].cycles.label == "estimated" and proofs["M7"].layer_cycles is None
    assert proofs["M55"].cycles is None


def test_what_cannot_be_proven_is_refused(small):
    program, codes, folder = small
    with pytest.raises(ConfigError, match="no image to run the firmware on"):
        prove_on_board(program, folder, [], target=target("M4"))
    with pytest.raises(ShapeError, match="got codes for"):
        prove_on_board(program, folder, [{program.inputs[0]: np.zeros(3, dtype=int)}], target=target("M4"))
    with pytest.raises(BudgetError, match="bytes more RAM"):
        prove_on_board(program, folder, codes, target=target("M4", ram_bytes=1024 + 32))
    other = lower(simulation(nn.Sequential(nn.Conv2d(2, 3, 3)), images(2, 2, 8, 8)), name="other")
    with pytest.raises(ExportError, match="was not made from the program other"):
        prove_on_board(other, folder, codes, target=target("M4"))


@pytest.mark.slow
@pytest.mark.parametrize("core", ["M4", "M55"])
@pytest.mark.parametrize("name", ["resnet8", "mobilenet_v1"])
def test_whole_networks_give_the_bytes_of_their_programs(name, core, tools, tmp_path):
    if name == "resnet8":
        model, shape = resnet8(num_classes=10, in_channels=3), (2, 3, 32, 32)
    else:
        model, shape = mobilenet_v1(num_classes=2, in_channels=3, width=0.25), (2, 3, 96, 96)
    program, codes, folder = made(model, images(*shape), tmp_path / "c", name=name, kernels=SETS[core])
    proof = prove_on_board(program, folder, codes, target=target(core))
    assert proof.parity.differing == 0 and proof.parity.total > 100_000
    assert [each.tensor for each in proof.parity.operations] == [each.output for each in program.operations]
