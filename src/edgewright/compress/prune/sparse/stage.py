"""`Sparsify`: the settings of zeros anywhere or in a pattern, which are also the stage."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from ....analyze import cost_of
from ....errors import ConfigError, unknown_name
from ....formats import Pattern, parse_pattern
from ....progress import SILENT, Progress
from ....tasks import evaluate
from ....train import Train
from ....types import Job, StageResult
from ..planner import captured
from ..schedule import COURSES
from .accounts import accounts, notes
from .choose import SCOPES
from .gradual import train_sparser
from .once import choose_once
from .scores import SCORES
from .weights import counted_layers

SCHEDULES = ("one-shot", *COURSES)


@dataclass(frozen=True, kw_only=True)
class Sparsify:
    """Make weights of convolutions and linear layers exactly 0: a share of them, or N:M along the input channels.

    There is no mask in the result: its zeros are. `Train(keep_zeros=True)`, alone or in `Distill`, keeps them.

    Args:
        sparsity: share of the counted weights that is 0, in (0, 1); exact to the weight. Not used with a pattern.
        pattern: such as "2:4": of each group of 4 neighbouring input channels at one place of a kernel, 2 stay.
            "4:8" keeps pairs of neighbours, as 4-bit kernels want. Layers whose input channels per group are no
            multiple stay dense.
        permute: with a pattern, first bring channels into an order in which more of the weights' energy stays; the
            model computes the same.
        scope: whether weights compete over all layers ("global") or within each ("layer").
        score: which weights matter; one of `SCORES`. "movement" is known only from a training.
        schedule: "one-shot" chooses once; "cubic" and "steps" raise the sparsity while `train` runs.
        steps: how often a schedule chooses anew.
        until: the share of the training steps after which a schedule has reached `sparsity`.
        train: how the weights are trained: while a schedule runs, or after the one choice. None does not train.
        whole: paths of layers that stay dense, with * and ? as in file names.
        keep_ends: whether the first and the last layer stay dense.
        norm_batches: batches of 128 train images from which batch norm is re-estimated where nothing is trained;
            0 leaves it.
        augment: how the images for that are changed; what the model was trained with is best.
    """

    sparsity: float = 0.9
    pattern: str | None = None
    permute: bool = False
    scope: str = "global"
    score: str = "magnitude"
    schedule: str = "one-shot"
    steps: int = 20
    until: float = 0.75
    train: Train | None = None
    whole: tuple[str, ...] = ()
    keep_ends: bool = False
    norm_batches: int = 8
    augment: str = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "whole", tuple(self.whole))  # a list, when read from JSON
        if not 0 < self.sparsity < 1:
            raise ConfigError(f"Sparsify.sparsity is a share between 0 and 1, got {self.sparsity}.")
        for name, known in (("scope", SCOPES), ("score", SCORES), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise unknown_name(name, getattr(self, name), known, command="edgewright sparsify --help")
        if self.steps < 1 or self.norm_batches < 0:
            raise ConfigError(
                f"Sparsify.steps is a whole number from 1 and norm_batches from 0, got {self.steps} and "
                f"{self.norm_batches}."
            )
        if not 0 < self.until <= 1:
            raise ConfigError(f"Sparsify.until is a share of the training in (0, 1], got {self.until}.")
        self._check_together()

    def _check_together(self) -> None:
        """What does not go together."""
        kind, gradual = self.kind, self.schedule != "one-shot"
        if self.permute and (kind is None or kind.unit > 1):
            got = "no pattern" if kind is None else f"{kind.name}, which keeps pairs"
            raise ConfigError(f"Sparsify.permute orders channels for a pattern of single ones, got {got}.")
        if kind is not None and gradual:
            raise ConfigError(
                f"The pattern {self.pattern} is chosen once, got schedule '{self.schedule}': use 'one-shot', "
                "and train with the zeros kept."
            )
        if gradual and self.train is None:
            raise ConfigError(f"The schedule '{self.schedule}' adds zeros while it trains: set Sparsify.train.")
        if SCORES[self.score].now is None and not gradual:
            raise ConfigError(
                f"The score '{self.score}' is a sum over a training, got schedule 'one-shot': use 'cubic' or 'steps'."
            )
        if gradual and self.train is not None and (self.train.ema_decay or self.train.patience):
            raise ConfigError(
                f"A training with the schedule '{self.schedule}' runs to its end and averages no weights, which are 0 "
                "only at last: leave ema_decay and patience out."
            )

    @property
    def kind(self) -> Pattern | None:
        """The pattern as what it says."""
        return None if self.pattern is None else parse_pattern(self.pattern)

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model with zeros; `workdir` holds the checkpoint of its training.

        Raises:
            BudgetError: more zeros than a weight for each layer allows.
            ConfigError: no layer can follow the pattern, or none is left to make sparse.
            UnsupportedError: the model is quantized.
        """
        net = copy.deepcopy(captured(job))
        names = list(counted_layers(net, whole=self.whole, keep_ends=self.keep_ends))
        before = evaluate(net, job.task, job.data, "val")
        if self.schedule == "one-shot":
            net, details = choose_once(net, names, self, job, progress=progress)
        else:
            net, details = train_sparser(net, names, self, job, progress=progress)
        details |= accounts(net, self)
        return StageResult(
            model=net,
            score=evaluate(net, job.task, job.data, "val"),
            cost=cost_of(net, job.device, "float32"),
            notes=tuple(notes(details)),
            details={"score_before": before.value, **details},
        )
