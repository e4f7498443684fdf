"""Boards count exactly, keep a device's limits, and compute what the host computes."""

import shutil
import struct
import subprocess

import numpy as np
import pytest

from edgewright.errors import BudgetError, DataError, ExportError, ModelError, UnsupportedError
from edgewright.verify.firmware.boards import BOARDS
from edgewright.verify.firmware.build import build
from edgewright.verify.firmware.elf import read_segments
from edgewright.verify.firmware.qemu import run_firmware
from edgewright.verify.firmware.records import read_records
from edgewright.verify.firmware.sizes import object_sizes

CORES = tuple(BOARDS)
RAM_BYTES = 320 << 10

LOOP = """
void ew_small_run(void) {
  int32_t left = in[0];
  __asm volatile("1: subs %0, #1\\n bne 1b\\n" : "+r"(left)::"cc");
  out[0] = left;
}
"""
TOUCH = """
void ew_small_run(void) {
  volatile int32_t *place = (volatile int32_t *)in[0];
  if (in[1]) *place = 7;
  out[0] = *place;
}
"""
DEEP = """
__attribute__((noinline)) static int32_t fill(int32_t depth) {
  volatile int32_t room[16];
  for (int i = 0; i < 16; ++i) room[i] = depth;
  return depth > 0 ? fill(depth - 1) + room[depth & 15] : room[0];
}
void ew_small_run(void) { out[0] = fill(in[0]); }
"""
ROOM = """
static volatile int8_t room[%d];
void ew_small_run(void) { room[in[0]] = 1; out[0] = room[in[0] + 1]; }
"""
# A requantized product of every pair: 64-bit product, half up, saturated, as the integer reference has it.
KERNEL = """
static const int8_t weights[4][8] = {{1, -2, 3, -4, 5, -6, 7, -8}, {127, 127, 127, 127, -127, -127, -127, -127},
  {-1, -1, -1, -1, -1, -1, -1, -1}, {90, -80, 70, -60, 50, -40, 30, -20}};
void ew_small_run(void) {
  for (int o = 0; o < 4; ++o) {
    int32_t sum = 11 * o - 3;
    for (int i = 0; i < 8; ++i) sum += (int8_t)in[i] * weights[o][i];
    int64_t code = (((int64_t)sum * 1518500250 + ((int64_t)1 << 36)) >> 37) - 5;
    out[o] = code > 127 ? 127 : code < -128 ? -128 : (int32_t)code;
  }
}
"""
LAYERS = """
static int32_t half[2];
void ew_small_run(void) {
  half[0] = in[0] * 2; half[1] = in[0] + 1;
  EW_TOLD(0, half, sizeof half);
  for (volatile int32_t i = 0; i < 1000; ++i) { }
  out[0] = half[0] + half[1];
  EW_TOLD(1, out, sizeof out);
}
"""
TOLD = """
#ifdef EW_TRACE
#define EW_TOLD ew_trace
#else
#define EW_TOLD(index, values, num_bytes)
#endif
"""


def words(*values):
    return [struct.pack(f"<{len(values)}I", *(value & 0xFFFFFFFF for value in values))]


@pytest.mark.parametrize("core", CORES)
def test_a_known_loop_is_counted_to_the_instruction_twice(core, make_firmware):
    firmware = make_firmware(LOOP, core=core)
    images = [words(turns) for turns in (1, 2, 3, 1000, 123_457)]
    first, second = run_firmware(firmware, images), run_firmware(firmware, images)
    assert first == second
    around = first.instructions[0] - 2  # a turn is two instructions
    assert 0 < around < 16
    assert first.instructions == tuple(around + 2 * turns for turns in (1, 2, 3, 1000, 123_457))


@pytest.mark.slow
def test_a_loop_beyond_the_end_of_the_counter_is_exact_too(make_firmware):
    turns = 400_000_000  # 800 million instructions, the counter's 2^32 steps are 671 million
    run = run_firmware(make_firmware(LOOP), [words(1), words(turns)])
    assert run.instructions[1] - run.instructions[0] == 2 * (turns - 1)


@pytest.mark.parametrize("core", CORES)
def test_the_last_word_of_ram_works_and_the_first_behind_it_faults(core, make_firmware):
    firmware = make_firmware(TOUCH, core=core, words=(2, 1), ram_bytes=RAM_BYTES)
    board = BOARDS[core]
    last = board.ram_at + RAM_BYTES - 4
    assert run_firmware(firmware, [words(last, 1)]).outputs == ((struct.pack("<I", 7),),)
    for write in (0, 1):
        with pytest.raises(ExportError, match=f"outside of the device's memory at {last + 4:#010x}"):
            run_firmware(firmware, [words(last + 4, write)])
    with pytest.raises(ExportError, match=f"outside of the device's memory at {board.code_at + 128:#010x}"):
        run_firmware(firmware, [words(board.code_at + 128, 1)])  # constants can be read, not written


