"""`Quantize`: the settings of a quantization, which are also the stage.

build a simulation -> score it -> try repairs while it costs too much -> train through the rounding if it still does
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import fx

from ...analyze import cost_of
from ...errors import ConfigError, UnsupportedError
from ...model.quantized import scheme_of
from ...progress import SILENT, Progress
from ...types import Job, Score, StageResult
from .build import AFTER, BEST, REPAIRS, Builder, Built, check_repairs
from .mixed import Mixed
from .notes import sentences, tensor_rows
from .precision import Precision
from .qat import Lesson, Qat, train_quantized
from .ranges import RANGE_METHODS, WEIGHT_METHODS
from .repairs import LearnRounding
from .schemes import INTEGERS, Scheme
from .simulate import AUTO

LADDER: tuple[tuple[str, ...], ...] = (("equalize", "bias"), ("equalize", "rounding", "bias"))  # cheap ones first


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """Turn weights and activations into integers that a runtime computes with.

    Args:
        bits: of the weights, 2 to 8.
        activation_bits: of the activations, 2 to 8 or 16.
        method: how ranges of activations are found: a key of `RANGE_METHODS`, or "best": for each tensor the method
            that costs its readers least on the calibration images.
        percentile: of the percentile method: the share of values, in percent, below the upper end of a range (and
            above the lower).
        weight_method: how scales of weights are found: a key of `WEIGHT_METHODS`, or "auto" (see `simulate`).
        num_calibration: images of the train split that ranges are measured on; labels are not used.
        repairs: names from `REPAIRS`, always done.
        repair_if_drop_over: climb the `LADDER` of repairs while the score on val drops by more points than this.
        rounding: how the repair "rounding" learns.
        ends_at_8_bits: the first and last layers keep at least 8 bits.
        mixed: choose bits layer by layer within limits, in place of `bits`.
        scheme: which numbers, and when activations are rounded.
        float_output: leave the output of a last linear layer in float.
        qat: train through the rounding with these settings; None with `qat_if_drop_over` set takes the defaults.
        qat_if_drop_over: do so only when the score drops by more points than this on val.
        because: why the settings are not those that were asked for; told in the notes.
    """

    bits: int = 8
    activation_bits: int = 8
    method: str = BEST
    percentile: float = 99.99
    weight_method: str = AUTO
    num_calibration: int = 256
    repairs: tuple[str, ...] = ()
    repair_if_drop_over: float | None = None
    rounding: LearnRounding = field(default_factory=LearnRounding)
    ends_at_8_bits: bool = False
    mixed: Mixed | None = None
    scheme: Scheme = field(default_factory=Scheme)
    float_output: bool = True
    qat: Qat | None = None
    qat_if_drop_over: float | None = None
    because: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "repairs", tuple(self.repairs))  # a list, where they come from a file
        Precision(weights=self.bits, activations=self.activation_bits)
        check_repairs(self.repairs)
        _one_of("method", self.method, (*RANGE_METHODS, BEST))
        _one_of("weight_method", self.weight_method, (*WEIGHT_METHODS, AUTO))
        if not 50 < self.percentile <= 100:
            raise ConfigError(f"Quantize.percentile must be in (50, 100], got {self.percentile}.")
        if self.num_calibration < 1:
            raise ConfigError(f"Quantize.num_calibration must be 1 or more, got {self.num_calibration}.")
        for name in ("repair_if_drop_over", "qat_if_drop_over"):
            drop = getattr(self, name)
            if drop is not None and not drop >= 0:
                raise ConfigError(f"Quantize.{name} is in points, 0 or more, got {drop}.")
        if "reestimate" in self.repairs and (self.mixed is not None or self.scheme.granularity != "channel"):
            raise ConfigError(
                "The repair reestimate rounds weights before bits are chosen and with a scale for each channel: leave "
                "it out with mixed bits and with one scale a tensor."
            )
        self._check_scheme()

    def _check_scheme(self) -> None:
        """Repairs of the simulation (`AFTER`), training and mixed bits need static integers."""
        if self.scheme.mode == "static" and self.scheme.format == INTEGERS:
            return
        wanted = {
            "repairs": set(self.repairs) & {*AFTER, "reestimate"}, "mixed": self.mixed, "qat": self.qat,
            "repair_if_drop_over": self.repair_if_drop_over, "qat_if_drop_over": self.qat_if_drop_over,
        }  # fmt: skip
        given = [name for name, value in wanted.items() if value not in (None, set())]
        if given:
            raise ConfigError(
                f"Quantize.{given[0]} needs static integers, got scheme {self.scheme.mode} in {self.scheme.format}: "
                "leave one of the two out."
            )

    def run(self, job: Job, *, progress: Progress = SILENT, lesson: Lesson | None = None) -> StageResult:
        """The simulation of the job's model in integers, scored on val.

        Args:
            lesson: what a training through the rounding learns, in place of labels and soft answers.

        Raises:
            UnsupportedError: the model is quantized already.
            ModelError: it makes NaN or infinity on the calibration images.
            DataError: static ranges are asked for, and there are no images to measure them on.
            BudgetError: no choice of bits is within the limits of `mixed`.
        """
        if scheme_of(job.model) is not None:
            raise UnsupportedError("The model is quantized already: give the model as it was before.")
        builder = Builder.of(job, self, progress=progress)
        before = builder.score(builder.net)
        built, calibrated, tried = self._least_loss(builder, before)
        simulation, training = self._trained(builder, built, drop=before.value - calibrated.value, lesson=lesson)
        final = builder.score(simulation) if training else calibrated
        return StageResult(
            model=simulation,
            score=final,
            cost=cost_of(simulation, job.device, self.dtype),
            notes=(*sentences(self, built, tried, before, final), *_training_note(calibrated, final, training)),
            details={
                **built.found,
                "tried": tried,
                "score_float": before.value,
                "score_calibrated": calibrated.value,
                "training": training,
                "folded": list(built.folding.folded),
                "absorbed": list(built.folding.absorbed),
                "not_folded": built.folding.refused,
                "tensors": tensor_rows(simulation),
                "stays_float": built.plan.stays_float,
            },
        )

    @property
    def dtype(self) -> str:
        """What the cost is counted at: the type that the file's layers compute in."""
        return "int8" if self.scheme.mode == "static" and self.scheme.format == INTEGERS else "float32"

    def _least_loss(self, builder: Builder, before: Score) -> tuple[Built, Score, list[dict[str, Any]]]:
        """The best simulation of those tried: as asked, then with more and more repairs while needed."""
        ways = [self.repairs]
        if self.repair_if_drop_over is not None:
            kept = [name for name in self.repairs if name != "reestimate"]  # the rungs repair in its place
            ways += [tuple(dict.fromkeys((*kept, *more))) for more in LADDER]
        tried, best = [], None
        for repairs in ways:
            built = builder.build(repairs)
            score = builder.score(built.simulation)
            tried.append({"repairs": list(repairs), "score": score.value})
            if best is None or score.value > best[1].value:
                best = built, score
            if self.repair_if_drop_over is None or before.value - best[1].value <= self.repair_if_drop_over:
                break
        assert best is not None
        return (*best, tried)

    def _trained(
        self, builder: Builder, built: Built, *, drop: float, lesson: Lesson | None
    ) -> tuple[fx.GraphModule, dict[str, Any] | None]:
        """The simulation after training through its rounding; as it was where that is not asked for or not needed."""
        asked = self.qat is not None if self.qat_if_drop_over is None else drop > self.qat_if_drop_over
        if not asked:
            return built.simulation, None
        trained, details = train_quantized(
            builder.moved(built.simulation), builder.moved(builder.net), plan=built.plan, job=builder.job,
            settings=self.qat or Qat(), lesson=lesson, progress=builder.progress,
        )  # fmt: skip
        return trained.cpu(), details


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"Quantize.{name} must be one of {', '.join(known)}, got {value}.")


def _training_note(calibrated: Score, final: Score, training: dict[str, Any] | None) -> tuple[str, ...]:
    return (f"Training through the rounding: {calibrated.value:.2f} -> {final.value:.2f}.",) if training else ()


__all__ = ["LADDER", "REPAIRS", "Quantize"]
