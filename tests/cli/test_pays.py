"""`edgewright pays`: what it prints, what its JSON holds, and how it refuses."""

import json

import pytest
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.cli.pays import ALL, parse_shares, read_devices
from edgewright.devices import device_names
from edgewright.errors import ConfigError

QUICK = ("--layers", "1", "--turns", "1", "--sparsity", "0.5")


def run(*words):
    return CliRunner().invoke(app, ["pays", *map(str, words)])


def refused(*words):
    done = run(*words)
    assert done.exit_code == 2 and done.stdout == "", (done.exit_code, done.stdout, done.stderr, done.exception)
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


@pytest.mark.slow
def test_every_question_has_its_table_and_every_number_is_in_the_json(tmp_path):
    target = tmp_path / "pays.json"
    done = run("simple_cnn", "--input", "1,1,12,12", *QUICK, "--device", "stm32f746,cloud-gpu", "--json", target)
    assert done.exit_code == 0, (done.stderr, done.exception)
    for title in (
        "CSR is faster",
        "The whole model in onnxruntime",
        "Zeros besides time",
        "pattern + hardware + kernel",
    ):
        assert title in done.stdout
    for way in ("masked", "scipy CSR", "torch CSR", "ONNX Runtime CSR", "cut", "bytes in CSR"):
        assert f"\n{way} " in done.stdout
    said = " ".join(done.stdout.split())
    assert "the generated C multiplies with every zero" in said and "Measured on this machine alone" in said
    found = json.loads(target.read_text())
    assert [row["way"] for row in found["models"]] == ["dense", "masked", "cut"]
    assert {row["pattern"] for row in found["devices"]} == {"unstructured", "2:4", "channels"}
    assert found["command"].startswith("edgewright") and found["conditions"]["processor"]
    (layer,) = found["layers"]
    assert {form["way"] for form in layer["times"]["forms"]} >= {"dense", "masked", "torch CSR", "cut"}
    assert found["benefits"][0]["num_bytes"]["csr"] > 0 and len(found["verdict"]) == 3


def test_shares_are_read_in_rising_order_and_each_once():
    assert parse_shares("--sparsity", "0.9, 0.5,0.9") == (0.5, 0.9)


@pytest.mark.parametrize("text", ["", "0.5;0.9", "half"])
def test_what_is_no_list_of_numbers_is_refused(text):
    with pytest.raises(ConfigError, match=r"--sparsity takes shares between 0 and 1 with commas .*: write 0\.5,0\.9"):
        parse_shares("--sparsity", text)


def test_all_devices_are_those_that_are_built_in():
    assert tuple(each.name for each in read_devices(ALL)) == device_names()
    assert [each.name for each in read_devices("stm32f746, cloud-gpu,stm32f746")] == ["stm32f746", "cloud-gpu"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("simple_cnn", "--sparsity", "1.5"), "--sparsity (Pays.sparsities) are shares between 0 and 1, got 1.5"),
        (("simple_cnn", "--sparsity", "many"), "--sparsity takes shares between 0 and 1"),
        (("simple_cnn", "--layers", "-1"), "--layers is a number of layers from 0, got -1"),
        (("simple_cnn", "--turns", "0"), "--turns must be 1 or more"),
        (("simple_cnn", "--device", "stm33"), "Unknown device 'stm33'"),
        (("simple_cnn", "--data", "digits", "--input", "1,1,8,8"), "leave --input and --num-classes out"),
        (("simple_cnn", "--data", "digits"), "random weights, and pays --data needs trained ones"),
        (("no_such_net",), "no_such_net"),
    ],
)
def test_wrong_input_is_one_sentence(words, sentence):
    assert sentence in refused(*words)
