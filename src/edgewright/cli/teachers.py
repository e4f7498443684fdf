"""Teachers that are not a net in hand: a file in ONNX Runtime, and answers that are kept on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..compress.distill import Frozen, KeptAnswers
from ..errors import ConfigError
from ..files import sha256_file
from ..model import fingerprint
from ..types import MANIFEST_FILE, Job
from ..verify import OnnxRunner
from ..verify.artifact import read_artifact
from .load import Loaded


def in_runtime(spec: str, input_shape: tuple[int, ...]) -> Loaded | None:
    """An .onnx file or an artifact as a teacher that ONNX Runtime answers for; None for any other MODEL.

    Args:
        input_shape: (C, H, W) of the student's images.

    Raises:
        DataError, UnsupportedError: the file is damaged, or the runtime does not load it.
        ConfigError: it takes other images.
    """
    path, mean, std = Path(spec), None, None
    if (path / MANIFEST_FILE).is_file():
        artifact = read_artifact(path)
        path, preprocess = artifact.model_path, artifact.manifest["preprocess"]
        mean, std = (tuple(preprocess[key]) if preprocess.get(key) else None for key in ("mean", "std"))
    if path.suffix != ".onnx":
        return None
    runner = OnnxRunner(path)
    taken = runner.input_shape[1:]
    if len(taken) != len(input_shape) or any(
        isinstance(size, int) and size != own for size, own in zip(taken, input_shape, strict=True)
    ):
        raise ConfigError(
            f"The teacher {spec} takes inputs {taken} and the student {input_shape}: choose one size for both with "
            "--image-size and --channels."
        )
    teacher = Frozen(runner, identity=f"{runner.runtime} {sha256_file(path)[:16]}")
    return Loaded(net=teacher, name=path.stem, trained=True, mean=mean, std=std)  # type: ignore[arg-type]


def with_kept_answers(job: Job, folder: Path, *, augment: str) -> tuple[Job, KeptAnswers]:
    """The job with a teacher whose answers are kept in `folder`.

    Args:
        augment: of the training; with "none" the answers of the whole train split are made once.
    """
    assert job.teacher is not None
    identity = getattr(job.teacher, "identity", None) or fingerprint(job.teacher)  # type: ignore[arg-type]
    kept = KeptAnswers(
        job.teacher, identity=identity.replace(" ", "-"), folder=folder,
        whole_split=job.data if augment == "none" else None,
    )  # fmt: skip
    return dataclasses.replace(job, teacher=kept), kept


def told(kept: KeptAnswers) -> str:
    """How many answers were there already, in one line."""
    found, asked = kept.num_found, kept.num_asked
    line = f"answers: {found:,} found in {kept.folder}, {asked:,} asked of the teacher"
    if kept.whole_split is None and not found:
        line += "; augmented images are new in every epoch: the same seed and training with another kind finds them"
    return line
