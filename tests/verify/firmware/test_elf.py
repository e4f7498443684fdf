"""ELF files are read as the toolchain reads them, and damaged ones are refused."""

import re
import subprocess

import pytest

from edgewright.errors import ExportError
from edgewright.verify.firmware.boards import BOARDS
from edgewright.verify.firmware.elf import read_sections, read_segments

BODY = "static volatile int32_t t[100] = {4, 5}; void ew_small_run(void) { out[0] = t[in[0]]; }"


def test_sections_are_as_large_as_the_toolchain_says(make_firmware):
    elf = make_firmware(BODY).elf
    told = subprocess.run(["arm-none-eabi-objdump", "-h", str(elf)], capture_output=True, text=True, check=True).stdout
    wanted = {name: int(size, 16) for name, size in re.findall(r"^ +\d+ (\S+) +([0-9a-f]{8})", told, re.M)}
    found = {each.name: each.num_bytes for each in read_sections(elf)}
    assert wanted and {name: found[name] for name in wanted} == wanted


def test_first_values_of_variables_are_loaded_behind_the_code(make_firmware):
    elf = make_firmware(BODY).elf
    segments = dict(read_segments(elf))
    text = next(each for each in read_sections(elf) if each.name == ".text")
    behind = BOARDS["M4"].code_at + 64 + text.num_bytes
    assert segments[behind][:8] == (4).to_bytes(4, "little") + (5).to_bytes(4, "little")


def test_damaged_files_are_refused(make_firmware, tmp_path):
    whole = make_firmware(BODY).elf.read_bytes()
    damaged = tmp_path / "damaged.elf"
    for content, told in ((b"", "is no ELF file"), (b"MZ" + whole[2:], "is no ELF file"), (whole[:200], "cut short")):
        damaged.write_bytes(content)
        with pytest.raises(ExportError, match=told):
            read_segments(damaged)
    damaged.write_bytes(whole[:-100])
    with pytest.raises(ExportError, match="is damaged"):
        read_sections(damaged)
