"""From a stored image to a decision: reading, preparing, the model, and the task's decision, each timed apart.

Axes: B images, C channels, H rows, W columns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data import Preprocess, load_data
from ..data.decode import SUFFIXES, decode
from ..errors import ConfigError, DataError
from ..progress import SILENT, Progress
from ..tasks import Classify
from .timing import Clock, Model, Timing, in_turn, without_garbage_collection

MOST_SAMPLES = 64  # enough that one image's compression does not decide
FOLDER = "folder:"


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Real images, as they lie: files that are read and decoded each time, or pixels in memory.

    `take` gives uint8 (1, C, H, W), one tensor an image.
    """

    name: str
    num: int
    take: Callable[[Sequence[int]], list[torch.Tensor]]
    from_files: bool


@dataclass(frozen=True, kw_only=True)
class EndToEnd:
    """Median seconds per call of each stage, and of the whole; a call is a batch.

    `decode_s` is None where the images were pixels in memory already. `share_of_model` is the model's share of a
    call, the median over the calls.
    """

    model: str
    runtime: str
    threads: int
    batch: int
    samples: int
    decode_s: float | None
    preprocess_s: float
    model_s: float
    postprocess_s: float
    whole_s: float
    whole_p95_s: float
    whole_p99_s: float
    images_per_s: float
    share_of_model: float
    runs: int


def read_samples(
    spec: str,
    *,
    root: Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    channels: int | None = None,
) -> Samples:
    """Images of a data set: for `folder:PATH` the files themselves, for any other its test split in memory.

    Args:
        spec: as `data.load_data` takes it; `root`, `download`, `image_size` and `channels` too.

    Raises:
        DataError, LookupFailed, ConfigError: what is wrong with the data.
    """
    if spec.startswith(FOLDER):
        return _from_files(Path(root or "") / spec.removeprefix(FOLDER), spec, image_size, channels)
    loaded = load_data(spec, root=root, download=download, image_size=image_size, channels=channels)
    pixels_BCHW = loaded.split("test").images_BCHW[:MOST_SAMPLES]
    images = list(pixels_BCHW.split(1))
    return Samples(name=spec, num=len(images), take=lambda where: [images[i] for i in where], from_files=False)


def _from_files(folder: Path, spec: str, image_size: int | None, channels: int | None) -> Samples:
    if not folder.is_dir():
        raise DataError(f"The image folder {folder} does not exist: check the path after `folder:`.")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise DataError(f"{folder} holds no images ({', '.join(SUFFIXES)}): check the path after `folder:`.")
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, min(MOST_SAMPLES, len(files))).astype(int)]

    def take(where: Sequence[int]) -> list[torch.Tensor]:
        sources = [(str(chosen[i]), chosen[i]) for i in where]
        return [torch.from_numpy(decode([each], image_size=image_size, channels=channels)) for each in sources]

    return Samples(name=spec, num=len(chosen), take=take, from_files=True)


def preprocess_for(shape: tuple[int, ...], known: Mapping[str, Any] | None) -> Preprocess:
    """The steps before the model. Statistics that nobody knows are 0.5: other values take the same time.

    Raises:
        ConfigError: the model does not take images of 1 or 3 channels.
    """
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ConfigError(f"The model takes inputs of shape {shape}, and images have shape (1, H, W) or (3, H, W).")
    mean, std = ((known or {}).get(key) or (0.5,) * shape[0] for key in ("mean", "std"))
    return Preprocess(shape=(shape[0], shape[1], shape[2]), mean=tuple(mean), std=tuple(std))


def time_end_to_end(
    models: Mapping[tuple[str, str], tuple[Model, Preprocess]],
    samples: Samples,
    *,
    timing: Timing,
    progress: Progress = SILENT,
    clock: Clock = time.perf_counter,
) -> tuple[EndToEnd, ...]:
    """Time whole decisions, in turns like `race`: (name, runtime) -> (model, its preprocessing).

    Raises:
        ConfigError: a model gives no class scores, so there is nothing to decide.
    """
    keys = list(models)
    taken: dict[tuple[str, str], list[tuple[float, ...]]] = {key: [] for key in keys}
    tasks = {key: _task(*models[key], samples, key[0]) for key in keys}
    with progress.task("Time whole decisions", total=timing.turns) as bar, without_garbage_collection():
        for turn in range(timing.turns):
            for key in in_turn(keys, turn):
                taken[key] += _turn(*models[key], samples, tasks[key], timing=timing, clock=clock)
            bar.advance()
    return tuple(_summary(key, taken[key], samples, timing) for key in keys)


def _task(model: Model, preprocess: Preprocess, samples: Samples, name: str) -> Classify:
    """Top-1 over as many classes as the model has; also the first, untimed call."""
    outputs = model(prepare(samples.take([0]), preprocess))
    width = outputs.shape[1] if getattr(outputs, "ndim", 0) == 2 else 0
    if width < 2:
        got = tuple(outputs.shape) if hasattr(outputs, "shape") else type(outputs).__name__
        raise ConfigError(f"{name} gives {got} and no class scores to decide on: leave out --data.")
    return Classify(num_classes=width)


def prepare(images: Sequence[torch.Tensor], preprocess: Preprocess) -> torch.Tensor:
    """Model input (B, C, H, W) of uint8 images (1, C, H, W); those of one size together, others one by one."""
    if len({image.shape for image in images}) == 1:
        return preprocess(torch.cat(list(images)) if len(images) > 1 else images[0])
    return torch.cat([preprocess(image) for image in images])


def _turn(
    model: Model, preprocess: Preprocess, samples: Samples, task: Classify, *, timing: Timing, clock: Clock
) -> list[tuple[float, ...]]:
    """Marks of each call: before, decoded, prepared, run, decided. The first call of a turn does not count."""
    marks: list[tuple[float, ...]] = []
    began = clock()
    for call in count():
        where = [(call * timing.batch + i) % samples.num for i in range(timing.batch)]
        start = clock()
        images = samples.take(where)
        decoded = clock()
        inputs = prepare(images, preprocess)
        prepared = clock()
        outputs = model(inputs)
        ran = clock()
        task.decode(outputs).tolist()
        done = clock()
        marks.append((start, decoded, prepared, ran, done))
        if len(marks) > timing.runs or (done - began >= timing.seconds and len(marks) > 3):
            return marks[1:]
    raise AssertionError("count() does not end")


def _summary(key: tuple[str, str], marks: Sequence[tuple[float, ...]], samples: Samples, timing: Timing) -> EndToEnd:
    steps = np.diff(np.asarray(marks), axis=1)
    decode_s, preprocess_s, model_s, postprocess_s = (float(value) for value in np.median(steps, axis=0))
    whole = steps.sum(axis=1)
    median, p95, p99 = (float(value) for value in np.percentile(whole, [50, 95, 99]))
    return EndToEnd(
        model=key[0], runtime=key[1], threads=timing.threads, batch=timing.batch, samples=samples.num,
        decode_s=decode_s if samples.from_files else None, preprocess_s=preprocess_s, model_s=model_s,
        postprocess_s=postprocess_s, whole_s=median, whole_p95_s=p95, whole_p99_s=p99,
        images_per_s=timing.batch / median, share_of_model=float(np.median(steps[:, 2] / whole)), runs=len(marks),
    )  # fmt: skip
