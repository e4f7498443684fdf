"""Reading `run.json`: one sentence for each way in which it can be wrong, "not known" for what is absent."""

import json

import pytest

from edgewright.errors import ConfigError, DataError
from edgewright.report import source, write_report


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no run\.json: give the folder of a run that `fit` has finished"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", '{"format": ', "[" * 100_000, "\x00"])
def test_damaged_json_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json is not valid JSON .*: rerun `fit` with --resume"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "run.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match="not valid JSON"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("content", "found"), [({"format": "other/9"}, "'other/9'"), ({}, "None"), ([], "'list'"), (3, "'int'")]
)
def test_another_format_is_refused_by_name(save, content, found):
    with pytest.raises(DataError, match=rf"has the format {found}, this version reads 'edgewright\.run/1'"):
        write_report(save(content))


def test_a_run_without_a_verdict_is_refused(save, example):
    run = example["digits"]()
    del run["verdict"]
    with pytest.raises(DataError, match=r"is damaged: 'verdict' is missing"):
        write_report(save(run))


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("stages", "many", "'stages' must be a list, got str"),
        ("checks", [3], r"'checks\[0\]' must be an object, got int"),
        ("device", [], "'device' must be an object, got list"),
    ],
)
def test_a_part_of_the_wrong_kind_is_named(save, example, name, value, rule):
    with pytest.raises(DataError, match=rf"is damaged: {rule}"):
        write_report(save(example["digits"]() | {name: value}))


def test_looking_up_answers_not_known_for_what_is_absent_or_of_another_kind():
    content = {"a": {"b": 3, "c": "x", "d": True, "e": float("nan"), "f": 10**400, "g": [1, {"h": 1}]}}
    assert source.number(content, "a", "b") == 3
    assert [source.number(content, "a", key) for key in "cdefgz"] == [None] * 6
    assert source.number(content, "a", "b", "c") is None
    assert source.text(content, "a", "g") == ""
    assert source.entries(content, "a", "g") == [{"h": 1}]
    assert source.texts({"notes": "one"}, "notes") == ["one"]
    assert source.mapping(content, "a", "b") == {}


def test_json_of_every_example_survives_reading(save, any_run):
    assert source.read_run_file(save(any_run)) == json.loads(json.dumps(any_run))
