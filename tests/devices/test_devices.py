"""Devices: every file is complete, sourced and plausible; bad files are refused in one sentence."""

import tomllib

import pytest

from edgewright.devices import DATA, device, device_names
from edgewright.devices.parse import numbers
from edgewright.errors import ConfigError, LookupFailed
from edgewright.types import Device

NAMES = device_names()
GOOD = (DATA / "stm32f746.toml").read_text()


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_the_tiers_of_the_field_are_there():
    assert len(NAMES) >= 10
    assert {"cloud-gpu", "phone-cpu", "raspberry-pi-4", "generic-x86", "rp2040", "stm32l4r5", "stm32f746"} <= set(NAMES)
    assert {"stm32u575", "alif-ensemble-e3", "esp32-s3"} <= set(NAMES)
    assert {device(name).kind for name in NAMES} == {"mcu", "cpu", "gpu"}


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source(name):
    content = tomllib.loads((DATA / f"{name}.toml").read_text())
    assert content["name"] == name
    assert set(content["sources"]) == set(numbers(content))
    assert all(len(source) > 20 for source in content["sources"].values())


@pytest.mark.parametrize("name", NAMES)
def test_every_device_has_a_positive_ridge_and_int8_is_no_slower_than_float32(name):
    found = device(name)
    for dtype in ("float32", "int8"):
        assert found.macs_per_second(dtype) / found.bandwidth_bytes_s > 0
    assert found.macs_per_second("int8") >= found.macs_per_second("float32")
    assert found.pj_per_mac["int8"] <= found.pj_per_mac["float32"]


@pytest.mark.parametrize("name", NAMES)
def test_microcontrollers_have_flash_and_less_than_16_megabytes_of_ram(name):
    found = device(name)
    if found.kind == "mcu":
        assert found.flash_bytes is not None
        assert found.ram_bytes < 16 * 2**20
    else:
        assert found.flash_bytes is None


def test_the_stm32f746_has_320_kilobytes_of_sram_and_one_megabyte_of_flash():
    board = device("stm32f746")
    assert (board.ram_bytes, board.flash_bytes, board.clock_hz) == (327_680, 1_048_576, 216e6)


def test_the_a100_has_the_published_ridges():
    """19.5 TFLOP/s and 312 TFLOP/s over 1.555 TB/s: 12.54 and 200.6 FLOP per byte, 2 FLOPs per MAC."""
    gpu = device("cloud-gpu")
    assert 2 * gpu.macs_per_second("float32") / gpu.bandwidth_bytes_s == pytest.approx(12.54, abs=0.01)
    assert 2 * gpu.macs_per_second("float16") / gpu.bandwidth_bytes_s == pytest.approx(200.6, abs=0.1)


def test_the_default_energy_is_the_45_nanometre_table():
    cpu = device("generic-x86")
    assert cpu.pj_per_mac == {"float32": 4.6, "int8": 0.3}
    assert cpu.pj_per_byte == 160.0


def test_a_dtype_without_kernels_runs_at_the_float32_rate():
    board = device("stm32l4r5")
    assert board.macs_per_second("float16") == board.macs_per_second("float32")


def test_resnet8_on_the_l4r5_takes_the_published_number_of_cycles():
    """46.7 M cycles for 12.50 M MACs (MLPerf Tiny board, CMSIS-NN)."""
    board = device("stm32l4r5")
    cycles = 12.50e6 / board.macs_per_cycle["int8"]
    assert cycles == pytest.approx(46.7e6, rel=0.01)


def test_a_device_file_of_ones_own_is_accepted_as_text_and_as_path(tmp_path):
    path = written(tmp_path, GOOD.replace('name = "stm32f746"', 'name = "mine"'))
    assert device(path).name == "mine"
    assert device(str(path)) == device(path)
    assert isinstance(device(path), Device)


def test_an_unknown_name_offers_near_matches():
    with pytest.raises(
        LookupFailed, match=r"Unknown device 'stm32f476': did you mean stm32f746 or .*edgewright devices"
    ):
        device("stm32f476")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"device file .*none\.toml does not exist"):
        device(tmp_path / "none.toml")


def test_only_the_generic_device_is_the_machine_at_hand():
    assert {name: device(name).host for name in NAMES if device(name).host} == {"generic-x86": "x86_64"}


BAD = {
    "not toml": (GOOD + "\n= 3", "is not a TOML file"),
    "missing field": (GOOD.replace("ram_bytes = 327_680\n", "", 1), "lacks ram_bytes: a device has"),
    "unknown field": ("colour = 3\n" + GOOD, "has unknown fields colour"),
    "negative": (
        GOOD.replace("ram_bytes = 327_680", "ram_bytes = -1"),
        "ram_bytes is a whole number greater than 0",
    ),
    "zero": (GOOD.replace("clock_hz = 2.16e8", "clock_hz = 0"), "clock_hz is a number greater than 0, got 0"),
    "infinite": (GOOD.replace("clock_hz = 2.16e8", "clock_hz = inf"), "clock_hz is a number greater than 0, got inf"),
    "fraction": (GOOD.replace("ram_bytes = 327_680", "ram_bytes = 1.5"), "ram_bytes is a whole number"),
    "text": (GOOD.replace("clock_hz = 2.16e8", 'clock_hz = "fast"'), "clock_hz is a number greater than 0, got 'fast'"),
    "boolean": (GOOD.replace("ram_bytes = 327_680", "ram_bytes = true"), "ram_bytes is a whole number"),
    "kind": (GOOD.replace('kind = "mcu"', 'kind = "toaster"'), "kind is one of mcu, cpu, gpu, got 'toaster'"),
    "title": (GOOD.replace('title = "STM', 'title = 3 #"STM'), "title is a text, got 3"),
    "host": (GOOD.replace('kind = "mcu"', 'kind = "mcu"\nhost = 3'), "host is a text, got 3"),
    "dtype": (
        GOOD.replace("int8 = 0.431", "int7 = 0.431"),
        "knows float32, float16, int8, int4, got int7",
    ),
    "no float32": (GOOD.replace("float32 = 0.333\n", ""), "macs_per_cycle is a table with at least float32"),
    "runtimes": (GOOD.replace('runtimes = ["c"]', 'runtimes = "c"'), "runtimes is a list of texts"),
    "no source": (GOOD.replace("[sources]\nclock_hz", "[sources]\nclock"), "clock_hz has no source: say in"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_device_file_is_refused_in_one_sentence(case, tmp_path):
    text, message = BAD[case]
    assert text != GOOD
    with pytest.raises(ConfigError, match=message):
        device(written(tmp_path, text))
