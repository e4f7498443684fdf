"""`find_tickets`: rounds, seeds and controls in one run directory, resumed to the same numbers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.compress.prune.tickets import Tickets, TrainTicket, masks_of
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ConfigError
from edgewright.model import load_model
from edgewright.pipeline import find_tickets
from edgewright.pipeline.ticket_table import Trained, best_round, round_rows, sentences
from edgewright.runs import load_final_model
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.types import Job, Score, plain

DATA = load_data("digits")
QUICK = Train(epochs=2, batch_size=128, lr=0.01, keep="last", augment="none")
SETTINGS = Tickets(rounds=2, rate=0.5, last_rate=0.25, train=QUICK)


def net_of(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))


def new_job(**changes) -> Job:
    job = Job(
        model=net_of(0), task=Classify(num_classes=10), data=DATA, device=device("generic-x86"), model_name="net",
        trained=False,
    )  # fmt: skip
    return replace(job, **changes)


def found_of(out, settings=SETTINGS, *, initial=net_of, num_seeds=2, **others):
    return find_tickets(new_job(), settings, initial=initial, num_seeds=num_seeds, out=out, **others)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two seeds, two rounds. Tests read it and leave it as it is."""
    return found_of(tmp_path_factory.mktemp("tickets") / "run")


@pytest.mark.slow
def test_every_seed_has_a_dense_net_and_three_nets_a_round(finished):
    trained = finished.content["tickets"]["trained"]
    assert len(trained) == 2 * (1 + 2 * 3)
    assert [each["variant"] for each in trained[:4]] == ["dense", "ticket", "reinit", "random"]
    assert {each["seed"] for each in trained} == {0, 1}


@pytest.mark.slow
def test_nets_of_a_round_have_the_masks_they_are_named_for(finished):
    def masks(index, name):
        return masks_of(load_model(finished.folder / "stages" / f"{index:02d}-{name}"))

    ticket, reinit, random, deeper = masks(2, "ticket"), masks(3, "reinit"), masks(4, "random"), masks(5, "ticket")
    for name, left in ticket.items():
        assert torch.equal(left, reinit[name]) and not torch.equal(left, random[name])
        assert int(left.sum()) == int(random[name].sum())
        assert not bool((deeper[name] & ~left).any())
    assert {name: int(left.sum()) for name, left in deeper.items()} == {
        "1": 320,
        "3": 112,
    }  # of 1280, 200


@pytest.mark.slow
def test_the_rows_are_means_over_seeds_of_what_the_nets_on_disk_score(finished):
    row = finished.content["tickets"]["rounds"][1]
    assert row["keep"] == (320 + 112) / 1480
    steps = {"ticket": (5, 12), "reinit": (6, 13), "dense": (1, 8)}
    points = {
        kind: [
            evaluate(load_model(finished.folder / "stages" / f"{step:02d}-{kind}"), new_job().task, DATA, "test").value
            for step in two
        ]
        for kind, two in steps.items()
    }
    for kind, two in points.items():
        assert row["scores"][kind]["mean"] == pytest.approx(sum(two) / 2)
    differences = [our - their for our, their in zip(points["ticket"], points["reinit"], strict=True)]
    assert row["differences"]["reinit"]["mean"] == pytest.approx(sum(differences) / 2)
    assert row["differences"]["reinit"]["std_error"] == pytest.approx(abs(differences[0] - differences[1]) / 2)


@pytest.mark.slow
def test_the_run_is_the_model_of_its_best_ticket_and_the_page_shows_the_rounds(finished):
    tickets = finished.content["tickets"]
    index = next(
        each["index"] for each in tickets["trained"]
        if (each["seed"], each["variant"], each["number"]) == (0, "ticket", tickets["best_round"])
    )  # fmt: skip
    model = load_final_model(finished.folder)
    assert finished.content["final_model"] == f"stages/{index:02d}-ticket"
    assert evaluate(model, new_job().task, DATA, "test").value == finished.content["scores"]["after"]["value"]
    page = finished.page.read_text()
    assert "Lottery tickets and their controls" in page
    assert tickets["sentences"][0].replace("+", "&#43;") in page or tickets["sentences"][0] in page


def numbers_of(report) -> str:
    return json.dumps(report.content["tickets"], sort_keys=True)


