"""`Cluster`: the settings of weight sharing, which are also the stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx, nn

from ...errors import ConfigError, ModelError, unknown_name
from ...model.coded import CodedModel, encode_model
from ...model.fold import fold_batch_norms
from ...progress import SILENT, Progress
from ...seeding import numpy_generator
from ...tasks import evaluate
from ...train import Train, TrainOutcome, train_weights
from ...types import Job, StageResult, plain
from .kmeans import INITS
from .sharing import KINDS, Sharing, cluster_layers, shared_twin, unshared

Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]
MOST_BITS = 8
CENTROIDS = Train(epochs=2, batch_size=128, lr=1e-4, weight_decay=0.0, warmup_epochs=0.1)
"""How centroids are fine-tuned: a step of Adam moves a value by about `lr`, whatever the number of its weights."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Let the weights of each convolution and linear layer take at most `2^bits` values: the centroids of k-means.

    Weights that are zero stay zero, and zero is one of the values. Biases and norms stay as they are.

    Args:
        bits: of the number of a value, 1 to 8; or by kind of layer, for instance {"conv": 8, "linear": 5}.
        init: where k-means begins: "linear" from the least to the largest weight, "density" by rank, "random".
        fold: put batch norms into the layers before them first: there is then less to store beside the weights.
        train: how the values are fine-tuned, each by the sum of the gradients of its weights; biases and norms learn
            with them. None leaves the centroids.
    """

    bits: int | Mapping[str, int] = 5
    init: Literal["linear", "density", "random"] = "linear"
    fold: bool = True
    train: Train | None = None

    def __post_init__(self) -> None:
        if isinstance(self.bits, Mapping) and set(self.bits) != set(KINDS.values()):
            raise ConfigError(f"Cluster.bits by kind names conv and linear, got {', '.join(self.bits) or 'none'}.")
        for value in self.bits_by_kind.values():
            if not isinstance(value, int) or not 1 <= value <= MOST_BITS:
                raise ConfigError(f"Cluster.bits is a whole number from 1 to {MOST_BITS}, got {value!r}.")
        if self.init not in INITS:
            raise unknown_name("start of k-means", self.init, INITS, command="edgewright cluster --help")

    @property
    def bits_by_kind(self) -> dict[str, Any]:
        bits = self.bits
        return dict(bits) if isinstance(bits, Mapping) else dict.fromkeys(KINDS.values(), bits)

    def run(self, job: Job, *, progress: Progress = SILENT, loss: Loss | None = None) -> StageResult:
        """The job's model with shared weights; `workdir` holds the checkpoint of the fine-tuning.

        `cost` is None: weights are computed with as they were. What they take on disk is in `details`.

        Args:
            loss: replaces the task's loss in the fine-tuning, for instance to imitate a teacher.

        Raises:
            ModelError: there is no layer to cluster, or the fine-tuning diverges.
        """
        net: fx.GraphModule = fold_batch_norms(job.model)[0] if self.fold else job.model  # type: ignore[arg-type, assignment]
        generator = numpy_generator(job.seed, "cluster.init")
        sharings = cluster_layers(net, bits=self.bits_by_kind, init=self.init, generator=generator)
        if not any(len(each.codebook_K) for each in sharings):
            raise ModelError(f"{job.model_name} has no convolution or linear layer whose weights could be shared.")
        twin, outcome = shared_twin(net, sharings), None
        if self.train is not None:
            outcome = train_weights(
                twin, task=job.task, data=job.data, settings=self.train, seed=job.seed, checkpoint=job.workdir,
                loss=loss, accelerator=job.accelerator, progress=progress,
            )  # fmt: skip
        clustered = unshared(net, outcome.net if outcome else twin).eval()
        facts = {"name": job.model_name, "preprocess": plain(job.data.preprocess), "class_names": job.data.class_names}
        coded = encode_model(clustered, facts=plain(facts))  # as `export` writes it: they are part of its size
        return StageResult(
            model=clustered,
            score=evaluate(clustered, job.task, job.data, "val"),
            cost=None,
            notes=_notes(sharings, coded, outcome),
            details=_details(sharings, coded, outcome),
        )


def _details(sharings: tuple[Sharing, ...], coded: CodedModel, outcome: TrainOutcome | None) -> dict[str, Any]:
    layers = [
        {"layer": each.layer, "kind": each.kind, "weights": each.indices.numel(), "values": each.num_values,
         "sparsity": each.sparsity, "error": each.error}
        for each in sharings
    ]  # fmt: skip
    found = {"layers": layers, "coded_bytes": len(coded.data), "parts_bytes": dict(coded.parts_bytes),
             "fp32_bytes": coded.fp32_bytes}  # fmt: skip
    if outcome is not None:
        found |= {"history": plain(outcome.history), "best_epoch": outcome.best_epoch,
                  "score_before": outcome.score_before}  # fmt: skip
    return found


def _notes(sharings: tuple[Sharing, ...], coded: CodedModel, outcome: TrainOutcome | None) -> tuple[str, ...]:
    most = max(each.num_values for each in sharings)
    weights = sum(each.indices.numel() for each in sharings)
    zeros = sum(each.indices.numel() * each.sparsity for each in sharings) / weights
    notes = [
        f"The {weights:,} weights of {len(sharings)} layers take at most {most} values a layer; {zeros:.1%} are zero.",
        f"Coded: {len(coded.data):,} bytes, {coded.ratio:.1f} times smaller than {coded.fp32_bytes:,} in float32.",
    ]
    if outcome is not None:
        after = outcome.history[outcome.best_epoch - 1].score if outcome.best_epoch else outcome.score_before
        notes.append(
            f"Fine-tuned: on val {outcome.score_before:.2f} with the centroids, {after:.2f} after epoch "
            f"{outcome.best_epoch} of {len(outcome.history)}."
        )
    return tuple(notes)
