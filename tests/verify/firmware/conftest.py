"""Small models in C, written by hand, and what builds them."""

from collections.abc import Callable

import pytest

from edgewright.verify.firmware.boards import BOARDS
from edgewright.verify.firmware.build import Firmware, build
from edgewright.verify.firmware.subject import Interface, Target
from edgewright.verify.firmware.tools import missing_tools, missing_wheels, remedy, wheels_remedy

KB = 1024
HEADER = """
#include <stdint.h>
int32_t *ew_small_input(void);
const int32_t *ew_small_output(void);
void ew_small_run(void);
void ew_trace(uint32_t index, const void *values, uint32_t num_bytes);
"""
FRAME = """
#include "model.h"
static int32_t in[{num_in}], out[{num_out}];
int32_t *ew_small_input(void) {{ return in; }}
const int32_t *ew_small_output(void) {{ return out; }}
"""


@pytest.fixture(scope="session")
def tools() -> None:
    """Skip where firmware cannot be built and run."""
    if missing_tools():
        pytest.skip(remedy(missing_tools()))


@pytest.fixture(scope="session")
def wheels() -> None:
    """Skip where the packages that do without Debian's programs are not installed."""
    if missing_wheels():
        pytest.skip(wheels_remedy(missing_wheels()))


@pytest.fixture(scope="session")
def make_firmware(tools, tmp_path_factory) -> Callable[..., Firmware]:
    """Firmware of the C text of a model with 32-bit inputs `in` and outputs `out`."""

    def make(body: str, *, core: str = "M4", words=(1, 1), trace: bool = False, **limits: int) -> Firmware:
        folder = tmp_path_factory.mktemp("model")
        (folder / "model.h").write_text(HEADER)
        (folder / "model.c").write_text(FRAME.format(num_in=words[0], num_out=words[1]) + body)
        interface = Interface(
            inputs=(("ew_small_input", 4 * words[0]),), outputs=(("ew_small_output", 4 * words[1]),), run="ew_small_run"
        )
        target = Target(board=BOARDS[core], **{"flash_bytes": 1024 * KB, "ram_bytes": 320 * KB, **limits})
        return build(folder, folder / "build", target=target, interface=interface, trace=trace)

    return make