@pytest.mark.parametrize("core", CORES)
def test_the_painted_stack_tells_each_frame_and_its_end_faults(core, make_firmware):
    firmware = make_firmware(DEEP, core=core, stack_bytes=2048)
    used = [run_firmware(firmware, [words(depth)]).stack_bytes for depth in (0, 1, 2, 12)]
    frame = used[2] - used[1]
    assert frame >= 64 and used[3] - used[2] == 10 * frame
    with pytest.raises(ExportError, match=r"the stack left its memory.*lowest 2,048 bytes are the stack"):
        run_firmware(firmware, [words(100)])


def test_ram_that_is_one_byte_too_small_is_refused(make_firmware):
    small = make_firmware(ROOM % 1024, ram_bytes=64 << 10)
    left = (64 << 10) - small.target.stack_bytes - small.sizes.static_ram_bytes
    full = make_firmware(ROOM % (1024 + left), ram_bytes=64 << 10)
    assert full.sizes.static_ram_bytes + full.target.stack_bytes == 64 << 10
    assert run_firmware(full, [words(1022 + left)]).outputs == ((bytes(4),),)
    with pytest.raises(BudgetError, match="bytes more RAM than the 65,536 bytes with a stack of 1,024 of the device"):
        make_firmware(ROOM % (1025 + left), ram_bytes=64 << 10)


def test_flash_that_does_not_suffice_is_refused(make_firmware):
    with pytest.raises(BudgetError, match="bytes more FLASH than the 1,024 bytes of the device"):
        make_firmware("static const int32_t t[4096] = {1}; void ew_small_run(void) { out[0] = t[in[0]]; }",
                      flash_bytes=1024)  # fmt: skip


def test_a_device_with_more_flash_than_the_board_is_told_apart(make_firmware):
    body = "static const int32_t t[600000] = {1}; void ew_small_run(void) { out[0] = t[in[0]]; }"
    with pytest.raises(BudgetError, match="2,097,152 bytes that the emulated board mps3-an547 has"):
        make_firmware(body, core="M55", flash_bytes=5 << 20)


@pytest.fixture(scope="session")
def host_outputs(tmp_path_factory):
    """What the kernel gives when the host's compiler builds it."""
    if shutil.which("cc") is None:
        pytest.skip("cc not found: apt-get install gcc")
    place = tmp_path_factory.mktemp("host")
    main = "int main(void) { while (fread(in, 4, 8, stdin) == 8) { ew_small_run(); fwrite(out, 4, 4, stdout); } }"
    text = f"#include <stdint.h>\n#include <stdio.h>\nstatic int32_t in[8], out[4];\n{KERNEL}\n{main}\n"
    (place / "kernel.c").write_text(text)
    subprocess.run(["cc", "-O1", "-o", str(place / "kernel"), str(place / "kernel.c")], check=True)
    return lambda content: (
        subprocess.run([str(place / "kernel")], input=content, capture_output=True, check=True).stdout
    )


@pytest.mark.parametrize("core", CORES)
def test_an_integer_kernel_gives_the_bytes_of_the_host(core, make_firmware, host_outputs):
    codes = np.random.default_rng(3).integers(-128, 128, (20, 8)).astype("<i4")
    run = run_firmware(make_firmware(KERNEL, core=core, words=(8, 4)), [[row.tobytes()] for row in codes])
    made = b"".join(output for (output,) in run.outputs)
    assert made == host_outputs(codes.tobytes())
    assert len(set(run.outputs)) == 20 and len(run.instructions) == 20


def test_layers_tell_what_they_made_and_cost(make_firmware):
    traced = make_firmware(TOLD + LAYERS, trace=True)
    run = run_firmware(traced, [words(5), words(-3)], values=True)
    assert [[layer.values for layer in image] for image in run.layers] == [
        [struct.pack("<2i", 10, 6), struct.pack("<i", 16)], [struct.pack("<2i", -6, -2), struct.pack("<i", -8)],
    ]  # fmt: skip
    assert run.instructions is None
    whole = run_firmware(make_firmware(TOLD + LAYERS), [words(5)])
    counted = sum(layer.instructions for layer in run.layers[0])
    assert whole.outputs[0] == run.outputs[0]
    assert whole.layers == ((),)
    assert run.layers[0][1].instructions > 5000 > run.layers[0][0].instructions
    assert 0 <= counted - whole.instructions[0] < 60  # the calls of the hook, and what they keep out of registers
    assert all(layer.values == b"" for layer in run_firmware(traced, [words(5)]).layers[0])


