"""`edgewright calc`: every calculation is a command that gives what the function gives and says what it needs."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
import resource
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from edgewright import calc
from edgewright.cli import app

WORDS = {
    "conv": "--size 9,7 --in-channels 4 --out-channels 8 --kernel 3,5 --padding same --groups 2 --no-bias",
    "depthwise": "--size 8 --channels 2 --padding full",
    "separable": "--size 112 --in-channels 64 --out-channels 128",
    "separable-table": "--out-channels 32,64 --kernel 5",
    "transposed": "--size 8 --in-channels 2 --out-channels 4 --output-padding 0,1",
    "linear": "--in-features 4096 --out-features 4096 --batch 8",
    "pool": "--size 28 --channels 2 --kernel 3 --kind average --ceil",
    "batch-norm": "--size 8 --channels 2",
    "layer-norm": "--shape 7,7,96",
    "group-norm": "--size 8 --channels 4 --groups 2",
    "activation": "--kind prelu --channels 64 --per-channel",
    "hard-swish": "--values -2,1",
    "output-size": "--size 28 --kernel 5 --padding same",
    "transposed-size": "--size 8 --kernel 3",
    "receptive-field": "--layers 7,2/3,2/3,1,2",
    "conv-backward": "--size 8 --kernel 3 --padding 1 --stride 2",
    "pool-backward": "--values 1,2,3/4,9,5/6,7,8 --kernel 2 --stride 1",
    "chain": "--size 28 --channels 1 --layers conv_8_k3_p1/pool_2/linear_10",
    "stack": "--count 3",
    "fire": "--in-channels 96 --squeeze 16 --expand1 64 --expand3 64",
    "bottleneck": "--in-channels 256 --width 64 --out-channels 256 --size 56",
    "inverted-residual": "--in-channels 24 --out-channels 24",
    "squeeze-excite": "--channels 64",
    "channel-shuffle": "--channels 6 --groups 2",
    "shufflenet-v1-unit": "--in-channels 24 --out-channels 240 --stride 2 --no-grouped-first",
    "shufflenet-v2-unit": "--in-channels 24 --out-channels 116 --stride 2 --size 56",
    "memory-access": "--size 7 --in-channels 8 --out-channels 16",
    "compound-scaling": "--phi 4 --variant b4",
    "subnets": "--depths 2,3 --resolutions 128,224,4",
    "latency-reward": "--accuracy 0.75 --latency-ms 80 --target-ms 75",
    "quantize": "--low -1 --high 3 --no-signed --values -0.3,0.5,1.7",
    "requantize": "--multiplier 0.007247427341846",
    "integer-dot": "--codes-x 192,96 --zero-x 128 --scale-x 0.1 --codes-w 42,-85 --scale-w 0.1",
    "float": "--value -118.625 --format fp16",
    "fixed": "--value 1.25 --q 3.4 --times -2.125",
    "sparsity": "--rows 1024 --columns 1024 --dtype int4 --pattern 4:8",
    "sparsity-table": "",
    "sparse-pattern": "--positions 1,3",
    "sparse-row": "--values 1,-3,2,0.5",
    "unstructured": "--rows 1024 --columns 1024 --zeros 0.8",
    "eie": "--rows 1024 --columns 1024 --density 0.1 --activation-density 0.3",
    "eie-column": "--values 0,0,1,2,0,0",
    "weight-sharing": "--weights 16 --values 4",
    "huffman": "--counts 8,1,4,3",
    "roofline": "--peak-ops-s 1e12 --bandwidth-bytes-s 25e9 --ops-per-byte 10",
    "layer-memory": "--size 112 --in-channels 16 --out-channels 96 --ram-kib 320",
    "energy": "--macs 1000 --dtype int8 --accumulator int32 --dram-bytes 10",
    "memory-energy": "--read-bytes 4",
    "energy-ratios": "",
    "energy-table": "",
    "stripes": "--macs 1,2,1.5 --bits 9,8,5",
}


@dataclass(frozen=True, kw_only=True)
class Done:
    exit_code: int
    stdout: str
    stderr: str


@functools.cache
def whole_command():
    """The command line, built once: typer's own runner builds it anew at every call."""
    return typer.main.get_command(app)


