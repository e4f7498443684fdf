"""The processor without a board counts, keeps limits and stops as QEMU does, and tells what each instruction costs."""

import struct

import pytest

from edgewright.errors import ExportError, UnsupportedError
from edgewright.verify.firmware import tools
from edgewright.verify.firmware.boards import BOARDS
from edgewright.verify.firmware.cpu import emulate
from edgewright.verify.firmware.cycles import block_cost, edge_cost, estimated_cycles, modelled_cycles
from edgewright.verify.firmware.qemu import run_firmware
from edgewright.verify.firmware.routes import ROUTES, find_route
from edgewright.verify.firmware.thumb import decode

CORES = ("M3", "M4", "M7", "M33")
RAM_BYTES = (320 << 10) + 32  # ends within a page of the emulator
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


def words(*values):
    return [struct.pack(f"<{len(values)}I", *(value & 0xFFFFFFFF for value in values))]


@pytest.mark.parametrize("core", CORES)
def test_a_loop_is_counted_as_in_qemu_to_the_instruction(core, make_firmware, wheels):
    firmware = make_firmware(LOOP, core=core)
    images = [words(turns) for turns in (1, 2, 1000, 50_001)]
    board, cpu = run_firmware(firmware, images), run_firmware(firmware, images, emulate=emulate)
    assert cpu.instructions == board.instructions
    assert (cpu.outputs, cpu.stack_bytes) == (board.outputs, board.stack_bytes)


def test_a_turn_of_a_loop_is_modelled_as_four_cycles_and_the_last_as_two(make_firmware, wheels):
    cycles = run_firmware(make_firmware(LOOP), [words(1), words(2), words(1001)], emulate=emulate).cycles
    assert cycles[1] - cycles[0] == 4 and cycles[2] - cycles[1] == 4 * 999


def test_cores_without_a_table_have_no_modelled_cycles(make_firmware, wheels):
    run = run_firmware(make_firmware(LOOP, core="M7"), [words(1)], emulate=emulate)
    assert run.cycles is None and run.instructions is not None


@pytest.mark.parametrize("core", CORES)
def test_memory_ends_where_the_devices_does(core, make_firmware, wheels):
    firmware = make_firmware(TOUCH, core=core, words=(2, 1), ram_bytes=RAM_BYTES)
    last = BOARDS[core].ram_at + RAM_BYTES - 4
    assert run_firmware(firmware, [words(last, 1)], emulate=emulate).outputs == ((struct.pack("<I", 7),),)
    for address, write in ((last + 4, 0), (last + 4, 1), (BOARDS[core].code_at + 128, 1), (last + (1 << 20), 1)):
        with pytest.raises(ExportError, match=f"outside of the device's memory at {address:#010x}"):
            run_firmware(firmware, [words(address, write)], emulate=emulate)


def test_a_stack_that_leaves_memory_is_told(make_firmware, wheels):
    firmware = make_firmware(DEEP, stack_bytes=2048)
    assert run_firmware(firmware, [words(3)], emulate=emulate).stack_bytes > 200
    with pytest.raises(ExportError, match=r"the stack left its memory.*lowest 2,048 bytes are the stack"):
        run_firmware(firmware, [words(100)], emulate=emulate)


def test_firmware_that_does_not_end_or_cannot_go_on_is_told(make_firmware, wheels):
    with pytest.raises(ExportError, match=r"did not end within 0\.2 s"):
        run_firmware(make_firmware("void ew_small_run(void) { for (;;) { } }"), [words(1)], time_limit_s=0.2,
                     emulate=emulate)  # fmt: skip
    with pytest.raises(ExportError, match="The firmware faulted: an undefined instruction"):
        run_firmware(make_firmware('void ew_small_run(void) { __asm volatile("udf #0"); }'), [words(1)],
                     emulate=emulate)  # fmt: skip


# Encodings as the assembler of GNU binutils gives them.
@pytest.mark.parametrize(
    ("text", "code", "kind", "registers"),
    [
        ("ldr r2, [r5, #24]", "aa69", "load", 1), ("ldrsb r1, [r2, r3]", "d156", "load", 1),
        ("str r2, [r4]", "2260", "store", 1), ("strb r1, [r2, r3]", "d154", "store", 1),
        ("push {r3-r7, lr}", "f8b5", "stores", 6), ("pop {r3-r7, pc}", "f8bd", "loads", 6),
        ("ldrd r0, r1, [r2], #8", "f2e80201", "loads", 2), ("strd r0, r1, [r2]", "c2e90001", "stores", 2),
        ("ldmia.w r0, {r4-r7, r9}", "90e8f002", "loads", 5), ("ldr.w r8, [pc, #228]", "dff8e480", "load", 1),
        ("ldrsb.w r3, [r1], #1", "11f9013b", "load", 1), ("strb.w r3, [r0, #1]", "80f80130", "store", 1),
        ("sdiv r0, r1, r2", "91fbf2f0", "divide", 0), ("smull r0, r1, r2, r3", "82fb0301", "other", 0),
        ("smlad r0, r1, r2, r3", "21fb0230", "other", 0), ("bne .-4", "fcd1", "branch", 0),
        ("bl target", "fef7fbfd", "branch", 0), ("cbz r0, .+8", "10b1", "branch", 0), ("bx lr", "7047", "branch", 0),
        ("tbb [pc, r0]", "dfe800f0", "branch", 0), ("vldr s0, [r0]", "90ed000a", "load", 1),
        ("vldmia r0!, {s0-s3}", "b0ec040a", "loads", 4),
        ("adds r0, #1", "0130", "other", 0), ("nop", "00bf", "other", 0),
    ],
)  # fmt: skip
def test_instructions_are_told_apart(text, code, kind, registers):
    (found,) = decode(bytes.fromhex(code))
    assert (found.kind, found.registers, 2 * found.num_bytes) == (kind, registers, len(code)), text


def test_a_block_costs_what_the_manuals_table_says():
    # ldr 2, ldr behind it 1, ldrd 1 + 2, sdiv 7, add 1, ldr 2, bne 1 and 2 more when it is taken
    code = bytes.fromhex("aa696b69f2e8020191fbf2f00130aa69fcd1")
    assert block_cost(code) == (7, 2 + 1 + 3 + 7 + 1 + 2 + 1)
    assert edge_cost((0x100, 18), (0x100, 18)) == 2 and edge_cost((0x100, 18), (0x112, 4)) == 0


def test_cycles_say_whether_they_are_modelled_or_estimated():
    modelled, estimated = modelled_cycles(1_000_000), estimated_cycles(1_000_000, "M4")
    assert (modelled.label, modelled.least, modelled.most) == ("modelled", 1_000_000, 1_280_000)
    assert (estimated.label, estimated.least, estimated.most) == ("estimated", 1_200_000, 1_560_000)
    assert estimated_cycles(10, "M55") is None


def test_the_first_route_that_is_installed_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    present = {"ziglang", "unicorn"}
    monkeypatch.setattr(tools, "find_spec", lambda name: name if name in present else None)
    assert find_route(BOARDS["M4"]) is ROUTES[1]
    with pytest.raises(UnsupportedError, match=r"gcc-arm-none-eabi.*zig and unicorn do not know the Cortex-M55"):
        find_route(BOARDS["M55"])
    present.remove("unicorn")
    with pytest.raises(UnsupportedError, match=r"qemu-system-arm; or unicorn not installed: pip install 'edgewright\["):
        find_route(BOARDS["M4"])
