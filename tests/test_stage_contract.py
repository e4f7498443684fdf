"""What every stage promises, checked for each entry of one table. A new stage is tested by adding it to STAGES.

A stage leaves its input model untouched, gives the same bits for the same seed, keeps the outputs' shape, can be
rebuilt from its settings as plain data, scores what it returns, and never writes outside its work folder.
"""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import fx, nn

from edgewright.analyze import profile
from edgewright.compress.cluster import Cluster
from edgewright.compress.distill import Distill, Mutual
from edgewright.compress.prune import ApplyPlan, CutStep, Prepare, Prune, plan_prune
from edgewright.compress.prune.sparse import Sparsify
from edgewright.compress.prune.tickets import TrainTicket
from edgewright.compress.quantize import Qat, Quantize
from edgewright.data import Data, load_data
from edgewright.errors import BudgetError
from edgewright.model import capture, fingerprint, is_captured
from edgewright.pipeline.given import AsGiven
from edgewright.pipeline.taught import TaughtCluster, TaughtQuantize
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.types import Device, Job, Score, Stage, StageResult, plain

pytestmark = pytest.mark.slow  # every stage trains a small net

QUICK = Train(epochs=2, batch_size=128, lr=0.01)

# name -> a stage with settings that are not the defaults, quick enough to run a few times
STAGES: dict[str, Callable[[], Stage]] = {
    "train": lambda: QUICK,
    "train with an average": lambda: dataclasses.replace(QUICK, ema_decay=0.9, optimizer="sgd", patience=1),
    "distill": lambda: Distill(alpha=0.3, temperature=2.0, features=1.0, train=QUICK),
    "distill with every term": lambda: Distill(
        alpha=0.3, decoupled=0.5, hints=1.0, attention=1.0, relational=1.0, non_target=4.0, train=QUICK
    ),
    "mutual": lambda: Mutual(peers=3, weight=0.5, temperature=2.0, train=QUICK),
    "prune": lambda: Prune(keep_macs=0.6, sensitivity_samples=64, round_to=2),
    "prune to a latency": lambda: Prune(keep_latency=0.8, score="l2", sensitivity_samples=0, dtype="int8"),
    "prune in steps": lambda: CutStep(
        prune=Prune(keep_macs=0.6, sensitivity_samples=64, round_to=2),
        step=1,
        steps=2,
        start=profile(small_net()).macs,
        sizes={"stem": 8, "wider": 16},
    ),
    "prune by a plan": lambda: ApplyPlan(plan=plan_prune(bare_job(), Prune(score="l2", sensitivity_samples=0))),
    "prune by a global ranking": lambda: Prune(keep_macs=0.6, score="taylor", ranking="global", round_to=2),
    "prepare": lambda: Prepare(penalty="group-lasso", strength=1e-2, train=QUICK),
    "sparsify": lambda: Sparsify(sparsity=0.7, score="taylor", scope="layer", whole=("stem",), norm_batches=2),
    "sparsify in steps": lambda: Sparsify(sparsity=0.7, score="movement", schedule="cubic", steps=3, train=QUICK),
    "sparsify to a pattern": lambda: Sparsify(pattern="2:4", permute=True, train=QUICK),
    "quantize": lambda: Quantize(num_calibration=32),
    "ticket": lambda: TrainTicket(train=dataclasses.replace(QUICK, keep="last")),
    "ticket rewound to a step": lambda: TrainTicket(rewind=3, train=dataclasses.replace(QUICK, keep="last")),
    "cluster": lambda: Cluster(bits={"conv": 4, "linear": 3}, init="random", fold=False, train=QUICK),
    "cluster with a teacher": lambda: TaughtCluster(cluster=Cluster(bits=3, train=QUICK), distill=Distill(alpha=0.5)),
    "quantize with a teacher": lambda: TaughtQuantize(
        quantize=Quantize(num_calibration=32, qat=Qat(train=QUICK)),
        distill=Distill(alpha=0.2, hints=1.0, attention=1.0, relational=1.0, decoupled=0.5),
    ),
    "given": AsGiven,
}

# name -> a stage that is asked for what no model can give
IMPOSSIBLE: dict[str, Callable[[], Stage]] = {
    "prune": lambda: Prune(keep_macs=1e-4, sensitivity_samples=0),
    "prune to a latency": lambda: Prune(keep_latency=1e-4, sensitivity_samples=0),
    "prune to a RAM": lambda: Prune(keep_ram=1e-4, sensitivity_samples=0),
    "sparsify": lambda: Sparsify(sparsity=0.9999),
    "prune with whole groups": lambda: Prune(keep_macs=0.5, sensitivity_samples=0, whole=("*",)),
}

