"""Whole networks in C on the host: every tensor of every image, byte by byte."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from c_cases import images_of
from dead_programs import Builder
from edgewright.errors import ConfigError, ExportError, ModelError, ShapeError, UnsupportedError
from edgewright.export.c import emit, write
from edgewright.program import input_codes
from edgewright.program.lowering import lower
from edgewright.verify.firmware.host import build_on_host, compare_on_host, find_compiler, run_on_host
from edgewright.zoo import resolve
from lowered_nets import images, simulation

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("resnet8", 16), ("mobilenet_v1:0.25", 32)])
@pytest.mark.parametrize("float_output", [True, False])
def test_zoo_models_give_the_bytes_of_the_program_on_every_tensor(name, size, float_output, tmp_path):
    x = images(20, 3, size, size)
    net = simulation(resolve(name, num_classes=4, image_size=size).model, x, draw=False, float_output=float_output)
    program = lower(net, name="net")
    codes = [{program.inputs[0]: input_codes(program, each)} for each in x.numpy()]
    write(emit(program, codes[:1]), tmp_path / "c")
    parity = compare_on_host(program, tmp_path / "c", codes)
    assert parity.num_images == 20 and len(parity.operations) == len(program.operations)
    assert parity.total > 20 * size * size
    assert [each for each in parity.operations if each.differing] == []


@needs_compiler
@pytest.mark.slow
def test_float_logits_are_sums_that_no_rounding_touches(tmp_path):
    x = images(4, 3, 16, 16)
    net = simulation(resolve("resnet8", num_classes=4, image_size=16).model, x, draw=False, float_output=True)
    single = lower(net, name="net")
    double = replace(single, rounding="tflm")
    codes = [{single.inputs[0]: input_codes(single, each)} for each in x.numpy()]
    write(emit(double, codes[:1], kernels="dsp"), tmp_path / "c")
    assert compare_on_host(double, tmp_path / "c", codes).differing == 0


@pytest.fixture
def program():
    rng = np.random.default_rng(0)
    builder = Builder()
    first = builder.conv("x", rng.integers(-127, 128, (5, 3, 3, 3)), rng.integers(-99, 99, 5), scale=0.0004)
    second = builder.conv(first, rng.integers(-127, 128, (5, 5, 1, 1)), rng.integers(-99, 99, 5), scale=0.0004)
    total = builder.same("add", first, second, settings={"sign": 1})
    flat = builder.flat(total)
    weight = rng.integers(-127, 128, (2, *builder.shape(flat)))
    return builder.program(builder.linear(flat, weight, np.array([5, -7]), scale=0.0004))


@needs_compiler
@pytest.mark.slow
def test_a_residual_sum_and_a_flattened_map_give_the_bytes_of_the_program(program, tmp_path):
    write(emit(program), tmp_path / "c")
    parity = compare_on_host(program, tmp_path / "c", images_of(program, count=20, seed=3))
    assert parity.differing == 0 and parity.total > 0


@needs_compiler
@pytest.mark.slow
def test_a_wrong_kernel_is_found_and_its_operation_named(program, tmp_path):
    write(emit(program), tmp_path / "c")
    header = tmp_path / "c" / "kernels" / "add.h"
    header.write_text(header.read_text().replace("- s->a_zero_point)", "- s->a_zero_point + 1)"))
    parity = compare_on_host(program, tmp_path / "c", images_of(program, count=4, seed=3))
    wrong = [each.kind for each in parity.operations if each.differing]
    assert wrong[0] == "add"


@needs_compiler
@pytest.mark.slow
def test_a_read_beyond_the_arena_ends_the_run(program, tmp_path):
    write(emit(program), tmp_path / "c")
    source = tmp_path / "c" / "model.c"
    text = source.read_text()
    assert ".rows = 6," in text and ".out_rows = 4," in text
    source.write_text(text.replace(".rows = 6,", ".rows = 9000,", 1).replace(".out_rows = 4,", ".out_rows = 8000,", 1))
    build = build_on_host(tmp_path / "c", tmp_path / "build")
    with pytest.raises(ExportError, match="ends with code"):
        run_on_host(build, images_of(program, count=1, seed=3))


@needs_compiler
@pytest.mark.slow
def test_the_folders_own_self_test_passes_and_fails_with_a_wrong_expectation(program, tmp_path):
    write(emit(program, images_of(program, count=2, seed=3)), tmp_path / "c")
    make = [find_compiler(), "-std=c99", "-I.", "main.c", "model.c", "weights.c", "-o", "self_test"]
    for expected in (0, 1):
        subprocess.run(make, cwd=tmp_path / "c", check=True)
        assert subprocess.run(["./self_test"], cwd=tmp_path / "c").returncode == expected
        main = (tmp_path / "c" / "main.c").read_text()
        head, tail = main.split("expected_0_0[2] = {\n    ", 1)
        (tmp_path / "c" / "main.c").write_text(f"{head}expected_0_0[2] = {{\n    1 + {tail}")


def test_without_a_compiler_the_packages_are_named(monkeypatch):
    monkeypatch.setattr("edgewright.verify.firmware.host.shutil.which", lambda name: None)
    with pytest.raises(UnsupportedError, match="apt-get install gcc"):
        find_compiler()


@needs_compiler
def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no layout\.json"):
        build_on_host(tmp_path, tmp_path / "build")


@needs_compiler
@pytest.mark.slow
def test_images_that_do_not_fit_are_refused(program, tmp_path):
    write(emit(program), tmp_path / "c")
    build = build_on_host(tmp_path / "c", tmp_path / "build", sanitize=False)
    with pytest.raises(ConfigError, match="no image"):
        run_on_host(build, [])
    with pytest.raises(ShapeError, match=r"input x has the shape \(3, 6, 5\)"):
        run_on_host(build, [{"x": np.zeros(4, dtype=np.int64)}])


@needs_compiler
@pytest.mark.slow
def test_a_compiler_without_sanitizers_is_told_from_wrong_code(program, tmp_path, monkeypatch):
    write(emit(program), tmp_path / "c")
    monkeypatch.setattr("edgewright.verify.firmware.host.SANITIZERS", ("-fsanitize=nothing-of-this-name",))
    with pytest.raises(UnsupportedError, match="has no sanitizers here"):
        build_on_host(tmp_path / "c", tmp_path / "build")
