"""The machine at hand: what the system states is read, and what it does not state as a number is unknown."""

import os
import platform

import numpy
import pytest

from edgewright import __version__
from edgewright.devices import machine


def test_the_clock_is_the_highest_that_the_system_states(tmp_path):
    info, highest = tmp_path / "cpuinfo", tmp_path / "max"
    info.write_text("cpu MHz\t\t: 2596.5\n")
    assert machine.clock_hz(info, highest=highest) == pytest.approx(2.5965e9)
    highest.write_text("3700000\n")
    assert machine.clock_hz(info, highest=highest) == pytest.approx(3.7e9)
    assert machine.present_clock_hz(info) == pytest.approx(2.5965e9)
    assert machine.clock_hz(tmp_path / "none", highest=tmp_path / "none") is None


@pytest.mark.parametrize("text", ["cpu MHz\t\t: unknown\n", "cpu MHz\t\t:\n", "model name\t: Chip 9\n", ""])
def test_a_clock_that_is_no_number_is_unknown(text, tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text(text)
    assert machine.present_clock_hz(info) is None and machine.clock_hz(info, highest=tmp_path / "none") is None


def test_memory_is_the_pages_times_their_size(monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__)
    assert machine.ram_bytes() == 4_096_000


def test_memory_that_the_system_does_not_count_is_unknown(monkeypatch):
    def refuse(name):
        raise ValueError(f"unrecognized configuration name {name}")

    monkeypatch.setattr(os, "sysconf", refuse)
    assert machine.ram_bytes() is None


@pytest.mark.parametrize(
    ("release", "name"),
    [("6.18.44-vendor-v669", "Linux 6.18"), ("24.1.0", "Linux 24.1"), ("10", "Linux 10"), ("unknown", "Linux")],
)
def test_the_system_is_named_with_the_number_of_its_release_alone(release, name, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "release", lambda: release)
    assert machine.system_name() == name


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert machine.usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert machine.usable_cores() == 7


def test_versions_are_those_of_the_packages_that_are_there():
    found = machine.package_versions(["numpy", "no-such-package-at-all"])
    assert found == {"edgewright": __version__, "python": platform.python_version(), "numpy": numpy.__version__}
    assert machine.package_version("no-such-package-at-all") is None
