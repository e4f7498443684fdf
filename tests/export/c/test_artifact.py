"""A model as a folder of firmware: what is in it, byte by byte the same, and what is refused."""

import dataclasses
import re
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dead_programs import Builder
from edgewright.devices import device
from edgewright.errors import BudgetError, ConfigError, ModelError
from edgewright.export import export_c
from edgewright.export.c import emit, gate
from edgewright.export.c.artifact import Writing, c_name, export_program
from edgewright.export.c.gate import Limits, Need, need_of, refuse_too_large
from edgewright.export.c.remedies import flash_remedy, ram_remedy
from edgewright.export.c.streaming import fit_memory
from edgewright.program import input_codes, load_program, macs, output_values, run
from edgewright.program.dead import eliminate_dead
from edgewright.program.lowering import lower
from edgewright.verify import read_artifact, read_expected

GIVEN = {"name": "small", "preprocess": {"mean": [0.0]}}


@pytest.fixture(scope="module")
def program(nets):
    return eliminate_dead(lower(nets.simulation, name="small"))[0]


@pytest.fixture(scope="module")
def firmware(program):
    return emit(program)


def images():
    return torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def test_the_same_model_gives_the_same_bytes(nets, tmp_path):
    for name in ("a", "b"):
        export_c(nets.simulation, tmp_path / name, **GIVEN, samples_BCHW=images())
    first, second = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("a", "b")
    )
    assert first == second and len(first) > 15


def test_the_folder_holds_the_program_that_it_was_made_of(nets, tmp_path):
    made = export_c(nets.simulation, tmp_path / "c", **GIVEN, samples_BCHW=images())
    artifact, kept = read_artifact(made.folder), load_program(made.folder)
    expected = read_expected(artifact)
    assert {each["path"] for each in artifact.manifest["files"]} >= {"model.c", "kernels/conv.h", "plan.svg"}
    assert np.array_equal(expected["input"], images().numpy())
    for image, output in zip(expected["input"], expected["output"], strict=True):
        (values,) = output_values(kept, run(kept, {kept.inputs[0]: input_codes(kept, image)}))
        assert np.array_equal(values, output)
    assert sum(macs(kept).values()) == artifact.manifest["macs"]
    assert "main.c" not in artifact.manifest["parts"] and "weights.c" in artifact.manifest["parts"]


def test_float_models_are_refused(nets, tmp_path):
    with pytest.raises(ModelError, match="small is in float32, and firmware computes in integers: quantize it first"):
        export_c(nets.float, tmp_path / "c", **GIVEN)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("resnet8", "resnet8"), ("mobilenet_v1:0.25@96", "mobilenet_v1_0_25_96"), ("nets/my.py:two", "two"),
     ("7net", "net_7net"), ("a b/é", "model")],
)  # fmt: skip
def test_any_name_becomes_a_name_of_c(name, wanted):
    assert c_name(name) == wanted


def test_branches_are_exported_in_the_order_of_the_smaller_arena(tmp_path):
    """Two wide maps that are each cut to one channel: one after the other, instead of both before they are cut."""
    rng = np.random.default_rng(0)
    builder = Builder(shape=(2, 8, 8))
    wide = [builder.conv("x", rng.integers(-9, 9, (16, 2, 1, 1)), np.zeros(16)) for _ in range(2)]
    narrow = [builder.conv(each, rng.integers(-9, 9, (1, 16, 1, 1)), np.zeros(1)) for each in wide]
    program = builder.program(builder.same("add", *narrow, settings={"sign": 1}))
    made = export_program(program, tmp_path / "c")
    assert made.manifest["plan"]["arena_bytes"] < emit(program).plan.arena_bytes - 500
    kept = load_program(made.folder)
    codes = {"x": rng.integers(-128, 128, (2, 8, 8))}
    assert np.array_equal(run(kept, codes)[kept.outputs[0]], run(program, codes)[program.outputs[0]])


