"""`fit` for a microcontroller: the C beside the ONNX file, planned, proven and scored on the board."""

from dataclasses import replace

import pytest

from edgewright.devices import device
from edgewright.export.c.gate import Need
from edgewright.model import capture
from edgewright.pipeline import fit
from edgewright.pipeline.firmware import need_on_device, takes_c
from edgewright.progress import Progress
from edgewright.types import Budget
from edgewright.verify import read_artifact
from edgewright.verify.firmware import routes
from edgewright.verify.firmware.tools import missing_tools, remedy

pytestmark = pytest.mark.slow  # fits, seconds each


def check_of(report, name):
    return next(each for each in report.content["checks"] if each["name"] == name)


def test_firmware_in_the_emulator_scores_what_the_onnx_file_scores(make_job, quick, tmp_path):
    """The promise of `fit` for a microcontroller: digits on an STM32L4R5, every test image in the emulator."""
    if missing_tools():
        pytest.skip(remedy(missing_tools()))
    report = fit(make_job(device_name="stm32l4r5"), out=tmp_path / "run", recipe=quick)
    assert report.passed, report.content["verdict"]["sentence"]
    found = report.content["firmware"]
    scores = {each["name"]: each["score"] for each in found["scores"]}
    emulated, onnx = scores["firmware in the emulator"], scores["ONNX Runtime"]
    assert emulated["num_samples"] == onnx["num_samples"] == report.content["data"]["splits"]["test"]["num"]
    assert abs(emulated["value"] - onnx["value"]) <= 0.2
    assert onnx["value"] == report.content["scores"]["after"]["value"] > 50
    assert check_of(report, "bytes on M4")["value"] == check_of(report, "bytes on this machine")["value"] == 0
    assert check_of(report, "ram_bytes")["how"].startswith("measured")
    assert found["board"]["ram_bytes"] <= found["need"]["ram_bytes"]
    assert 'id="firmware"' in report.page.read_text()


def test_the_folder_holds_the_onnx_file_and_the_c(finished):
    folder = finished.folder / "artifact"
    assert (folder / "model.onnx").is_file() and read_artifact(folder / "c").manifest["runtime"] == "c"
    assert finished.content["artifacts"]["c"]["path"] == "artifact/c/model.c"


def test_the_plan_knows_what_the_firmware_will_need(finished, make_job):
    """RAM and flash of the chosen round are those of the C that came out of it."""
    chosen = finished.content["rounds"][0]["cost"]
    need = finished.content["firmware"]["need"]
    assert (chosen["ram_bytes"], chosen["flash_bytes"]) == (need["ram_bytes"], need["flash_bytes"])


def test_a_float_model_is_planned_as_its_quantized_form(make_job):
    """Sizes follow from shapes, so rough ranges are as good as calibrated ones."""
    job = make_job(device_name="stm32l4r5")
    net = capture(job.model, job.data.preprocess.shape, name="simple_cnn")
    need = need_on_device(job, net)
    assert isinstance(need, Need)
    weights = sum(value.numel() for name, value in net.named_parameters() if name.endswith("weight"))
    assert weights < need.tables < 1.2 * weights
    assert not takes_c(replace(job, device=device("generic-x86")))


def test_without_the_tools_fit_proves_on_the_host_and_says_so(make_job, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(routes, "missing_tools", lambda _: ("qemu-system-arm",))
    monkeypatch.setattr(routes, "missing_wheels", lambda: ("unicorn",))
    job = make_job(Budget(max_drop=100.0), trained=True)
    report = fit(job, out=tmp_path / "run", recipe=replace(quick, keep_macs=1.0))
    assert check_of(report, "bytes on this machine")["passed"]
    assert "apt-get install --no-install-recommends qemu-system-arm" in check_of(report, "emulator")["blame"]
    assert report.content["firmware"]["board"] is None
    assert "Not run in the emulator" in report.page.read_text()


class Notes(Progress):
    """Keeps what it is told."""

    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def test_a_fit_that_only_stripes_make_possible_says_so(make_job, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(routes, "missing_tools", lambda _: ("qemu-system-arm",))
    monkeypatch.setattr(routes, "missing_wheels", lambda: ("unicorn",))
    whole, notes = Notes(), Notes()
    recipe = replace(quick, keep_macs=1.0)
    free = fit(make_job(Budget(max_drop=100.0), trained=True), out=tmp_path / "free", recipe=recipe, progress=whole)
    limit = free.content["firmware"]["need"]["ram_bytes"] - 1
    job = make_job(Budget(max_drop=100.0, ram_bytes=limit), trained=True)
    report = fit(job, out=tmp_path / "run", recipe=recipe, progress=notes)
    need = report.content["firmware"]["need"]
    (told,) = [each for each in notes.texts if each.startswith("Firmware in stripes of rows: ")]
    assert f"RAM {need['ram_bytes']:,} bytes" in told and need["ram_bytes"] <= limit
    assert not any(each.startswith("Firmware ") for each in whole.texts)
