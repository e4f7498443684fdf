"""Cross-validation: folds that are disjoint and whole, runs that go on, and scores of images never learnt from."""

import dataclasses
import json
import statistics
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn

from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ConfigError, DataError
from edgewright.pipeline import cross_validate
from edgewright.pipeline.folds import fold_data
from edgewright.runs import load_final_model, read_run
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.types import Job

DIGITS = load_data("digits")
QUICK = Train(epochs=1, batch_size=128, lr=0.02, augment="none")


def tiny_job(data=DIGITS) -> Job:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    return Job(model=net, task=Classify(num_classes=10), data=data, device=device("generic-x86"), trained=False)


def images(part) -> list[bytes]:
    return [each.numpy().tobytes() for each in part.images_BCHW]


@pytest.mark.parametrize("num_folds", [2, 5])
def test_folds_are_disjoint_and_hold_every_image_of_train_and_val_once(num_folds):
    parts = fold_data(DIGITS, num_folds, seed=0)
    judged = sorted(each for data in parts for each in images(data.split("test")))
    assert judged == sorted(images(DIGITS.split("train")) + images(DIGITS.split("val")))
    for data in parts:
        seen = sorted(each for split in data.splits.values() for each in images(split))
        assert seen == judged  # every other image is learnt from or chooses the epoch


@settings(max_examples=10)
@given(num_folds=some.integers(2, 9), seed=some.integers(0, 1000))
def test_every_fold_has_its_share_of_every_class(num_folds, seed):
    counts = np.stack([np.bincount(data.split("test").labels_B, minlength=10)
                       for data in fold_data(DIGITS, num_folds, seed=seed)])  # fmt: skip
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1


def test_the_test_split_has_no_part_in_it():
    kept_out = set(images(DIGITS.split("test"))) - set(images(DIGITS.split("train")) + images(DIGITS.split("val")))
    used = {each for data in fold_data(DIGITS, 3, seed=0) for split in data.splits.values() for each in images(split)}
    assert not used & kept_out


def test_folds_measure_their_own_preprocessing_and_keep_that_of_a_trained_model():
    first, second = fold_data(DIGITS, 2, seed=0)
    assert first.preprocess.mean != second.preprocess.mean != DIGITS.preprocess.mean
    trained_on = DIGITS.fitted_to((1, 8, 8), mean=(0.5,), std=(0.25,))
    assert {data.preprocess.mean for data in fold_data(trained_on, 2, seed=0)} == {(0.5,)}


def test_another_seed_makes_other_folds_with_another_name_of_their_content():
    one, same, other = (fold_data(DIGITS, 2, seed=seed)[0].fingerprint for seed in (0, 0, 1))
    assert one == same != other
    assert one != fold_data(DIGITS, 2, seed=0)[1].fingerprint != DIGITS.fingerprint


def test_images_that_are_repeated_stay_so():
    train = DIGITS.split("train")
    marked = replace(train, repeats_B=torch.where(train.labels_B == 3, 4, 1))
    data = replace(DIGITS, splits={**DIGITS.splits, "train": marked})
    part = fold_data(data, 2, seed=0)[0].split("train")
    assert set(part.repeats_B[part.labels_B == 3].tolist()) == {1, 4}  # those of val once
    assert set(part.repeats_B[part.labels_B != 3].tolist()) == {1}


@pytest.mark.slow
def test_each_fold_is_a_run_and_is_scored_on_what_it_has_not_seen(tmp_path):
    job = tiny_job()
    found = cross_validate(job, QUICK, num_folds=3, out=tmp_path / "cv")
    scores = []
    for number, data in enumerate(fold_data(job.data, 3, seed=0), start=1):
        folder = tmp_path / "cv" / f"fold-{number}-of-3"
        assert read_run(folder)["data"]["name"] == f"digits, fold {number} of 3"
        scores.append(evaluate(load_final_model(folder), job.task, data, "test").value)
    assert [each.score.value for each in found.folds] == scores
    assert (found.mean, found.std) == (statistics.fmean(scores), statistics.stdev(scores))
    assert found.mean > 60
    assert json.loads((tmp_path / "cv" / "folds.json").read_text()) == found.content
    assert found.content["mean"] == found.mean and len(found.content["folds"]) == 3

    again = cross_validate(job, QUICK, num_folds=3, out=tmp_path / "cv", resume=True)
    assert again.content == found.content
    assert [stage["cached"] for stage in read_run(folder)["stages"]] == [True, True]


@pytest.mark.parametrize(
    ("num_folds", "error", "words"),
    [(1, ConfigError, "needs 2 folds or more, got 1"), (150, DataError, "150 folds need 150 of each class")],
)
def test_folds_that_cannot_be_made_are_told_and_nothing_is_written(num_folds, error, words, tmp_path):
    with pytest.raises(error, match=words):
        cross_validate(tiny_job(), QUICK, num_folds=num_folds, out=tmp_path / "cv")
    assert not (tmp_path / "cv").exists()


def test_a_model_that_does_not_suit_the_task_leaves_no_folder(tmp_path):
    from edgewright.errors import ModelError

    with pytest.raises(ModelError, match="10"):
        cross_validate(dataclasses.replace(tiny_job(), model=nn.Flatten()), QUICK, num_folds=2, out=tmp_path / "cv")
    assert not (tmp_path / "cv").exists()