def test_variables_with_a_first_value_count_in_flash_and_ram(make_firmware):
    firmware = make_firmware("static volatile int32_t t[100] = {4, 5}; void ew_small_run(void) { out[0] = t[in[0]]; }")
    assert run_firmware(firmware, [words(1)]).outputs == ((struct.pack("<i", 5),),)
    sizes = firmware.sizes
    assert sizes.data_bytes == 400
    assert sizes.flash_bytes == sizes.text_bytes + 400 and sizes.static_ram_bytes == sizes.bss_bytes + 400
    assert 0 < sizes.harness_flash_bytes < 1500 and sizes.harness_ram_bytes < 32
    shares = object_sizes(firmware.elf.parent / "firmware.map")
    placed = sum(share[".text"] + share[".vectors"] for share in shares.values())
    assert 0 <= sizes.text_bytes - placed < 16 * len(shares)  # gaps of alignment


def test_firmware_that_does_not_end_is_stopped(make_firmware):
    with pytest.raises(ExportError, match=r"did not end within 0\.5 s"):
        run_firmware(make_firmware("void ew_small_run(void) { for (;;) { } }"), [words(1)], time_limit_s=0.5)


def test_an_undefined_instruction_is_told(make_firmware):
    with pytest.raises(ExportError, match="The firmware faulted: an undefined instruction"):
        run_firmware(make_firmware('void ew_small_run(void) { __asm volatile("udf #0"); }'), [words(1)])


@pytest.mark.parametrize("core", ["M4", "M55"])
def test_a_core_that_locks_up_is_told(core, make_firmware):
    firmware = make_firmware(LOOP, core=core)
    vectors = dict(read_segments(firmware.elf))[BOARDS[core].vectors_at]
    raw = firmware.elf.read_bytes()
    assert raw.count(vectors[:64]) == 1
    firmware.elf.write_bytes(raw.replace(vectors[:64], bytes(64)))  # no stack, and nothing to start with
    with pytest.raises(ExportError, match=r"ended with exit code -?\d+ before it was done: .*[Ll]ockup"):
        run_firmware(firmware, [words(1)])


def test_a_damaged_file_and_a_missing_emulator_are_told(make_firmware, monkeypatch, tmp_path):
    firmware = make_firmware(LOOP)
    firmware.elf.write_bytes(b"\x7fELF" + bytes(60))
    with pytest.raises(ExportError, match=r"ended with exit code -?\d+ before it was done: .*([Ll]ockup|load)"):
        run_firmware(firmware, [words(1)])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedError, match="qemu-system-arm not found: apt-get install"):
        run_firmware(firmware, [words(1)])
    with pytest.raises(UnsupportedError, match="arm-none-eabi-gcc not found: apt-get install"):
        make_firmware(LOOP)


def test_images_of_other_bytes_are_refused(make_firmware):
    firmware = make_firmware(LOOP)
    with pytest.raises(DataError, match=r"Image 1 has inputs of \[8\] bytes, expected \[4\]"):
        run_firmware(firmware, [words(1), words(1, 2)])
    with pytest.raises(DataError, match="more than 2,097,152: run fewer at once"):
        run_firmware(firmware, [words(1)] * 600_000)


def test_code_that_does_not_compile_or_link_is_told(make_firmware, tmp_path):
    with pytest.raises(ExportError, match=r"does not compile: .*model\.c:\d+.*unused variable"):
        make_firmware("void ew_small_run(void) { int unused; }")
    with pytest.raises(ExportError, match=r"does not link: .*undefined reference to `ew_other'"):
        make_firmware("void ew_other(void); void ew_small_run(void) { ew_other(); }")
    firmware = make_firmware(LOOP)
    with pytest.raises(ModelError, match="holds no C files of a model"):
        build(tmp_path, tmp_path / "build", target=firmware.target, interface=firmware.interface)


def test_output_that_is_no_record_is_told():
    with pytest.raises(ExportError, match="ends within a record, at byte 0 of 3"):
        list(read_records(b"abc"))
    with pytest.raises(ExportError, match="is no record at byte 0 of 20"):
        list(read_records(bytes(20)))
