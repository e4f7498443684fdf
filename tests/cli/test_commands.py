"""The command line is pinned: its commands, their flags, what it loads, and how it answers wrong input."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from edgewright.calc import CALCULATIONS
from edgewright.cli import app

STAGE = {
    "--data", "--data-root", "--download", "--image-size", "--channels", "--val-from", "--weights", "--device", "--out",
    "--resume", "--seed", "--json", "--debug", "--accelerator",
}  # fmt: skip
TRAINING = {"--preset", "--epochs", "--batch-size", "--lr", "--augment"}
LEARNING = {
    "--optimizer", "--schedule", "--lr-scaling", "--rates", "--warmup-epochs", "--final-lr", "--momentum",
    "--weight-decay", "--l1", "--find-lr",
}  # fmt: skip
FLAGS = {
    "fit": STAGE | {
        "--max-drop", "--min-score", "--latency-ms", "--ram-kb", "--flash-kb", "--energy-mj", "--recipe", "--keep-macs",
        "--epochs",
    },
    "analyze": {
        "--input", "--device", "--by", "--dtype", "--sizes", "--bits", "--data", "--data-root", "--num-images",
        "--optimizer", "--train-ram-gb", "--num-classes", "--weights", "--image-size", "--channels", "--json", "--csv",
        "--html", "--debug",
    },
    "train": STAGE | TRAINING | LEARNING | {
        "--ema-decay", "--patience", "--loss", "--label-smoothing", "--new-head", "--freeze",
        "--unfreeze-every", "--layer-decay", "--folds",
        "--accumulate", "--checkpointing", "--checkpoint-seconds", "--dtype", "--mixup", "--cutmix", "--processes",
        "--log", "--dry-run", "--clip-norm", "--clip-value", "--dropout",
    },
    "tune": STAGE | TRAINING | {"--vary", "--method", "--trials", "--folds"},
    "advise": STAGE - {"--device", "--out", "--resume", "--accelerator"} | {
        "--similar", "--different", "--small-below",
    },
    "prune": STAGE | TRAINING | {
        "--keep-macs", "--keep-params", "--keep-bytes", "--keep-latency", "--keep-ram", "--dtype", "--plan",
        "--schedule", "--steps", "--scan", "--recover", "--round-to", "--score", "--ranking", "--prepare",
        "--prepare-strength", "--prepare-epochs", "--whole", "--min-keep", "--min-steps",
    },
    "sparsify": STAGE | TRAINING | {
        "--sparsity", "--pattern", "--permute", "--scope", "--score", "--schedule", "--steps", "--until", "--dense",
        "--dense-ends", "--recover",
    },
    "distill": STAGE | TRAINING | {
        "--teacher", "--teacher-weights", "--kind", "--alpha", "--temperature", "--features", "--generations",
        "--peers", "--keep-answers",
    },
    "cluster": STAGE | TRAINING - {"--preset"} | {
        "--bits", "--conv-bits", "--init", "--fold", "--recover", "--teacher", "--teacher-weights",
    },
    "quantize": STAGE | {
        "--bits", "--activation-bits", "--method", "--percentile", "--weight-method", "--num-calibration", "--repair",
        "--repair-if-drop-over", "--ends-at-8-bits", "--weight-kb", "--activation-kb", "--bit-operations", "--measure",
        "--latency-ms", "--mean-bits", "--pareto",
        "--scheme", "--format", "--per", "--affine", "--qat", "--qat-if-drop-over", "--compare",
    } | TRAINING,
    "tickets": (STAGE - {"--weights"}) | TRAINING | {
        "--rounds", "--rate", "--last-rate", "--scope", "--rewind", "--seeds",
    },
    "export": {
        "--format", "--device", "--kernels", "--rounding", "--favor", "--remove-dead-channels", "--out", "--json",
        "--debug",
    },
    "verify": {
        "--data", "--device", "--split", "--fp32", "--threads", "--turns", "--data-root", "--download", "--image-size",
        "--channels", "--val-from", "--seed", "--json", "--debug",
    },
    "bench": {
        "--runtime", "--threads", "--turns", "--runs", "--starts", "--batch", "--data", "--data-root", "--download",
        "--input", "--num-classes", "--weights", "--image-size", "--channels", "--json", "--debug",
    },
    "pays": {
        "--sparsity", "--device", "--layers", "--turns", "--data", "--data-root", "--download", "--val-from", "--input",
        "--num-classes", "--weights", "--image-size", "--channels", "--seed", "--json", "--debug",
    },
    "calibrate": {"--out", "--name", "--threads", "--base", "--quick", "--resume", "--json", "--debug"},
    "report": {"--open", "--json", "--debug"},
    "models": {"--library", "--json", "--debug"},
    "devices": {"--json", "--debug"},
    "datasets": {"--json", "--debug"},
    "doctor": {"--json", "--debug"},
    "calc": set(),
    "lab": set(),
}  # fmt: skip
LAB_FLAGS = {
    "list": {"--theme", "--json", "--debug"},
    "run": {"--fast", "--seed", "--json", "--debug"},
    "all": {"--fast", "--seed", "--theme", "--processes", "--out", "--resume", "--debug"},
}  # fmt: skip


def run(*words):
    return CliRunner().invoke(app, list(words))


def command_table():
    return typer.main.get_command(app).commands


def flags_of(command):
    return {flag for option in command.params for flag in option.opts if flag.startswith("--")} - {"--help"}


def test_the_commands_are_the_pinned_ones():
    assert set(command_table()) == set(FLAGS)


@pytest.mark.parametrize("name", FLAGS)
def test_the_flags_of_each_command_are_the_pinned_ones(name):
    assert flags_of(command_table()[name]) == FLAGS[name]


def test_the_flags_of_the_lab_are_the_pinned_ones():
    assert {name: flags_of(each) for name, each in command_table()["lab"].commands.items()} == LAB_FLAGS


def test_every_closed_form_is_a_command():
    assert set(command_table()["calc"].commands) == set(CALCULATIONS)


def test_the_help_of_prune_offers_every_score():
    from edgewright.cli.stages import SCORE_NAMES
    from edgewright.compress.prune import SCORES, Prune

    assert sorted(SCORES) == list(SCORE_NAMES)
    assert Prune().score == "contribution"


def test_the_help_of_prune_offers_every_ranking_and_penalty():
    from edgewright.cli.stages import PENALTY_NAMES, RANKING_NAMES
    from edgewright.compress.prune import PENALTIES, RANKINGS, Prepare, Prune

    assert ["planned", *RANKINGS] == list(RANKING_NAMES) and list(PENALTIES) == list(PENALTY_NAMES)
    assert Prune().ranking == "planned"
    assert Prepare().strength == 0.001  # as the help says


def test_the_help_of_sparsify_offers_every_choice():
    from edgewright.cli import sparsify
    from edgewright.compress.prune.sparse import SCHEDULES, SCOPES, SCORES

    assert tuple(SCORES) == sparsify.SCORE_NAMES
    assert sparsify.SCHEDULE_NAMES == SCHEDULES
    assert sparsify.SCOPE_NAMES == SCOPES


def test_the_options_of_prune_name_every_quantity():
    from edgewright.cli.prune import TARGETS
    from edgewright.compress.prune import QUANTITIES

    assert tuple(QUANTITIES) == TARGETS


def test_the_help_of_cluster_offers_every_start_of_k_means():
    from edgewright.cli.cluster import INIT_NAMES
    from edgewright.compress.cluster import INITS

    assert tuple(INITS) == INIT_NAMES


@pytest.mark.parametrize("name", FLAGS)
def test_every_command_explains_itself(name):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert "Usage:" in done.output
    assert len(done.output.splitlines()) > 5


@pytest.mark.parametrize(
    "words", [["--help"], ["fit", "--help"], ["--version"], ["models"], ["devices"], ["calc", "--help"]]
)
def test_help_and_lists_do_not_load_torch(words):
    script = "import sys; from edgewright.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"torch", "onnx", "onnxruntime", "sklearn"}


def test_help_answers_in_under_half_a_second_of_processor_time():
    """The floor is 0.5 s on an idle machine; processor time says the same on a busy one."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "edgewright", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