BOARD = Device(
    name="board",
    title="A board for tests",
    kind="mcu",
    clock_hz=216e6,
    ram_bytes=320 * 1024,
    flash_bytes=1024 * 1024,
    macs_per_cycle={"float32": 0.4, "int8": 1.0},
    bandwidth_bytes_s=400e6,
    overhead_s=1e-5,
    pj_per_mac={"float32": 50.0, "int8": 20.0},
    pj_per_byte=10.0,
    round_to=4,
    runtimes=("onnx",),
)


@pytest.fixture(scope="module")
def digits() -> Data:
    return load_data("digits")


def small_net(seed: int = 0) -> fx.GraphModule:
    """A residual net with batch norm, depthwise and pointwise kernels, pooling and dropout."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.bn = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
            self.depthwise, self.bn1 = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8)
            self.pointwise, self.bn2 = nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8)
            self.wider, self.dropout, self.head = nn.Conv2d(8, 16, 3, 2, 1), nn.Dropout(0.1), nn.Linear(16, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.bn(self.stem(x)))
            x = torch.relu(x + self.bn2(self.pointwise(torch.relu(self.bn1(self.depthwise(x))))))
            return self.head(self.dropout(torch.relu(self.wider(x)).mean((2, 3))))

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return capture(Net(), (1, 8, 8))


def bare_job() -> Job:
    """The net alone, for a plan that looks at weights only."""
    return Job(model=small_net(), task=None, data=None, device=BOARD)


@pytest.fixture
def job(digits) -> Job:
    return Job(
        model=small_net(),
        task=Classify(num_classes=10),
        data=digits,
        device=BOARD,
        model_name="small_net",
        teacher=small_net(seed=1),
    )


@pytest.fixture(params=STAGES)
def stage(request) -> Stage:
    return STAGES[request.param]()


def rebuilt(like: Any, content: dict[str, Any]) -> Any:
    """The settings of the same type from plain data; settings inside settings are rebuilt the same way."""
    inner = {name: rebuilt(getattr(like, name), value) for name, value in content.items() if isinstance(value, dict)
             and dataclasses.is_dataclass(getattr(like, name))}  # fmt: skip
    return type(like)(**{**content, **inner})


def test_settings_are_frozen_and_round_trip_through_json(stage):
    assert rebuilt(stage, json.loads(json.dumps(plain(stage)))) == stage
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(stage, next((field.name for field in dataclasses.fields(stage)), "anything"), None)


def test_the_model_and_its_teacher_are_left_untouched(stage, job):
    before = [fingerprint(job.model), fingerprint(job.teacher)]
    modes = [part.training for part in job.model.modules()]
    stage.run(job)
    assert [fingerprint(job.model), fingerprint(job.teacher)] == before
    assert [part.training for part in job.model.modules()] == modes


def test_the_same_seed_gives_the_same_bits_with_or_without_a_work_folder(stage, job, tmp_path):
    torch.manual_seed(1)
    first = stage.run(job)
    torch.manual_seed(2)
    again = stage.run(dataclasses.replace(job, workdir=tmp_path))
    assert fingerprint(first.model) == fingerprint(again.model)
    assert (first.score, first.cost, first.notes) == (again.score, again.cost, again.notes)
    assert first.details == again.details


def test_the_global_generator_is_left_as_it_was(stage, job):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    stage.run(job)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_result_is_a_captured_model_in_eval_mode_with_outputs_of_the_same_shape(stage, job):
    result = stage.run(job)
    inputs = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert is_captured(result.model)
    assert not any(part.training for part in result.model.modules())
    assert result.model(inputs).shape == job.model(inputs).shape == (3, 10)


def test_the_result_says_in_plain_data_what_was_done(stage, job):
    result = stage.run(job)
    assert isinstance(result, StageResult)
    assert json.loads(json.dumps(plain(result.details), allow_nan=False)) == plain(result.details)
    assert all(isinstance(note, str) for note in result.notes)
    if result.score is not None:
        assert isinstance(result.score, Score)
        assert result.score == evaluate(result.model, job.task, job.data, "val")


def test_nothing_is_written_outside_the_work_folder(stage, job, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "work").mkdir()
    stage.run(dataclasses.replace(job, workdir=Path(tmp_path / "work")))
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_the_impossible_is_refused_in_one_sentence_before_anything_is_written(name, job, tmp_path):
    with pytest.raises(BudgetError, match=r"^[^\n]+\.$") as refused:
        IMPOSSIBLE[name]().run(dataclasses.replace(job, workdir=tmp_path))
    assert re.search(r"\d", str(refused.value)), "the sentence names what can be reached"
    assert list(tmp_path.iterdir()) == []
