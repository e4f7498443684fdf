"""The question as settings, and the whole answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import fx

from ...analyze import cost_of, profile
from ...analyze.hardware.kernels import (
    KernelAnswer,
    accelerator_answer,
    channels_answer,
    two_four_answers,
    unstructured_answer,
)
from ...compress.prune.sparse import count_zeros, weighted_layers
from ...errors import ConfigError
from ...progress import SILENT, Progress
from ...types import Device, Dtype, Job, ModelProfile
from ...verify import Conditions, Timing
from ...verify.conditions import conditions, load_average, remarks
from ...verify.sparse_times import TIMING
from .benefits import Benefit, benefit
from .layers import OWN_ZEROS, LayerAnswer, time_layers, with_own
from .models import DENSE, Candidate, ModelRow, cuts, masks, time_models
from .verdict import verdict

NUM_IMAGES = 8  # whose zero activations the accelerator skips
NATIVE: dict[str, Dtype] = {"mcu": "int8", "cpu": "float32", "gpu": "float16"}  # what models run in, by kind of device


@dataclass(frozen=True, kw_only=True)
class Pays:
    """What to measure.

    Args:
        sparsities: shares of the weights that are zero, and of the MACs that are cut, in (0, 1).
        max_layers: shapes of layers to time as matrix products, those with the most MACs; 0 times none.
        product_timing, model_timing: turns and calls.
    """

    sparsities: tuple[float, ...] = (0.5, 0.8, 0.9, 0.95, 0.99)
    max_layers: int = 5
    product_timing: Timing = TIMING
    model_timing: Timing = field(default_factory=lambda: Timing(turns=7, runs=20, seconds=0.3))

    def __post_init__(self) -> None:
        outside = [each for each in self.sparsities if not 0 < each < 1]
        if outside or not self.sparsities:
            got = outside[0] if outside else "none"
            raise ConfigError(f"Pays.sparsities are shares between 0 and 1, got {got}: give for instance 0.5 and 0.9.")
        if self.max_layers < 0:
            raise ConfigError(f"Pays.max_layers is a number of layers from 0, got {self.max_layers}.")


@dataclass(frozen=True, kw_only=True)
class PaysAnswer:
    """Everything that was measured, counted and told."""

    model: str
    own_sparsity: float  # of the weights as they came
    layers: tuple[LayerAnswer, ...]
    models: tuple[ModelRow, ...]
    benefits: tuple[Benefit, ...]
    devices: tuple[KernelAnswer, ...]
    verdict: tuple[str, ...]  # one sentence for each pattern
    conditions: Conditions
    remarks: tuple[str, ...]

    def row(self, way: str, sparsity: float) -> ModelRow | None:
        """One form of the whole model."""
        return next((row for row in self.models if (row.way, row.sparsity) == (way, sparsity)), None)


def does_it_pay(
    job: Job, settings: Pays | None = None, *, devices: Sequence[Device] = (), progress: Progress = SILENT
) -> PaysAnswer:
    """Measure what zeros and cuts are worth for a model on this machine, and tell what they are worth elsewhere.

    Args:
        job: its model is captured. With data every form is scored too, nothing trained; without, weights decide alone.
        devices: where else it might run.

    Raises:
        ModelError: the model has no weights to make zero.
        UnsupportedError: it is quantized.
    """
    settings = settings or Pays()
    before, net = load_average(), job.model
    assert isinstance(net, fx.GraphModule)
    counted = profile(net)
    zero, weights = count_zeros(weighted_layers(net))
    own = zero / weights
    wanted = with_own(settings.sparsities, own)
    timed = time_layers(
        net, counted, sparsities=settings.sparsities, most=settings.max_layers, timing=settings.product_timing,
        seed=job.seed, progress=progress,
    )  # fmt: skip
    zeros = list(masks(job, wanted))
    narrow = list(cuts(job, settings.sparsities, progress=progress))
    whole = Candidate(way=DENSE, sparsity=own if own >= OWN_ZEROS else 0.0, net=net)
    rows = time_models([whole, *zeros, *narrow], job, timing=settings.model_timing, progress=progress)
    here, worth = conditions(before), _benefits(zeros, job)
    return PaysAnswer(
        model=job.model_name, own_sparsity=own, layers=timed, models=rows, benefits=worth,
        devices=(*_elsewhere(net, narrow, devices), *map(_accelerator, worth[-1:])), conditions=here,
        verdict=verdict(timed, rows), remarks=remarks(here, (1,)),
    )  # fmt: skip


def _benefits(zeros: Sequence[Candidate], job: Job) -> tuple[Benefit, ...]:
    images = None if job.data is None else job.data.calibration(NUM_IMAGES, job.seed)
    sparse = [(each.net, each.sparsity) for each in zeros if each.net is not None]
    return tuple(benefit(net, profile(net), sparsity, images_BCHW=images) for net, sparsity in sparse)


def _elsewhere(net: fx.GraphModule, narrow: Sequence[Candidate], devices: Sequence[Device]) -> tuple[KernelAnswer, ...]:
    """Three answers for each device."""
    profiles: dict[str, ModelProfile] = {dtype: profile(net, dtype=dtype) for dtype in ("float16", "int8")}
    least = next((each for each in narrow if each.net is not None), None)
    found: list[KernelAnswer] = []
    for device in devices:
        dtype = NATIVE[device.kind]
        found += [unstructured_answer(device, dtype), *two_four_answers(net, profiles, device)]
        if least is not None and least.net is not None:
            dense_s, cut_s = (cost_of(each, device, dtype).latency_s for each in (net, least.net))
            answer = channels_answer(device, dtype, dense_s=dense_s, cut_s=cut_s)
            found.append(
                replace(answer, reason=f"{answer.reason}, {100 * (1 - least.sparsity):.3g} % of the MACs kept")
            )
    return tuple(found)


def _accelerator(most: Benefit) -> KernelAnswer:
    """What the engine for compressed columns makes of the model with the most zeros."""
    answer = accelerator_answer(
        dtype="float32", speed_up=most.accelerator_speed_up, load_balance=most.accelerator_load_balance
    )
    return replace(answer, reason=f"{100 * most.sparsity:.3g} % zeros: {answer.reason}")
