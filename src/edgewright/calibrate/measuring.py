"""Timing one model file in ONNX Runtime: calls as they are, then calls with the runtime's own profiler."""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from .slots import NodeTime, Sample
from .subjects import Subject

WARM_UP = 3
CALLS = (6, 40)  # at least and at most
SECONDS = 0.25  # of calls, unless the least number takes longer
QUIET = 25  # percentile: what a call takes when nothing else is on
FASTEST = 8  # of so many calls of a node one counts: the runtime reads a clock that runs on while others have the core


def measure_file(subject: Subject, *, threads: int) -> Sample:
    """`measure` of a prepared subject; of a whole model the total is enough."""
    return measure(subject.model_path, threads=threads, with_nodes=subject.net is not None)


def measure(path: Path, *, threads: int, with_nodes: bool) -> Sample:
    """Seconds per call of the model at batch 1, and of each of its nodes on request.

    On one thread, what counts is the processor's time of that thread: the latency where nothing else runs, whatever
    else runs here. The profiler slows a model down, so the total is timed without it.
    """
    data = path.read_bytes()
    image = np.random.default_rng(0).standard_normal(_input_shape(onnx.load_from_string(data)), dtype=np.float32)
    clock = time.thread_time if threads == 1 else time.perf_counter
    total_s = float(np.percentile(_calls(_session(data, threads=threads), image, clock), QUIET))
    if not with_nodes:
        return Sample(total_s=total_s)
    with tempfile.TemporaryDirectory(prefix="edgewright-") as folder:
        session = _session(data, threads=threads, profile=Path(folder) / "nodes")
        _calls(session, image, clock)
        events = json.loads(Path(session.end_profiling()).read_text())
    return Sample(total_s=total_s, nodes=_node_times(events))


def _input_shape(model: onnx.ModelProto) -> tuple[int, ...]:
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    return (1, *(size.dim_value for size in sizes[1:]))


def _session(data: bytes, *, threads: int, profile: Path | None = None) -> Any:
    """As `verify` opens its own, which this room may not import; here with the profiler on request."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _calls(session: Any, image_BCHW: np.ndarray, clock: Callable[[], float]) -> list[float]:
    feed = {session.get_inputs()[0].name: image_BCHW}
    for _ in range(WARM_UP):
        session.run(None, feed)
    taken: list[float] = []
    while len(taken) < CALLS[0] or (len(taken) < CALLS[1] and sum(taken) < SECONDS):
        began = clock()
        session.run(None, feed)
        taken.append(clock() - began)
    return taken


def _node_times(events: list[dict[str, Any]]) -> tuple[NodeTime, ...]:
    """In order of execution, per node the mean of its fastest eighth: the profiler counts whole microseconds."""
    durations: dict[str, list[int]] = defaultdict(list)
    types: dict[str, str] = {}
    for event in events:
        name = event["name"]
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            durations[name].append(event["dur"])
            types[name] = event["args"]["op_name"]
    return tuple(
        NodeTime(name=name.removesuffix("_kernel_time"), type=types[name], seconds=1e-6 * _fastest(values))
        for name, values in durations.items()
    )


def _fastest(values: list[int]) -> float:
    kept = sorted(values[WARM_UP:])
    return float(np.mean(kept[: max(1, len(kept) // FASTEST)]))
