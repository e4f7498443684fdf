"""K-fold cross-validation: every image is judged once, by a model that had no part of it.

    train and val together -> K folds -> each: learn from the others, choose the epoch on a part of them, judge on it

The test split has no part in it: it stays for the model that is made afterwards.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..data import Data, Images
from ..data.dataset import fingerprint_of
from ..data.splits import VAL_SHARE_SMALL, choose
from ..errors import ConfigError, DataError
from ..files import writable_folder, write_json
from ..progress import SILENT, Progress
from ..runs import load_final_model
from ..seeding import derive
from ..tasks import evaluate
from ..types import Job, Score, Stage, plain
from .flow import prepared
from .single import run_stage

FOLDS_FILE, FOLDS_FORMAT = "folds.json", "edgewright.folds/1"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One fold: the run that learnt from the others, its score on this one, and on the part that chose its epoch."""

    number: int  # from 1
    folder: str
    score: Score
    score_val: Score


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """What all folds say together; `folder` holds their runs and `folds.json`."""

    folder: Path
    folds: tuple[Fold, ...]
    content: dict[str, Any]

    @property
    def mean(self) -> float:
        """Of the folds' scores, in points."""
        return statistics.fmean(each.score.value for each in self.folds)

    @property
    def std(self) -> float:
        """Their standard deviation (n - 1), in points.

        The folds share most of their training images, so the error of the mean is more than this over sqrt(K), by a
        factor that no estimate from the folds can tell. Source: Bengio and Grandvalet 2004, JMLR 5.
        """
        return statistics.stdev(each.score.value for each in self.folds)


def cross_validate(
    job: Job, stage: Stage, *, num_folds: int, out: Path | str, resume: bool = False, progress: Progress = SILENT
) -> CrossValidation:
    """Run a stage once per fold, from the same model, and judge each result on the fold that it has not seen.

    Args:
        job: its train and val splits together make the folds.
        stage: a training.
        num_folds: K, from 2.
        out: a folder for the K run directories, each a MODEL, and for the summary.
        resume: folds that are finished are not run again, and one that was interrupted goes on.

    Raises:
        ConfigError: fewer than 2 folds, or a folder that cannot be written.
        DataError: a class with fewer images than folds.
        UserError: model or data cannot be used.
    """
    parts = fold_data(job.data, num_folds, seed=job.seed)
    prepared(replace(job, data=parts[0]))  # what cannot work is refused before a folder is made
    folder = writable_folder(Path(out))
    folds = []
    for number, data in enumerate(parts, start=1):
        progress.note(f"Fold {number} of {num_folds}")
        path = folder / f"fold-{number}-of-{num_folds}"
        report = run_stage(replace(job, data=data), stage, name="train", out=path, resume=resume, progress=progress)
        score = evaluate(load_final_model(path), job.task, data, "test")
        score_val = Score(**report.content["scores"]["after"])
        folds.append(Fold(number=number, folder=path.name, score=replace(score, split="fold"), score_val=score_val))
    found = CrossValidation(folder=folder, folds=tuple(folds), content={})
    content = {
        "format": FOLDS_FORMAT, "model": job.model_name, "data": job.data.name, "seed": job.seed,
        "settings": plain(stage), "mean": found.mean, "std": found.std, "folds": plain(folds),
    }  # fmt: skip
    write_json(folder / FOLDS_FILE, content)
    return replace(found, content=content)


def fold_data(data: Data, num_folds: int, *, seed: int) -> tuple[Data, ...]:
    """K data sets whose "test" splits are disjoint, hold every image of train and val, and all classes alike.

    A fifth of the other images, drawn per class, becomes the "val" that chooses the epoch. Where the preprocessing
    is that of the train split, each data set measures it afresh without its fold.

    Raises:
        ConfigError: fewer than 2 folds.
        DataError: a class with fewer images than folds.
    """
    from sklearn.model_selection import StratifiedKFold

    pool = _joined(data.split("train"), data.split("val"))
    _check_folds(pool, data, num_folds)
    splitter = StratifiedKFold(num_folds, shuffle=True, random_state=derive(seed, "folds") % 2**32)
    labels = pool.labels_B.numpy()
    is_own = data.fitted_to(data.preprocess.shape).preprocess == data.preprocess
    made = []
    for number, (others, fold) in enumerate(splitter.split(labels[:, None], labels), start=1):
        rest = pool.take(torch.from_numpy(others))
        held = choose(rest.labels_B, VAL_SHARE_SMALL, seed, f"folds.val.{number}")
        learns = torch.ones(len(rest), dtype=torch.bool)
        learns[held] = False
        splits = {
            "train": rest.take(learns.nonzero().flatten()),
            "val": rest.take(held),
            "test": pool.take(torch.from_numpy(fold)),
        }
        made.append(_of_fold(data, splits, f"fold {number} of {num_folds}", measure=is_own))
    return tuple(made)


def _of_fold(data: Data, splits: dict[str, Images], name: str, *, measure: bool) -> Data:
    made = replace(
        data,
        name=f"{data.name}, {name}",
        splits=splits,
        fingerprint=fingerprint_of(splits, data.class_names),
        provenance={**data.provenance, "fold": name, "fold_of": data.fingerprint},
    )
    return made.fitted_to(data.preprocess.shape) if measure else made


def _joined(first: Images, second: Images) -> Images:
    """The images of two splits, one behind the other."""
    parts, repeats = (first, second), None
    if any(part.repeats_B is not None for part in parts):
        each = (torch.ones_like(part.labels_B) if part.repeats_B is None else part.repeats_B for part in parts)
        repeats = torch.cat(list(each))
    return Images(
        images_BCHW=torch.cat([part.images_BCHW for part in parts]),
        labels_B=torch.cat([part.labels_B for part in parts]),
        repeats_B=repeats,
    )


def _check_folds(pool: Images, data: Data, num_folds: int) -> None:
    if num_folds < 2:
        raise ConfigError(f"Cross-validation needs 2 folds or more, got {num_folds}: 5 and 10 are usual.")
    counts = pool.labels_B.bincount(minlength=data.num_classes)
    few = int(counts.argmin())
    # one in each fold, and beside it one to learn from and one to choose the epoch by
    if int(counts[few]) < max(num_folds, 4):
        raise DataError(
            f"Class '{data.class_names[few]}' has {int(counts[few])} images in train and val, and {num_folds} folds "
            f"need {max(num_folds, 4)} of each class: use fewer folds, or add images."
        )
