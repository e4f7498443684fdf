"""Firmware from the command line: written, proven, refused, and the same bytes each time."""

import os
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.files import read_json
from edgewright.verify.firmware import routes


def run(*words):
    return CliRunner().invoke(app, list(words))


def refused(*words, code=2):
    """The one sentence of a command that must fail."""
    done = run(*words)
    assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr, done.exception)
    assert done.stdout == ""
    (sentence,) = [line for line in done.stderr.splitlines() if not line.startswith("Verify")]
    return sentence


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A float run, the same quantized, and its firmware for an stm32l4r5."""
    place = tmp_path_factory.mktemp("firmware")
    for words in (
        ("train", "simple_cnn@8", "--data", "digits", "--epochs", "1", "--out", str(place / "float")),
        ("quantize", str(place / "float"), "--data", "digits", "--method", "minmax", "--out", str(place / "int8")),
        ("export", str(place / "int8"), "--format", "c", "--device", "stm32l4r5"),
    ):
        done = run(*words)
        assert done.exit_code == 0, (words, done.stdout, done.stderr)
    return place


def small_device(folder, **limits):
    """The device file of an stm32l4r5 with other memories."""
    from edgewright.devices import DATA

    text = (DATA / "stm32l4r5.toml").read_text()
    for name, value in limits.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, count=1, flags=re.M)
    path = folder / "small.toml"
    path.write_text(text)
    return str(path)


def test_export_says_what_the_firmware_needs(folders):
    done = run("export", str(folders / "int8"), "--format", "c", "--device", "stm32l4r5")
    need = read_json(folders / "int8" / "artifact-c" / "manifest.json")["need"]
    assert f"RAM    {need['ram_bytes']:>10,}  arena {need['arena']:,}" in done.stdout
    assert f"flash  {need['flash_bytes']:>10,}  weights and tables {need['tables']:,}" in done.stdout
    assert "self-test: test images of digits; device: stm32l4r5" in done.stdout


def test_vectors_on_a_core_without_them_are_told_to_be_plain_c(folders, tmp_path):
    words = ("export", str(folders / "int8"), "--format", "c", "--kernels", "helium", "--out", str(tmp_path / "c"))
    told = "stm32l4r5: the Cortex-M4 has no Helium, so the vectors of helium run as plain C there"
    plain, vectors = (run(*words, "--device", name) for name in ("stm32l4r5", "alif-ensemble-e3"))
    assert plain.exit_code == 0 and told in plain.stdout
    assert vectors.exit_code == 0 and "plain C" not in vectors.stdout


def test_the_same_run_gives_the_same_bytes(folders, tmp_path):
    run("export", str(folders / "int8"), "--format", "c", "--device", "stm32l4r5", "--out", str(tmp_path / "again"))
    kept = {
        place: {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        for place in (folders / "int8" / "artifact-c", tmp_path / "again")
    }
    first, second = kept.values()
    assert first == second and len(first) > 15


@pytest.mark.slow
def test_verify_proves_every_byte_and_shows_each_operation(folders):
    done = run("verify", str(folders / "int8" / "artifact-c"), "--data", "digits")
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    assert re.search(r"^ok +bytes on this machine +0 bytes that differ", done.stdout, re.M)
    if "emulator" not in done.stdout:  # its tools are not installed: then the host alone has proven it
        return
    assert re.search(r"^firmware in the emulator +\d", done.stdout, re.M)
    assert re.search(r"^ok +bytes on M4 +0 bytes that differ", done.stdout, re.M)
    assert re.search(r"^the simulation +\d", done.stdout, re.M)


def test_without_data_the_images_of_the_artifact_are_run(folders, monkeypatch):
    monkeypatch.setattr(routes, "missing_tools", lambda _: ("qemu-system-arm",))
    monkeypatch.setattr(routes, "missing_wheels", lambda: ("unicorn",))
    done = run("verify", str(folders / "int8" / "artifact-c" / "model.c"))
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert "on 8 images against the integer reference" in done.stdout
    assert "not run" in done.stdout and "qemu-system-arm" in done.stdout
    asked = run("verify", str(folders / "int8" / "artifact-c"), "--device", "stm32l4r5")
    assert asked.exit_code == 1 and "FAILED" in asked.stdout


def test_a_folder_that_left_its_run_is_judged_against_the_score_that_it_was_exported_with(
    folders, tmp_path, monkeypatch
):
    monkeypatch.setattr(routes, "missing_tools", lambda _: ("qemu-system-arm",))
    monkeypatch.setattr(routes, "missing_wheels", lambda: ("unicorn",))
    known = read_json(folders / "int8" / "run.json")["scores"]["after"]
    copied = shutil.copytree(folders / "int8" / "artifact-c", tmp_path / "c")
    done = run("verify", str(copied), "--data", "digits", "--split", known["split"])
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert f"{known['value']:.2f} in the model that was exported; at most 0.2 apart" in done.stdout
    assert done.stdout.endswith("PASSED\n") and "not judged" not in done.stdout


def test_devices_without_an_exact_emulator_take_the_c(folders, tmp_path):
    out = str(tmp_path / "c")
    assert run("export", str(folders / "int8"), "--format", "c", "--device", "rp2040", "--out", out).exit_code == 0
    done = run("verify", out)
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert "only the proof on the host is possible" in done.stdout


@pytest.mark.parametrize(("name", "memory"), [("ram_bytes", "RAM"), ("flash_bytes", "flash")])
def test_the_gate_lets_pass_what_fits_to_the_byte_and_refuses_one_byte_more(folders, tmp_path, name, memory):
    need = read_json(folders / "int8" / "artifact-c" / "manifest.json")["need"][name]
    words = ("export", str(folders / "int8"), "--format", "c", "--out", str(tmp_path / "c"), "--device")
    assert run(*words, small_device(tmp_path, **{name: need})).exit_code == 0
    before = (tmp_path / "c" / "manifest.json").read_bytes()
    sentence = refused(*words, small_device(tmp_path, **{name: need - 1}), code=1)
    assert f"simple_cnn_8 needs 1 byte more {memory} than the {need - 1:,} of stm32l4r5" in sentence
    assert (tmp_path / "c" / "manifest.json").read_bytes() == before


def test_an_onnx_file_becomes_firmware_with_what_its_artifact_knows(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(routes, "missing_tools", lambda _: ("qemu-system-arm",))
    monkeypatch.setattr(routes, "missing_wheels", lambda: ("unicorn",))
    onnx = tmp_path / "onnx"
    assert run("export", str(folders / "int8"), "--out", str(onnx)).exit_code == 0
    words = ("export", str(onnx / "model.onnx"), "--format", "c", "--kernels", "portable", "--out", str(tmp_path / "c"))
    done = run(*words)
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert "kernels portable, rounding single; self-test: images of the artifact; device: none" in done.stdout
    manifest = read_json(tmp_path / "c" / "manifest.json")
    assert manifest["preprocess"] == read_json(onnx / "manifest.json")["preprocess"]
    assert run("verify", str(tmp_path / "c")).exit_code == 0


@pytest.mark.slow
def test_a_tflite_file_becomes_firmware_that_rounds_as_tflm_does(tmp_path, monkeypatch):
    path = find("image_classification")
    done = run("export", str(path), "--format", "c", "--device", "stm32l4r5", "--out", str(tmp_path / "c"))
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert "kernels dsp, rounding tflm; self-test: random codes; device: stm32l4r5" in done.stdout
    monkeypatch.setattr(routes, "missing_tools", lambda _: ("qemu-system-arm",))
    monkeypatch.setattr(routes, "missing_wheels", lambda: ("unicorn",))
    done = run("verify", str(tmp_path / "c"))
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert "Nothing says how images become inputs" in refused("verify", str(tmp_path / "c"), "--data", "digits")


def find(name):
    """The .tflite file of one of MLPerf Tiny's models."""
    root = os.environ.get("EDGEWRIGHT_TEST_DATA")
    found = sorted(Path(root, "mlperf-tiny", name).rglob("*quant.tflite")) if root else []
    if not found:
        pytest.skip("EDGEWRIGHT_TEST_DATA holds no mlperf-tiny")
    return found[0]