def invoke(*words: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        whole_command().main(["calc", *words], prog_name="edgewright")
    return Done(exit_code=ended.value.code or 0, stdout=out.getvalue(), stderr=err.getvalue())


def run(name: str, *more: str):
    return invoke(name, *(word.replace("_", " ") for word in WORDS[name].split()), *more)


def commands():
    return whole_command().commands["calc"].commands


@pytest.mark.parametrize("name", calc.CALCULATIONS)
def test_a_command_prints_each_step_and_gives_it_as_json(name):
    text, data = run(name), run(name, "--json", "-")
    assert (text.exit_code, data.exit_code) == (0, 0), text.stderr
    read = json.loads(data.stdout)
    lines = text.stdout.splitlines()
    assert lines[0] == read["title"]
    assert len(lines) == 1 + len(read["steps"]) + len(read["notes"])
    assert all(step["what"] in line for step, line in zip(read["steps"], lines[1:], strict=False))


@pytest.mark.parametrize("name", calc.CALCULATIONS)
def test_every_option_says_what_it_means(name):
    silent = [option.name for option in commands()[name].params if not getattr(option, "help", None)]
    assert silent == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chain", {"params": 80 + 15_690, "macs": 56_448 + 15_680}),
        ("pool-backward", {"gradients": [[0, 0, 0], [0, 4, 0], [0, 0, 0]]}),
        ("output-size", {"size": 28, "padding": 2}),
        ("sparsity", {"packed_bytes": 327_680}),
        ("activation", {"params": 64}),
    ],
)
def test_every_kind_of_parameter_is_read(name, expected):
    result = json.loads(run(name, "--json", "-").stdout)["result"]
    assert {key: result[key] for key in expected} == expected


def test_an_integer_beyond_64_bits_stays_exact():
    done = invoke("subnets", "--json", "-")
    assert json.loads(done.stdout)["result"]["subnets"] == 21_758_655_492_572_485_851


def test_the_help_page_lists_every_calculation_by_subject_and_cuts_nothing():
    lines = invoke("--help").stdout.splitlines()
    for subject, members in calc.GROUPS.items():
        start = lines.index(f"{subject}:")
        listed = [line.split() for line in lines[start + 1 : start + 1 + len(members)]]
        assert [words[0] for words in listed] == list(members)
        assert all(words[-1].endswith(".") and not words[-1].endswith("...") for words in listed)


def shown_in_the_page() -> list[tuple[str, str]]:
    """Each command of the page with the output that it shows."""
    page = (Path(__file__).parents[2] / "docs" / "calc.md").read_text()
    return re.findall(r"^\$ edgewright calc (.+)\n((?:(?!\$|```).+\n)+)", page, re.M)


@pytest.mark.parametrize(("words", "output"), shown_in_the_page())
def test_the_page_shows_what_the_command_prints(words, output):
    assert invoke(*shlex.split(words)).stdout == output


def test_the_page_names_every_calculation():
    page = (Path(__file__).parents[2] / "docs" / "calc.md").read_text()
    assert len(shown_in_the_page()) >= 4
    assert [name for name in calc.CALCULATIONS if f"`{name}`" not in page] == []


def test_help_answers_in_half_a_second_of_processor_time_without_torch():
    script = "import sys; from edgewright.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", script, "calc", "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not set(done.stdout.splitlines()[-1].split()) & {"torch", "numpy", "onnx", "sklearn"}
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["chain", "--size", "8", "--channels", "1", "--layers", "cnov 8"], "A layer starts with one of"),
        (["pool-backward", "--values", "1,x/2,3", "--kernel", "2"], "--values takes numbers separated by commas"),
        (["output-size", "--size", "8", "--kernel", "3", "--padding", "half"], "'full' or 'same', got 'half'"),
        (["sparse-row", "--values", "1,2,3"], "values is a row of a multiple of 4, got 3"),
    ],
)
def test_wrong_words_are_refused_in_one_sentence(words, sentence):
    done = invoke(*words)
    assert done.exit_code == 2
    assert sentence in done.stderr and done.stderr.count("\n") == 1
