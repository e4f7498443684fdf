"""`models`, `devices`, `datasets`, `doctor`, `calc`: what they list, as text and as JSON."""

import json

import pytest
from typer.testing import CliRunner

from edgewright import zoo
from edgewright.cli import app, doctor
from edgewright.devices import device, device_names
from edgewright.verify.firmware import tools


def run(*words):
    return CliRunner().invoke(app, list(words))


def test_models_lists_the_zoo_with_its_counts():
    done = run("models")
    assert done.exit_code == 0
    line = next(line for line in done.stdout.splitlines() if line.startswith("simple_cnn "))
    assert "52,138" in line
    assert "333,056" in line
    assert len(done.stdout.splitlines()) == 1 + len(zoo.names())


def test_models_takes_a_pattern_and_speaks_json():
    found = json.loads(run("models", "mobilenet", "--json", "-").stdout)
    assert [each["name"] for each in found] == ["mobilenet_v1", "mobilenet_v2"]


def test_models_of_a_library_carry_its_prefix():
    found = run("models", "resnet18", "--library", "torchvision").stdout.splitlines()
    assert found == ["torchvision:resnet18"]


def test_an_unknown_library_is_refused():
    done = run("models", "--library", "keras")
    assert (done.exit_code, done.stderr) == (2, "--library is zoo, timm or torchvision, got 'keras'.\n")


def test_devices_lists_every_device():
    lines = run("devices").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(device_names())


def test_one_device_shows_every_number_with_its_source():
    done = run("devices", "stm32f746")
    board = device("stm32f746")
    assert done.stdout.startswith(board.title)
    assert all(source[:40] in done.stdout for source in board.sources.values())


def test_an_unknown_device_offers_near_matches():
    done = run("devices", "stm32f747")
    assert done.exit_code == 2
    assert "did you mean stm32f746" in done.stderr


def test_datasets_lists_digits_first_and_says_where_from():
    lines = run("datasets").stdout.splitlines()
    assert lines[1].startswith("digits ")
    assert "no network" in lines[1]


def test_json_goes_to_a_file_and_an_unwritable_one_is_refused(tmp_path):
    done = run("devices", "rp2040", "--json", str(tmp_path / "board.json"))
    assert json.loads((tmp_path / "board.json").read_text())["ram_bytes"] == 264 * 1024
    assert "RP2040" in done.stdout
    refused = run("devices", "rp2040", "--json", str(tmp_path / "none" / "board.json"))
    assert refused.exit_code == 2
    assert "choose another file with --json" in refused.stderr


def test_the_doctor_says_that_fit_can_run_here():
    done = run("doctor")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "fit can run here."


def test_the_doctor_names_what_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package-anywhere",))
    done = run("doctor")
    assert done.exit_code == 1
    assert "MISSING" in done.stdout
    assert "pip install no-such-package-anywhere" in done.stdout


@pytest.mark.parametrize(
    ("count", "found", "remedy"),
    [
        (0, "none (not needed)", ""),
        (1, "card 0", "--accelerator cuda learns there"),
        (2, "card 0, card 1", "--accelerator cuda learns there, cuda:1 on the next of 2"),
    ],
)
def test_the_doctor_names_the_option_that_learns_on_each_accelerator(monkeypatch, count, found, remedy):
    monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda number: f"card {number}")
    (line,) = [each for each in json.loads(run("doctor", "--json", "-").stdout) if each["what"] == "accelerator"]
    assert (line["found"], line["remedy"], line["good"]) == (found, remedy, count > 0)


def test_calc_conv_works_the_answer_step_by_step():
    """64 -> 128 channels, 3x3, 112x112: 924,844,032 MACs, 73,728 weights."""
    done = run("calc", "conv", "--size", "112", "--in-channels", "64", "--out-channels", "128", "--padding", "same")
    assert "= 924,844,032" in done.stdout
    assert "= 73,728" in done.stdout


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["quantize", "--low", "-1", "--high", "3", "--no-signed"], "zero_point", 64),
        (["receptive-field", "--layers", "3,1/3,1/3,1"], "receptive_field", 7),
        (["output-size", "--size", "224", "--kernel", "7", "--stride", "2", "--padding", "3"], "size", 112),
        (["stripes", "--macs", "1,2,1.5", "--bits", "9,8,5"], "speed_up", pytest.approx(2.21538, abs=1e-5)),
        (["sparse-pattern", "--positions", "1,3"], "code", 13),
    ],
)
def test_calc_reads_every_kind_of_parameter(words, key, value):
    done = run("calc", *words, "--json", "-")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["result"][key] == value


WRONG = {
    "text for a size": (
        ["conv", "--size", "a", "--in-channels", "1", "--out-channels", "1"],
        "--size takes whole numbers separated by commas, got 'a'.",
    ),
    "text in a list": (
        ["stripes", "--macs", "1,x", "--bits", "8,8"],
        "--macs takes numbers separated by commas, got '1,x'.",
    ),
    "zero": (
        ["linear", "--in-features", "0", "--out-features", "1"],
        "in_features is a whole number of at least 1, got 0.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_calc_refuses_wrong_numbers_in_one_sentence(case):
    words, message = WRONG[case]
    done = run("calc", *words)
    assert (done.exit_code, done.stderr) == (2, message + "\n")


def test_the_doctor_gives_the_command_that_installs_each_missing_tool(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    remedies = {each["what"]: each["remedy"] for each in json.loads(run("doctor", "--json", "-").stdout)}
    for name, package in {**tools.TOOLS, "cc": "gcc libc6-dev", "cmake": "cmake"}.items():
        assert remedies[name].startswith(f"apt-get install --no-install-recommends {package} (for ")
