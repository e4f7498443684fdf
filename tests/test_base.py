"""The vocabulary: atomic writes, named generators, frozen values, and what errors say."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import FrozenInstanceError, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright import errors
from edgewright.errors import ConfigError, LookupFailed, MissingExtraError, UserError, first_line, unknown_name
from edgewright.files import (
    content_key,
    folder_atomic,
    read_json,
    read_tagged,
    sha256_file,
    writable_folder,
    write_atomic,
    write_json,
)
from edgewright.progress import SILENT
from edgewright.seeding import derive, numpy_generator, torch_generator
from edgewright.types import Budget, Cost, Device, OpProfile, Overrun, QuantSpec, Score, TensorSpec, plain

BOARD = Device(
    name="board", title="A board", kind="mcu", clock_hz=2e6, ram_bytes=1000, flash_bytes=5000,
    macs_per_cycle={"float32": 0.5, "int8": 2}, bandwidth_bytes_s=1e6, overhead_s=0.0, pj_per_mac={"float32": 1.0},
    pj_per_byte=1.0, round_to=4, runtimes=("c",),
)  # fmt: skip


def entries(folder: Path) -> list[str]:
    """Everything in a folder, hidden files included."""
    return sorted(os.listdir(folder))


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_write_replaces_the_content_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "weights.bin"
    write_atomic(path, b"old")
    write_atomic(path, "new")
    assert path.read_bytes() == b"new"
    assert entries(tmp_path) == ["weights.bin"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644  # others may read it


@pytest.mark.parametrize("step", ["os.fsync", "os.replace", "os.chmod"])
def test_a_write_that_fails_at_any_step_leaves_the_old_content(tmp_path, monkeypatch, step):
    path = tmp_path / "weights.bin"
    write_atomic(path, b"old")

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(step, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new and much longer")
    assert path.read_bytes() == b"old"
    assert entries(tmp_path) == ["weights.bin"]


def test_a_write_that_is_interrupted_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "weights.bin"
    write_atomic(path, b"old")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert entries(tmp_path) == ["weights.bin"]


def test_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    steps = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (steps.append("replace"), rename(*paths)))
    write_atomic(tmp_path / "a", b"content")
    assert steps[:2] == ["fsync", "replace"]


def test_json_round_trips_and_refuses_what_is_not_json(tmp_path):
    path = tmp_path / "run.json"
    value = {"a": [1, 2.5, None, True], "b": {"c": "ü"}}
    write_json(path, value)
    assert read_json(path) == value
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == value


def test_a_file_that_names_its_format_is_read_or_refused_in_one_sentence(tmp_path):
    path, absent = tmp_path / "a.json", ConfigError("nothing there")
    for place in (path, path / "inside", tmp_path):
        with pytest.raises(ConfigError, match="nothing there"):
            read_tagged(place, "x/1", absent=absent, remedy="make it again")
        if place is path:
            path.write_text("{")
    with pytest.raises(errors.DataError, match=r"a\.json is not valid JSON \(.*\): make it again\.$"):
        read_tagged(path, "x/1", absent=absent, remedy="make it again")
    for content, found in (({"format": "x/2"}, "'x/2'"), ({}, "None"), ("x/1", "'str'")):
        write_json(path, content)
        with pytest.raises(errors.DataError, match=rf"the format {found}, this version reads 'x/1': make it again\.$"):
            read_tagged(path, "x/1", absent=absent, remedy="make it again")
    write_json(path, {"format": "x/1", "value": 3})
    assert read_tagged(path, "x/1", absent=absent, remedy="make it again")["value"] == 3


def test_a_folder_appears_whole(tmp_path):
    path = tmp_path / "stage"
    with folder_atomic(path) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "a").write_text("1")
        assert not path.exists()
    assert entries(tmp_path) == ["stage"]
    assert (path / "inner" / "a").read_text() == "1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_folder_replaces_the_one_before_it_altogether(tmp_path):
    path = tmp_path / "stage"
    for name in ("first", "second"):
        with folder_atomic(path) as temporary:
            (temporary / name).write_text(name)
    assert entries(path) == ["second"]
    assert entries(tmp_path) == ["stage"]


def test_a_folder_whose_block_fails_leaves_the_one_before_it(tmp_path):
    path = tmp_path / "stage"
    with folder_atomic(path) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError, match="half way"), folder_atomic(path) as temporary:
        (temporary / "a").write_text("new")
        raise RuntimeError("half way")
    assert (path / "a").read_text() == "old"
    assert entries(tmp_path) == ["stage"]


def test_a_folder_that_cannot_take_its_place_leaves_the_one_before_it(tmp_path, monkeypatch):
    path = tmp_path / "stage"
    with folder_atomic(path) as temporary:
        (temporary / "a").write_text("old")
    rename = os.replace

    def fail_to_place(source, target):
        if Path(target) == path and (Path(source) / "new").exists():
            raise OSError("disk full")
        rename(source, target)

    monkeypatch.setattr(os, "replace", fail_to_place)
    with pytest.raises(OSError, match="disk full"), folder_atomic(path) as temporary:
        (temporary / "new").write_text("new")
    assert (path / "a").read_text() == "old"
    assert entries(tmp_path) == ["stage"]


def test_no_folder_is_deleted_under_its_own_name(tmp_path, monkeypatch):
    path, deleted, remove = tmp_path / "stage", [], shutil.rmtree

    def note(folder, **options):
        deleted.append(folder)
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", note)
    for text in ("old", "new"):
        with folder_atomic(path) as temporary:
            (temporary / text).write_text(text)
    assert len(deleted) == 1
    assert path not in deleted  # a kill while files go one by one must not leave half a folder there


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match=r"Cannot write to the output folder .*: choose another with --out"):
        writable_folder(file / "out")
    made = writable_folder(tmp_path / "a" / "b")
    assert made.is_dir()
    assert entries(made) == []


def test_the_hash_of_a_file_is_that_of_its_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_equal_content_has_an_equal_key_whatever_the_order():
    assert content_key({"a": 1, "b": [2, 3]}) == content_key({"b": [2, 3], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})
    assert content_key("a", "b") != content_key("ab")
    assert content_key({"a": 1}) == "b713f6d2a989e907"  # sha256 of [{"a":1}], for ever


# --- seeding ----------------------------------------------------------------------------------------------------------


def test_a_seed_belongs_to_its_purpose_and_never_changes():
    assert derive(0, "train.shuffle", 3) == derive(0, "train.shuffle", 3)
    names = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1)]
    assert len({derive(*name) for name in names}) == len(names)
    assert derive(0, "capture") == 1341179084343753216  # half of the first 8 bytes of sha256 of 0/capture, for ever


@given(st.integers(-(2**70), 2**70), st.text(max_size=10))
def test_every_seed_fits_the_generators(seed, purpose):
    value = derive(seed, purpose)
    assert 0 <= value < 2**63


def test_generators_repeat_and_do_not_touch_the_global_ones():
    import torch

    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    draws = [
        (numpy_generator(7, "x").random(4).tolist(), torch.rand(4, generator=torch_generator(7, "x")).tolist())
        for _ in range(2)
    ]
    assert draws[0] == draws[1]
    assert numpy_generator(7, "y").random(4).tolist() != draws[0][0]
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


# --- types ------------------------------------------------------------------------------------------------------------


def test_overruns_name_each_broken_limit_and_by_how_much():
    budget = Budget(latency_s=0.01, ram_bytes=1000, flash_bytes=100, energy_j=1.0)
    cost = Cost(latency_s=0.02, ram_bytes=1000, flash_bytes=150, energy_j=None)
    broken = budget.overruns(cost)
    assert broken == (
        Overrun(limit_name="latency_s", value=0.02, limit=0.01),
        Overrun(limit_name="flash_bytes", value=150, limit=100),
    )
    assert [each.factor for each in broken] == [2.0, 1.5]


def test_without_limits_nothing_is_overrun_and_equal_is_within():
    assert Budget().overruns(Cost(latency_s=1e9, ram_bytes=10**12)) == ()
    assert Budget(ram_bytes=5).overruns(Cost(ram_bytes=5)) == ()


def test_a_budget_within_a_device_takes_the_tighter_limit():
    assert Budget().within(BOARD) == Budget(ram_bytes=1000, flash_bytes=5000)
    assert Budget(ram_bytes=400, flash_bytes=9000).within(BOARD) == Budget(ram_bytes=400, flash_bytes=5000)
    endless = replace(BOARD, flash_bytes=None)
    assert Budget().within(endless).flash_bytes is None
    assert Budget(flash_bytes=7).within(endless).flash_bytes == 7


def test_the_lowest_score_is_the_stricter_of_drop_and_floor():
    assert Budget(max_drop=1.0).lowest_score(90.0) == 89.0
    assert Budget(max_drop=1.0, min_score=89.5).lowest_score(90.0) == 89.5
    assert Budget(max_drop=None, min_score=50.0).lowest_score(90.0) == 50.0
    assert Budget(max_drop=None).lowest_score(90.0) == 0.0


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"max_drop": -1}, r"Budget\.max_drop is in points from 0 to 100, got -1"),
        ({"max_drop": 101}, r"Budget\.max_drop is in points from 0 to 100, got 101"),
        ({"min_score": 100.5}, r"Budget\.min_score is in points from 0 to 100, got 100\.5"),
        ({"ram_bytes": 0}, r"Budget\.ram_bytes must be greater than 0, got 0: leave it out for no limit"),
        ({"latency_s": -0.1}, r"Budget\.latency_s must be greater than 0, got -0\.1"),
        ({"energy_j": float("inf")}, r"Budget\.energy_j must be greater than 0, got inf"),
        ({"flash_bytes": float("nan")}, r"Budget\.flash_bytes must be greater than 0, got nan"),
    ],
)
def test_impossible_limits_are_refused_in_one_sentence(limits, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Budget(**limits)


@pytest.mark.parametrize(
    ("bits", "signed", "symmetric", "low", "high"),
    [
        (8, True, False, -128, 127),
        (8, False, False, 0, 255),
        (8, True, True, -127, 127),
        (4, True, False, -8, 7),
        (4, True, True, -7, 7),
        (4, False, False, 0, 15),
    ],
)
def test_codes_of_a_quantizer(bits, signed, symmetric, low, high):
    spec = QuantSpec(scale=(1.0,), zero_point=(0,), bits=bits, signed=signed, symmetric=symmetric)
    assert (spec.low, spec.high) == (low, high)


def test_a_device_without_kernels_for_a_type_runs_it_as_float32():
    assert BOARD.macs_per_second("int8") == 4e6
    assert BOARD.macs_per_second("float16") == BOARD.macs_per_second("float32") == 1e6


def test_a_measured_cost_says_which_figures_were_measured():
    cost = Cost(macs=5, latency_s=2.0, how={"macs": "estimated", "latency_s": "estimated"}).measured(latency_s=1.0)
    assert (cost.macs, cost.latency_s) == (5, 1.0)
    assert dict(cost.how) == {"macs": "estimated", "latency_s": "measured"}


def test_the_standard_error_of_a_score_is_binomial():
    assert Score(metric="top-1", value=90.0, num_samples=100, split="test").std_error == pytest.approx(3.0)
    assert Score(metric="top-1", value=100.0, num_samples=100, split="test").std_error == 0.0


def test_intensity_is_macs_per_byte_and_unknown_where_nothing_moves():
    row = OpProfile(name="a", layer="", op="Conv2d", shape_out=(1,), macs=60, elementwise=0, params=0, weight_bytes=10,
                    activation_bytes=20)  # fmt: skip
    assert row.intensity == 2.0
    assert replace(row, weight_bytes=0, activation_bytes=0).intensity is None


def test_plain_makes_json_of_every_value():
    @dataclass(frozen=True)
    class Holder:
        where: Path
        what: tuple
        table: dict

    value = Holder(where=Path("a/b"), what=(1, float("nan"), Budget()), table={1: {"x"}})
    made = plain(value)
    assert made["where"] == "a/b"
    assert made["what"][:2] == [1, None]
    assert made["what"][2]["max_drop"] == 1.0
    assert made["table"] == {"1": ["x"]}
    assert json.loads(json.dumps(made)) == made
    assert plain(BOARD)["macs_per_cycle"] == {"float32": 0.5, "int8": 2}


def test_values_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Budget().max_drop = 2.0
    assert TensorSpec(name="x", shape=(2, 3, 4), dtype="int8").num_elements == 24


# --- errors and progress ----------------------------------------------------------------------------------------------


def test_an_unknown_name_offers_near_ones_and_the_command_that_lists_all():
    error = unknown_name("device", "stm32f747", ["stm32f746", "stm32l4r5", "rp2040"], command="edgewright devices")
    assert isinstance(error, LookupFailed)
    assert (
        str(error)
        == "Unknown device 'stm32f747': did you mean stm32f746 or stm32l4r5? `edgewright devices` lists all 3."
    )


def test_an_unknown_name_without_near_ones_offers_only_the_command():
    error = unknown_name("model", "xyz", ["resnet8"], command="edgewright models")
    assert str(error) == "Unknown model 'xyz': `edgewright models` lists all 1."


def test_exit_codes_follow_the_tree():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    codes = {kind.__name__: kind.exit_code for kind in kinds}
    assert {name for name, code in codes.items() if code == 1} == {"BudgetError"}
    assert {name for name, code in codes.items() if code == 3} == {"EdgewrightError", "ExportError"}
    assert all(issubclass(kind, UserError) for kind in kinds if codes[kind.__name__] == 2)


def test_a_missing_extra_says_what_to_install():
    assert (
        str(MissingExtraError("openvino", "openvino"))
        == "openvino is not installed: pip install 'edgewright[openvino]'."
    )


def test_silence_says_nothing(capsys):
    with SILENT.task("work", 3) as task:
        task.advance(detail="loss 0.1")
    SILENT.note("done")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "options", "text"),
    [
        (RuntimeError("\nno such file \nat line 3"), {}, "no such file"),
        (RuntimeError("no such file"), {"typed": True}, "RuntimeError: no such file"),
        (RuntimeError("x" * 300), {}, "x" * 200),
        (RuntimeError("x" * 300), {"most": 20, "typed": True}, "RuntimeError: xxxxxx"),
        (RuntimeError(), {}, "RuntimeError"),
        (AssertionError(" \n"), {"typed": True}, "AssertionError"),
    ],
)
def test_an_error_of_others_is_quoted_in_one_short_line(error, options, text):
    assert first_line(error, **options) == text
