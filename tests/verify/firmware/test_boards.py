"""Each device has its board or is refused, and fences end where memories do."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.cli import doctor
from edgewright.devices import device, device_names
from edgewright.errors import ConfigError, UnsupportedError
from edgewright.verify.firmware import tools
from edgewright.verify.firmware.boards import BOARDS, board_of
from edgewright.verify.firmware.fence import MOST_REGIONS, Span, regions
from edgewright.verify.firmware.qemu import count_instructions
from edgewright.verify.firmware.subject import Target, board_header, linker_script, target_of

CORES = {
    "alif-ensemble-e3": "M55", "nrf52840": "M4", "stm32f746": "M7", "stm32h743": "M7", "stm32l4r5": "M4",
    "stm32u575": "M33",
}  # fmt: skip
MICROCONTROLLERS = [name for name in device_names() if device(name).kind == "mcu"]


@pytest.mark.parametrize("name", MICROCONTROLLERS)
def test_each_microcontroller_has_the_board_of_its_core_or_is_refused(name):
    if name in CORES:
        assert board_of(device(name)) is BOARDS[CORES[name]]
    else:
        with pytest.raises(UnsupportedError, match=f"device {name} has .*the emulator counts on Cortex-M3, M4, M7"):
            board_of(device(name))


def test_only_cores_without_an_exact_counter_are_refused():
    assert set(MICROCONTROLLERS) - set(CORES) == {"rp2040", "esp32-s3"}


@pytest.mark.parametrize("name", sorted(CORES))
def test_the_memories_of_each_device_can_be_fenced_and_linked(name):
    target = target_of(device(name))
    assert (target.flash_bytes, target.ram_bytes) == (device(name).flash_bytes, device(name).ram_bytes)
    assert board_header(target).count("{0x") <= MOST_REGIONS
    assert f"LENGTH = {device(name).ram_bytes}" in linker_script(target)


def reached(pairs):
    """Byte intervals that PMSAv7 regions open, each eighth by itself."""
    for base, attribute in pairs:
        size = 2 << ((attribute >> 1) & 31)
        assert base % size == 0 and attribute & 1
        off, part = (attribute >> 8) & 0xFF, size // 8
        assert off == 0 or size >= 256
        yield from ((base + i * part, base + (i + 1) * part) for i in range(8) if not off >> i & 1)


@given(units=st.integers(1, 2**16), short=st.integers(0, 31))
def test_regions_by_eighths_open_exactly_the_span_rounded_up(units, short):
    span = Span(start=0x2000_0000, num_bytes=32 * units - short, access="data")
    inside = sorted(reached(regions((span,), BOARDS["M4"])))
    assert inside[0][0] == span.start and inside[-1][1] == span.start + 32 * units
    assert all(before[1] == after[0] for before, after in pairwise(inside))


def test_320_kilobytes_are_one_region_of_512_with_three_eighths_off():
    # the size field of 512 KB is log2(512 K) - 1 = 18; the highest three of eight bits are off
    ((base, attribute),) = regions((Span(start=0x2000_0000, num_bytes=320 << 10, access="data"),), BOARDS["M7"])
    assert base == 0x2000_0000 and attribute & 0xFFFF == 0xE000 | 18 << 1 | 1


def test_the_newer_unit_rounds_up_to_the_last_granule_and_the_linker_keeps_the_limit():
    # 1,000 bytes end in the granule at 992, whose address is the limit register's; bit 0 switches the region on
    ((base, limit),) = regions((Span(start=0x3800_0000, num_bytes=1000, access="data"),), BOARDS["M33"])
    assert (base & -32, limit) == (0x3800_0000, 0x3800_0000 + 992 | 1)
    target = Target(board=BOARDS["M33"], flash_bytes=4096, ram_bytes=1000, stack_bytes=512)
    assert target.fenced_ram_bytes == 1024 and "LENGTH = 1000" in linker_script(target)


def test_a_fence_that_the_unit_cannot_draw_is_refused():
    # seven eighths four times over, of 1 MB, 128 KB, 16 KB and 2 KB, then 64 and 32 bytes
    ragged = Span(start=0x2000_0000, num_bytes=0xFFF60, access="data")
    with pytest.raises(ConfigError, match="take 18 regions of memory protection, and the unit has 8"):
        regions((ragged,) * 3, BOARDS["M4"])


@pytest.mark.parametrize(
    ("ram_bytes", "stack_bytes", "told"),
    [
        (4 << 20, 4096, "more than the board mps2-an386 can fence"),
        (4096, 4096, "stack of 4,096 bytes"),
        (4096, 12, "of 12 bytes is not possible: give a multiple of 8"),
    ],
)
def test_limits_that_no_board_can_keep_are_refused(ram_bytes, stack_bytes, told):
    with pytest.raises(ConfigError, match=told):
        Target(board=BOARDS["M4"], flash_bytes=4096, ram_bytes=ram_bytes, stack_bytes=stack_bytes)


@given(instructions=st.integers(0, 10**10), tick_ns=st.sampled_from([40, 50]), phase=st.integers(0, 49))
def test_counts_are_exact_beyond_the_end_of_the_fine_counter(instructions, tick_ns, phase):
    began, ended = phase, phase + instructions * 256
    ticks = ended // tick_ns - began // tick_ns
    hundredths = ended // 10_000_000 - began // 10_000_000
    assert count_instructions(ticks % 2**32, hundredths, tick_ns=tick_ns) == instructions


def test_missing_programs_are_told_with_their_packages(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.missing_tools() == tuple(tools.TOOLS)
    with pytest.raises(UnsupportedError, match="apt-get install --no-install-recommends gcc-arm-none-eabi qemu"):
        tools.need_tools()
    assert tools.remedy(()) == ""


@pytest.mark.parametrize("name", tools.TOOLS)
def test_the_doctor_names_the_package_of_each_program(name):
    assert doctor.TOOLS[name][1] == tools.TOOLS[name]


@pytest.mark.parametrize("name", tools.WHEELS)
def test_the_doctor_names_the_packages_that_do_without_them(name):
    assert name in doctor.WHEELS