@pytest.mark.slow
@pytest.mark.parametrize("rewind", [0, 5])
def test_a_search_that_broke_off_goes_on_to_the_same_numbers(rewind, tmp_path, monkeypatch):
    settings = replace(SETTINGS, rewind=rewind, rounds=1)
    whole = found_of(tmp_path / "whole", settings)
    run: Callable = TrainTicket.run
    started: list[int] = []

    def breaking(self, job, **others):
        started.append(job.seed)
        if len(started) == 4:
            raise KeyboardInterrupt
        return run(self, job, **others)

    monkeypatch.setattr(TrainTicket, "run", breaking)
    with pytest.raises(KeyboardInterrupt):
        found_of(tmp_path / "broken", settings)
    again = found_of(tmp_path / "broken", settings, resume=True)
    assert started == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert numbers_of(again) == numbers_of(whole)


@pytest.mark.slow
def test_the_command_killed_and_resumed_gives_the_same_numbers(tmp_path):
    words = ["tickets", "simple_cnn", "--data", "digits", "--image-size", "8", "--rounds", "1", "--rewind", "3",
             "--seeds", "2", "--epochs", "2"]  # fmt: skip
    whole = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "whole"), "--json", str(tmp_path / "whole.json")])
    assert whole.exit_code == 0, whole.output
    assert "2 seeds cannot tell" in whole.stdout and "weights left" in whole.stdout
    killed = subprocess.Popen(
        [sys.executable, "-m", "edgewright", *words, "--out", str(tmp_path / "killed")], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    while killed.poll() is None and not list((tmp_path / "killed").glob("stages/03-*/stage.json")):
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    words += ["--out", str(tmp_path / "killed"), "--resume", "--json", str(tmp_path / "killed.json")]
    assert CliRunner().invoke(app, words).exit_code == 0
    both = [json.loads((tmp_path / f"{name}.json").read_text())["tickets"] for name in ("whole", "killed")]
    assert both[0] == both[1]


def trained(variant, number, values, keep=1.0):
    return [
        Trained(
            seed=seed, number=number, variant=variant, index=1, keep=keep, score_val=value, epochs_to_best=1,
            score_test=Score(metric="top-1", value=value, num_samples=100, split="test"),
        )
        for seed, value in enumerate(values)
    ]  # fmt: skip


def a_table():
    """The ticket holds the dense net's 90 to 40 % of the weights, and beats re-initialization at 16 %."""
    rows = trained("dense", 0, [90.0, 90.0, 90.0])
    for number, keep, ticket in ((1, 0.4, [90.0, 91.0, 90.0]), (2, 0.16, [88.0, 89.0, 90.0])):
        rows += trained("ticket", number, ticket, keep)
        rows += trained("reinit", number, [each - 10 for each in ticket], keep)
        rows += trained("random", number, [each + shift for each, shift in zip(ticket, (-9, 9, 0), strict=True)], keep)
    return round_rows(rows)


def test_the_sentences_are_of_the_first_round_that_is_sparse_enough():
    said = sentences(a_table())
    assert said[0] == (
        "The ticket beats re-initialization at 84.0 % sparsity (difference +10.00 ± 0.00 points over 3 seeds, "
        "95 % interval +10.00 to +10.00)."
    )
    start = "The ticket is not shown to beat a random mask at 84.0 % sparsity (difference +0.00 ± 5.20"
    assert said[1].startswith(start)
    assert said[2].endswith("the dense net after as many steps has 40.0 % of the weights.")
    assert best_round(a_table()) == 1


def test_no_ticket_as_good_as_the_dense_net_is_said_and_the_best_is_kept():
    rows = [row for row in a_table() if row["round"] == 2]
    assert best_round(rows) == 2
    assert sentences(rows)[2] == "In the mean no ticket scores as high as the dense net after as many steps."


def test_rows_are_plain():
    assert json.loads(json.dumps(plain(a_table()))) == a_table()


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="came with trained weights: name an untrained model"):
        find_tickets(new_job(trained=True), SETTINGS, initial=net_of, out=tmp_path / "run")
    with pytest.raises(ConfigError, match="Tickets need 1 seed or more, got 0"):
        found_of(tmp_path / "run", num_seeds=0)
    with pytest.raises(ConfigError, match="net has the same weights whatever the seed"):
        found_of(tmp_path / "run", initial=lambda seed: net_of(0))
    with pytest.raises(ConfigError, match="has 18 steps, got rewind to step 18"):
        found_of(tmp_path / "run", replace(SETTINGS, rewind=18))
    assert not (tmp_path / "run").exists()
