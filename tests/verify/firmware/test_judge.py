"""The judge of firmware: zero differing bytes passes, anything else is blamed on an operation, a limit or a tool."""

import dataclasses
import json

import numpy as np
import pytest
from torch import nn

from edgewright.devices import device
from edgewright.errors import ConfigError, DataError
from edgewright.export.c.artifact import Writing, export_program
from edgewright.export.c.gate import START_FLASH_BYTES, START_RAM_BYTES
from edgewright.files import read_json, sha256_file, write_json
from edgewright.program.lowering import lower
from edgewright.types import Budget, Score
from edgewright.verify.firmware import routes
from edgewright.verify.firmware.build import build
from edgewright.verify.firmware.checks import EMULATOR, HOST, Scored, scores
from edgewright.verify.firmware.judge import Trial, verify_firmware
from edgewright.verify.firmware.layout import read_layout
from edgewright.verify.firmware.subject import target_of
from edgewright.verify.firmware.tools import sources_of
from edgewright.zoo.resnet8 import resnet8
from lowered_nets import images, simulation

LAYERS = [nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3, groups=6), nn.Flatten()]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An artifact for an stm32l4r5, with three images."""
    x = images(3, 2, 8, 8)
    program = lower(simulation(nn.Sequential(*LAYERS, nn.Linear(24, 5)), x), name="small")
    folder = tmp_path_factory.mktemp("judge") / "c"
    return export_program(program, folder, images_BCHW=x.numpy(), writing=Writing(device=device("stm32l4r5")))


@pytest.fixture
def copied(made, tmp_path):
    """A copy that may be spoilt."""
    import shutil

    shutil.copytree(made.folder, tmp_path / "c")
    return tmp_path / "c"


def sealed(folder):
    """Hashes of the manifest made anew, as if the files had been exported like this."""
    manifest = read_json(folder / "manifest.json")
    for each in manifest["files"]:
        path = folder / each["path"]
        each.update(bytes=path.stat().st_size, sha256=sha256_file(path))
    write_json(folder / "manifest.json", manifest)


def named(found, name):
    return next(check for check in found.checks if check.name == name)


def test_firmware_of_its_own_program_passes_on_host_and_board(tools, made):
    found = verify_firmware(made)
    assert found.passed and not found.missing and found.board is not None
    assert found.host.differing == found.board.parity.differing == 0
    assert found.host.total == found.board.parity.total > 0
    assert [row["tensor"] for row in found.layers] == [each.tensor for each in found.host.operations]
    assert all(row["instructions"] > 0 for row in found.layers)
    assert found.latency_s == found.board.cycles.most / 120e6
    assert named(found, "latency_s").how.startswith(f"{found.board.cycles.label}: {found.board.cycles.least:,} to ")


def test_what_is_measured_stays_within_what_was_predicted(tools, made):
    found, need = verify_firmware(made), made.manifest["need"]
    assert found.board.sizes.static_ram_bytes + need["stack"] == need["ram_bytes"]
    assert found.board.sizes.harness_ram_bytes == START_RAM_BYTES
    assert found.board.sizes.harness_flash_bytes <= START_FLASH_BYTES
    assert named(found, "ram_bytes").value == found.board.ram_bytes <= need["ram_bytes"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kernels"), [("stm32l4r5", "dsp"), ("alif-ensemble-e3", "helium")])
def test_the_code_of_a_network_is_predicted_within_a_third(tools, tmp_path, name, kernels):
    net = resnet8(num_classes=10, in_channels=3)
    program = lower(simulation(net, images(2, 3, 32, 32)), name="net")
    made = export_program(program, tmp_path / "c", writing=Writing(device=device(name)))
    need, interface = made.manifest["need"], read_layout(made.folder).interface
    sizes = build(made.folder, tmp_path / "b", target=target_of(device(name)), interface=interface).sizes
    code = sizes.flash_bytes - sizes.harness_flash_bytes - need["tables"]
    assert 0.9 * code < need["code"] < 1.34 * code
    assert made.manifest["kernels"] == kernels


def test_a_wrong_weight_is_blamed_on_its_operation(copied):
    text = (copied / "weights.c").read_text()
    at = text.index("{", text.index("_weight[")) + 2
    end = text.index(",", at)
    (copied / "weights.c").write_text(text[:at] + ("1" if text[at:end].strip() != "1" else "2") + text[end:])
    sealed(copied)
    found = verify_firmware(copied, device=device("rp2040"))
    check = named(found, "bytes on this machine")
    assert not found.passed and check.value > 0
    assert "the first operation that differs is conv" in check.blame


def test_edited_and_missing_files_are_refused(copied):
    path = copied / "program.json"
    path.write_text(path.read_text().replace('"small"', '"large"', 1))
    with pytest.raises(DataError, match=r"program\.json is not the file that was exported"):
        verify_firmware(copied)
    (copied / "program.safetensors").unlink()
    with pytest.raises(DataError, match=r"program\.(json|safetensors)"):
        verify_firmware(copied)


def test_the_users_own_files_beside_the_firmware_are_not_built(copied):
    """A build folder of CMake holds a C file with a main of its own."""
    listed = sources_of(copied)
    (copied / "build").mkdir()
    for name in ("app.c", "build/CMakeCCompilerId.c"):
        (copied / name).write_text("int main(void) { return 0; }\n")
    assert sources_of(copied) == listed == [copied / "model.c", copied / "weights.c"]


def test_a_folder_with_another_model_or_without_images_is_refused(copied):
    manifest = read_json(copied / "manifest.json")
    write_json(copied / "manifest.json", {**manifest, "runtime": "onnxruntime"})
    with pytest.raises(DataError, match="and no C: write some with --format c"):
        verify_firmware(copied)
    files = [each for each in manifest["files"] if each["path"] != "expected.npz"]
    write_json(copied / "manifest.json", {**manifest, "files": files})
    (copied / "expected.npz").unlink()
    with pytest.raises(DataError, match="came with no images: give some with --data"):
        verify_firmware(copied)


def test_a_manifest_may_not_speak_of_files_elsewhere(copied):
    manifest = read_json(copied / "manifest.json")
    for path in ("../a", "/etc/hosts", "kernels//conv.h", ""):
        manifest["files"][0]["path"] = path
        (copied / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(DataError, match="is incomplete"):
            verify_firmware(copied)


@pytest.mark.parametrize("name", ["rp2040", "esp32-s3"])
def test_devices_without_an_exact_emulator_get_the_proof_on_the_host(made, name):
    found = verify_firmware(made, device=device(name))
    assert found.passed and found.board is None and found.host.differing == 0
    assert "only the proof on the host is possible" in named(found, "emulator").blame
    assert not verify_firmware(made, device=device(name), trial=Trial(must_run=True)).passed


def test_without_the_tools_the_host_still_proves_and_the_remedy_is_told(made, monkeypatch):
    monkeypatch.setattr(routes, "missing_tools", lambda _: ("qemu-system-arm",))
    monkeypatch.setattr(routes, "missing_wheels", lambda: ("unicorn",))
    found = verify_firmware(made)
    assert found.passed and found.host.differing == 0
    told = named(found, "emulator").blame
    assert "apt-get install --no-install-recommends qemu-system-arm; or unicorn not installed: pip install" in told
    assert named(found, "ram_bytes").how.startswith("predicted: arena ")


def test_a_device_that_is_too_small_fails_by_the_linker(tools, made):
    small = dataclasses.replace(device("stm32l4r5"), ram_bytes=1024 + 64)
    found = verify_firmware(made, device=small)
    assert not found.passed and found.board is None
    assert "bytes more RAM than the 1,088 bytes" in found.missing
    assert "times the limit: use a smaller input" in named(found, "ram_bytes").blame


def test_a_limit_between_two_units_of_the_fence_is_kept_by_the_linker_to_the_byte(tools, made):
    found = verify_firmware(made, device=dataclasses.replace(device("stm32l4r5"), ram_bytes=65_537))
    assert found.passed and found.board is not None, found.missing
    assert "; fence at 65,568 bytes, the linker holds the limit to the byte" in named(found, "ram_bytes").how
    assert "fence" not in named(verify_firmware(made), "ram_bytes").how
    small = verify_firmware(made, device=dataclasses.replace(device("stm32l4r5"), ram_bytes=1024 + 65))
    assert small.board is None and "bytes more RAM than the 1,089 bytes" in small.missing


def test_memory_that_no_board_has_is_refused(made):
    with pytest.raises(ConfigError, match="more than the board mps2-an386 can fence"):
        verify_firmware(made, device=dataclasses.replace(device("stm32l4r5"), ram_bytes=4 << 20))


def scored(name, value):
    return Scored(name=name, score=Score(metric="top-1", value=value, num_samples=500, split="test"))


@pytest.mark.parametrize(("emulated", "passes"), [(92.8, True), (92.79, False), (93.2, True), (93.21, False)])
def test_the_score_may_be_two_tenths_of_a_point_apart(emulated, passes):
    found = [scored(EMULATOR, emulated), scored(HOST, emulated), scored("ONNX Runtime", 93.0)]
    decided = {each.name: np.zeros(500, dtype=int) for each in found}
    made = {check.name: check for check in scores(found, decided, None, Budget(max_drop=1.0))}
    assert made["score against ONNX Runtime"].passed is passes
    assert made["agreement with ONNX Runtime"].value == 100
    assert made["score"].how.endswith("in the emulator; judged against ONNX Runtime")


@pytest.mark.parametrize(
    ("emulated", "num_samples", "passes"), [(92.8, 500, True), (92.7, 500, False), (92.7, 499, None)]
)
def test_the_score_that_the_manifest_knows_is_reached_where_nothing_else_ran(emulated, num_samples, passes):
    known = Score(metric="top-1", value=93.0, num_samples=num_samples, split="test")
    decided = {EMULATOR: np.zeros(500, dtype=int)}
    made = {check.name: check for check in scores([scored(EMULATOR, emulated)], decided, None, None, known=known)}
    judged = made.get("score against the model that was exported")
    assert (judged and judged.passed) is passes
    told = "judged against the model that was exported" if judged else "not judged: no score to compare with is known"
    assert made["score"].how.endswith(told)
