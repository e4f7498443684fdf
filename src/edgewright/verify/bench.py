"""Speed of model files: latency in turns, and cold start and memory each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ConfigError, ExportError
from ..progress import SILENT, Progress
from ..types import MANIFEST_FILE
from .artifact import read_artifact
from .runner import OnnxRunner
from .timing import Latency, Timing, race

# A process that imports nothing but the runtime: what an application pays before its first answer.
PROBE = """
import json, resource, sys, time
import numpy as np
import onnxruntime as ort
def peak():
    try:  # the high-water mark of this program alone; getrusage remembers the one that started it
        lines = open("/proc/self/status").read().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
path, threads, shape = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
options = ort.SessionOptions()
options.intra_op_num_threads, options.log_severity_level = threads, 3
image = np.zeros(shape, np.float32)
before = peak()
began = time.perf_counter()
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
loaded = time.perf_counter()
session.run(None, {session.get_inputs()[0].name: image})
done = time.perf_counter()
print(json.dumps({"load_s": loaded - began, "first_s": done - loaded, "before": before, "peak": peak()}))
"""


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """One file. Memory is the resident set: `peak_rss_bytes` of the whole process, `added_rss_bytes` by the model."""

    path: str
    num_bytes: int
    latency: Latency
    samples_per_second: float
    load_s: float
    first_s: float  # the first call, after loading
    peak_rss_bytes: int
    added_rss_bytes: int


def bench(paths: Sequence[Path], *, timing: Timing | None = None, progress: Progress = SILENT) -> tuple[BenchRow, ...]:
    """Measure several files (artifact folders or `.onnx` files) side by side, in turns.

    Raises:
        ConfigError: no file, or files that take different inputs.
        DataError: a file is missing or damaged.
    """
    timing = timing or Timing()
    models = [_model_file(Path(path)) for path in paths]
    runners = {str(path): OnnxRunner(model, threads=timing.threads) for path, model in zip(paths, models, strict=True)}
    if not runners:
        raise ConfigError("There is nothing to measure: give artifact folders or .onnx files.")
    shape = _shared_shape(runners, timing.batch)
    images_BCHW = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    times = race(runners, images_BCHW, timing=timing, progress=progress).latencies
    return tuple(_row(path, model, each, shape) for path, model, each in zip(runners, models, times, strict=True))


def _model_file(path: Path) -> Path:
    return read_artifact(path).model_path if path.is_dir() or path.name == MANIFEST_FILE else path


def _shared_shape(runners: dict[str, OnnxRunner], batch: int) -> tuple[int, ...]:
    shapes = {path: tuple(runner.input_shape[1:]) for path, runner in runners.items()}
    first = next(iter(shapes))
    for path, shape in shapes.items():
        if shape != shapes[first]:
            raise ConfigError(f"{path} takes {list(shape)}, {first} takes {list(shapes[first])}: measure them apart.")
        if not all(isinstance(size, int) for size in shape):
            raise ConfigError(f"{path} takes inputs of no fixed size ({list(shape)}): export it for one size.")
    return (batch, *shapes[first])


def _row(path: str, model: Path, latency: Latency, shape: tuple[int, ...]) -> BenchRow:
    command = [sys.executable, "-c", PROBE, str(model), str(latency.threads), json.dumps(shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1][:200]
        raise ExportError(f"{model} does not start in a process of its own ({reason}).")
    found = json.loads(done.stdout)
    return BenchRow(
        path=path, num_bytes=model.stat().st_size, latency=latency, samples_per_second=latency.per_second,
        load_s=found["load_s"], first_s=found["first_s"], peak_rss_bytes=found["peak"],
        added_rss_bytes=found["peak"] - found["before"],
    )  # fmt: skip