def test_dead_channels_leave_an_onnx_file(folders, tmp_path):
    onnx = tmp_path / "onnx"
    assert run("export", str(folders / "int8"), "--out", str(onnx)).exit_code == 0
    done = run("export", str(onnx / "model.onnx"), "--remove-dead-channels", "--out", str(tmp_path / "slim.onnx"))
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert "dead" in done.stdout and (tmp_path / "slim.onnx").is_file()
    words = ("export", str(folders / "int8"), "--remove-dead-channels")
    assert "makes an .onnx file of an .onnx file" in refused(*words)


# -- wrong input ------------------------------------------------------------------------------------------------------
def test_a_float_run_is_no_firmware(folders):
    sentence = refused("export", str(folders / "float"), "--format", "c")
    assert "is in float32, and firmware computes in integers: quantize it first" in sentence


def test_an_unknown_device_offers_near_matches(folders):
    words = ("export", str(folders / "int8"), "--format", "c", "--device", "stm32l4r")
    assert "Unknown device 'stm32l4r': did you mean stm32l4r5" in refused(*words)
    assert "Unknown device 'm4'" in refused("verify", str(folders / "int8" / "artifact-c"), "--device", "m4")


def test_a_device_belongs_to_firmware(folders):
    assert "--device is for --format c" in refused("export", str(folders / "int8"), "--device", "stm32l4r5")


def test_options_of_c_belong_to_c(folders):
    assert "--kernels is for --format c" in refused("export", str(folders / "int8"), "--kernels", "dsp")
    words = ("export", str(folders / "int8"), "--format", "c")
    assert "There are no kernels 'neon': choose one of portable, dsp" in refused(*words, "--kernels", "neon")
    assert "There is no rounding 'up': use one of single, tflm" in refused(*words, "--rounding", "up")


def test_files_that_are_missing_or_for_another_format_are_refused(folders, tmp_path):
    assert "There is no file" in refused("export", str(tmp_path / "no.onnx"), "--format", "c")
    assert "of which only --format c is made" in refused("export", str(tmp_path / "no.onnx"))
    (tmp_path / "bad.tflite").write_bytes(b"nothing of the kind")
    assert "bad.tflite" in refused("export", str(tmp_path / "bad.tflite"), "--format", "c")


def test_verify_needs_an_artifact(folders):
    assert "is not an artifact" in refused("verify", str(folders))


def test_edited_programs_and_missing_weights_are_refused(folders, tmp_path):
    out = tmp_path / "c"
    run("export", str(folders / "int8"), "--format", "c", "--out", str(out))
    path = out / "program.json"
    path.write_text(path.read_text().replace("conv", "cnov", 1))
    assert "is not the file that was exported" in refused("verify", str(out))
    (out / "weights.c").unlink()
    path.write_text(path.read_text().replace("cnov", "conv", 1))
    assert "lacks weights.c: export it again" in refused("verify", str(out))