# -- the gate ---------------------------------------------------------------------------------------------------------
def test_what_counts_as_ram_and_flash():
    need = Need(arena=100, floats=40, tables=1000, code=300, stack=4096, start_ram=4, start_flash=1076)
    assert (need.ram_bytes, need.flash_bytes) == (4240, 2376)


@pytest.mark.parametrize("which", ["ram_bytes", "flash_bytes"])
def test_a_model_at_its_limit_passes_and_one_byte_over_is_refused(program, firmware, which):
    need = need_of(firmware)
    fits = Limits(device="board", ram_bytes=need.ram_bytes, flash_bytes=need.flash_bytes)
    refuse_too_large(program, firmware, fits)
    memory = "RAM" if which == "ram_bytes" else "flash"
    tight = dataclasses.replace(fits, **{which: getattr(need, which) - 1})
    with pytest.raises(BudgetError, match=f"small needs 1 byte more {memory} than the .* of board"):
        refuse_too_large(program, firmware, tight)


def test_a_device_without_a_stated_flash_limits_none(program, firmware):
    unlimited = Limits(device="board", ram_bytes=2**20, flash_bytes=None)
    assert refuse_too_large(program, firmware, unlimited) is None
    with pytest.raises(BudgetError, match="flash"):
        refuse_too_large(program, firmware, dataclasses.replace(unlimited, flash_bytes=1))


def test_the_refusal_names_the_operator_at_the_peak(program, firmware):
    peak = program.operations[firmware.plan.peak_op]
    with pytest.raises(BudgetError, match=rf"operation {firmware.plan.peak_op}, {peak.kind} {peak.output}: "):
        refuse_too_large(program, firmware, Limits(device="board", ram_bytes=1428, flash_bytes=None))


def test_a_smaller_input_is_offered_with_a_size_that_does(program, firmware):
    """At 12 x 12 the peak is maps alone, so a side of s needs about (s / 12)^2 of the arena."""
    told = ram_remedy(program, firmware.plan, firmware.plan.arena_bytes // 2)
    assert told.startswith(("an input of ", "keeping "))
    assert int(told.split("arena about ")[1].rstrip(")").replace(",", "")) <= firmware.plan.arena_bytes // 2


def test_without_any_remedy_a_larger_device_is_named(program, firmware):
    assert "choose a larger device" in ram_remedy(program, firmware.plan, 1)
    assert "choose a larger device" in flash_remedy(program, 10**9)


def test_kernels_without_scratch_are_offered_before_the_network_is_touched(program, monkeypatch):
    fast, plain = (emit(program, kernels=name) for name in ("dsp", "portable"))
    need = need_of(plain)
    assert need.ram_bytes < need_of(fast).ram_bytes
    limits = Limits(device="board", ram_bytes=need.ram_bytes, flash_bytes=None)
    monkeypatch.setattr(gate, "fit_memory", lambda program, kernels: SimpleNamespace(program=program))
    with pytest.raises(BudgetError, match=rf"--kernels portable would do \(RAM {need.ram_bytes:,}, flash "):
        refuse_too_large(program, fast, limits)
    with pytest.raises(BudgetError, match=r"(an input of|channels of) "):
        refuse_too_large(program, fast, dataclasses.replace(limits, ram_bytes=need.ram_bytes - 1))


def test_stripes_are_offered_first_and_then_written(nets, program, firmware, tmp_path):
    striped = emit(fit_memory(program).program)
    assert striped.plan.arena_bytes < firmware.plan.arena_bytes
    board = dataclasses.replace(device("rp2040"), ram_bytes=need_of(striped).ram_bytes)
    with pytest.raises(BudgetError, match=rf"--favor ram would do \(RAM {need_of(striped).ram_bytes:,}, flash "):
        export_c(nets.simulation, tmp_path / "c", **GIVEN, writing=Writing(device=board))
    made = export_c(nets.simulation, tmp_path / "c", **GIVEN, writing=Writing(device=board, favor="ram"))
    assert made.manifest["need"]["ram_bytes"] == board.ram_bytes and made.manifest["favor"] == "ram"
    with pytest.raises(ConfigError, match="Firmware can favor time, ram or flash, got 'beauty'"):
        Writing(favor="beauty")


def test_nothing_is_written_for_a_device_that_is_too_small(nets, program, tmp_path):
    small = dataclasses.replace(device("stm32l4r5"), ram_bytes=1428)
    with pytest.raises(BudgetError, match="bytes more RAM than the 1,428 of stm32l4r5"):
        export_c(nets.simulation, tmp_path / "c", **GIVEN, writing=Writing(device=small))
    assert not (tmp_path / "c").exists()
    told = export_program(program, tmp_path / "c", writing=Writing(device=small, gate=False)).manifest
    assert told["need"]["ram_bytes"] > 1428 and told["device"] == "stm32l4r5"


# -- building it ------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_cmake_builds_and_runs_the_self_test(nets, tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed: apt-get install --no-install-recommends cmake")
    source, out = tmp_path / "c", str(tmp_path / "build")
    export_c(nets.simulation, source, **GIVEN, samples_BCHW=images())
    subprocess.run(["cmake", "-S", str(source), "-B", out], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", out], check=True, capture_output=True)
    tested = subprocess.run(["ctest", "--test-dir", out], check=True, capture_output=True, text=True)
    assert "100% tests passed" in tested.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("core", "name"), [("m4", "stm32l4r5"), ("m55", "alif-ensemble-e3"), ("m0plus", "rp2040")])
def test_cmake_builds_a_library_for_a_core(nets, tmp_path, core, name):
    if shutil.which("cmake") is None or shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("cmake or arm-none-eabi-gcc is not installed")
    source, out = tmp_path / "c", tmp_path / "build"
    export_c(nets.simulation, source, **GIVEN, writing=Writing(device=device(name)))
    toolchain = ["-DCMAKE_TOOLCHAIN_FILE=cortex-m.cmake", f"-DEW_CORE={core}"]
    subprocess.run(["cmake", "-S", ".", "-B", str(out), *toolchain], check=True, capture_output=True, cwd=source)
    subprocess.run(["cmake", "--build", str(out)], check=True, capture_output=True)
    assert (out / "libew_small.a").stat().st_size > 1000
    shown = subprocess.run(
        ["arm-none-eabi-readelf", "-A", str(out / "libew_small.a")], check=True, capture_output=True, text=True
    )
    assert {"m4": "v7E-M", "m55": "v8.1-M", "m0plus": "v6"}[core] in shown.stdout.replace("v6S-M", "v6")


def test_the_readme_says_how_to_call_it_and_what_it_is(nets, tmp_path):
    made = export_c(nets.simulation, tmp_path / "c", **GIVEN, writing=Writing(device=device("stm32l4r5")))
    text = (made.folder / "README.md").read_text()
    for words in ("ew_small_input()", "ew_small_run();", "ew_small_output()", "Kernels: dsp", "Rounding: once",
                  f"{made.manifest['macs']} multiply-accumulates", "Apache License 2.0"):  # fmt: skip
        assert words in text
    assert f"| {made.manifest['plan']['arena_bytes']} |" in text


def test_readme_and_header_say_how_a_camera_pixel_becomes_a_code(nets, tmp_path):
    mean, std = (0.4, 0.5, 0.25), (0.3, 0.2, 0.35)
    preprocess = {"shape": (3, 12, 12), "mean": mean, "std": std, "scale": 1 / 255, "how": "as it is"}
    names = [f"class {index}" for index in range(21)]
    made = export_c(nets.simulation, tmp_path / "c", name="small", preprocess=preprocess, class_names=names)
    readme, header = ((made.folder / name).read_text() for name in ("README.md", "model.h"))
    pixels_CHW = np.random.default_rng(0).integers(0, 256, (3, 12, 12))
    scaled_CHW = (pixels_CHW / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    kept = load_program(made.folder)
    wanted_CHW = input_codes(kept, scaled_CHW.astype(np.float32))
    for text in (readme, header):
        formula, low, high = re.search(r"code = (.*), clamped to (\S+) \.\. (\S+);", text).groups()
        told = re.findall(r"channel \d: mean (\S+), std (\S+)", text)
        for pixels_HW, wanted_HW, (mean_, std_) in zip(pixels_CHW, wanted_CHW, told, strict=True):
            values = {"pixel": pixels_HW, "mean": float(mean_), "std": float(std_), "round": np.rint}
            assert np.array_equal(np.clip(eval(formula, values), int(low), int(high)), wanted_HW)
        assert "class 18, class 19, ..." in text and "class 20" not in text
    need = made.manifest["need"]
    assert f"| RAM | {need['ram_bytes']} |" in readme and f"| flash | {need['flash_bytes']} |" in readme


def test_what_nobody_knows_of_pixels_and_classes_is_not_told(program, tmp_path):
    made = export_program(program, tmp_path / "c")
    readme, header = ((made.folder / name).read_text() for name in ("README.md", "model.h"))
    assert "Totals, predicted" in readme and "pixel" not in readme + header and "Classes" not in readme


def test_stripes_of_portable_kernels_are_offered_where_either_alone_is_too_large(program, monkeypatch):
    """The least RAM is that of both: kernels without scratch, and stripes."""
    fast = emit(program, kernels="dsp")
    either = need_of(emit(program)).ram_bytes
    smaller = SimpleNamespace(ram_bytes=either - 1, flash_bytes=0)
    monkeypatch.setattr(gate, "_in_stripes", lambda _, kernels: smaller if kernels == "portable" else fast)
    monkeypatch.setattr(gate, "need_of", lambda firmware: firmware if firmware is smaller else need_of(firmware))
    limits = Limits(device="board", ram_bytes=either - 1, flash_bytes=None)
    with pytest.raises(BudgetError, match=rf"--kernels portable --favor ram would do \(RAM {either - 1:,}, "):
        refuse_too_large(program, fast, limits)


def test_firmware_in_cpp_may_include_the_header(firmware):
    """The functions have the linkage of C there, or the linker does not find them."""
    opened, declared = firmware.files["model.h"].split('#ifdef __cplusplus\nextern "C" {\n#endif\n')
    assert "_run(void);" not in opened
    assert declared.rstrip().endswith("#ifdef __cplusplus\n}\n#endif\n\n#endif")


# -- less flash -------------------------------------------------------------------------------------------------------
def test_flash_is_offered_by_what_it_gives_and_then_written(nets, program, tmp_path):
    whole, small = (need_of(emit(program, compact=compact)) for compact in (False, True))
    assert small.flash_bytes < whole.flash_bytes and small.arena == whole.arena and small.tables == whole.tables
    board = dataclasses.replace(device("rp2040"), flash_bytes=small.flash_bytes)
    with pytest.raises(BudgetError, match=rf"--favor flash would do \(RAM [\d,]+, flash {small.flash_bytes:,}\)"):
        export_c(nets.simulation, tmp_path / "c", **GIVEN, writing=Writing(device=board))
    made = export_c(nets.simulation, tmp_path / "c", **GIVEN, writing=Writing(device=board, favor="flash"))
    assert made.manifest["need"]["flash_bytes"] == board.flash_bytes and made.manifest["favor"] == "flash"


def test_all_calls_of_a_kernel_are_one_function(program):
    apart, shared = (emit(program, compact=compact) for compact in (False, True))
    assert shared.calls["conv"] == shared.shared_kernels["conv"] == 1 < apart.calls["conv"]
    source = shared.files["model.c"]
    assert source.count("ew_conv(&sizes") == 1 < source.count("small_shared_0(")
