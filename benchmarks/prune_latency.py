"""Half the MACs cut: how much faster is one image? Pruned against dense in ONNX Runtime, beside torch-pruning.

    OMP_NUM_THREADS=1 python benchmarks/prune_latency.py [--only NAME,...] [--folder DIR] [--out FILE.json]

Three torchvision models with random weights of one seed at 224 x 224, batch 1, one thread. Cuts keep at most half the
MACs as by default (no group below four steps), with widths in steps of 8, 16 and 32 channels (a step may be all that is
left), and by chance widths (steps of 1) to show what rounding is worth.
All files of a model are timed in turns in one process; a speed-up is the dense median over the cut one's within a turn,
median over the turns; the same of the processor's own time per call, which waiting for a core is no part of. MACs of
every file are counted by one counter. About 6 minutes; `--folder` keeps the files, and a second run times them again.
The peer: pip install torch-pruning.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import fx

from edgewright.analyze import profile
from edgewright.compress.prune import Planner, Prune
from edgewright.devices import device
from edgewright.devices.machine import cpu_name, package_versions
from edgewright.export import export_onnx
from edgewright.files import write_json
from edgewright.model import capture
from edgewright.types import Job
from edgewright.verify import Latency, OnnxRunner, Timing, race
from edgewright.verify.conditions import load_average
from edgewright.verify.runner import open_session
from edgewright.verify.timing import turn_ratios
from edgewright.zoo import resolve

OUT = Path(__file__).parent / "results" / "prune_latency.json"
MODELS = ("torchvision:resnet18", "torchvision:resnet50", "torchvision:mobilenet_v2")
KEEP, SEED, DENSE = 0.5, 0, "dense"
TIMING = Timing(turns=9, runs=20, seconds=0.4)
PACKAGES = ("torch", "torchvision", "onnxruntime", "torch-pruning", "numpy")
PEER_HALVINGS = 7  # of the ratio: with global ranking it is a share of all channels, not of the MACs


@cache
def dense(spec: str) -> fx.GraphModule:
    """The model as it comes."""
    found = resolve(spec, num_classes=None, seed=SEED)
    return capture(found.model, found.input_shape, name=spec)


def ours(spec: str, **steps: int) -> fx.GraphModule:
    """Cut by our planner: weights alone decide, no image is looked at."""
    settings = Prune(keep_macs=KEEP, score="l2", sensitivity_samples=0, **steps)
    planner = Planner(Job(model=dense(spec), task=None, data=None, device=device("generic-x86")), settings)
    return planner.apply(planner.plan(KEEP))


def peer(spec: str, round_to: int) -> fx.GraphModule:
    """Cut by torch-pruning: global group magnitude, at the smallest ratio that leaves at most KEEP of the MACs."""
    low, high = 0.0, 1.0
    best: Any = None  # a ratio near 1 always leaves less
    for _ in range(PEER_HALVINGS):
        middle = (low + high) / 2
        net, share = _peer_cut(spec, round_to, middle)
        low, high, best = (low, middle, net) if share <= KEEP else (middle, high, best)
    return capture(best, resolve(spec, num_classes=None, seed=SEED).input_shape, name=spec)


def _peer_cut(spec: str, round_to: int, ratio: float) -> tuple[torch.nn.Module, float]:
    """A model cut by its own notion of a ratio, and the share of its MACs that is left."""
    import torch_pruning

    found = resolve(spec, num_classes=None, seed=SEED)
    example = torch.zeros(1, *found.input_shape)
    whole, _ = torch_pruning.utils.count_ops_and_params(found.model, example)
    torch_pruning.pruner.BasePruner(
        found.model, example, importance=torch_pruning.importance.GroupMagnitudeImportance(p=2), global_pruning=True,
        pruning_ratio=ratio, round_to=round_to,
        ignored_layers=[layer for layer in found.model.modules() if isinstance(layer, torch.nn.Linear)],
    ).step()  # fmt: skip
    return found.model, torch_pruning.utils.count_ops_and_params(found.model, example)[0] / whole


WAYS: Mapping[str, Callable[[str], fx.GraphModule]] = {
    DENSE: dense,
    "edgewright, as by default": ours,
    **{f"edgewright, steps of {step}": partial(ours, round_to=step, min_steps=1) for step in (8, 16, 32, 1)},
    "torch-pruning, round_to 8": partial(peer, round_to=8),
}


def written(spec: str, way: str, folder: Path) -> dict[str, Any]:
    """The file of one way with its counts; made once."""
    place = folder / spec.partition(":")[2] / way.replace(" ", "-").replace(",", "")
    facts = place / "facts.json"
    if facts.exists():
        return json.loads(facts.read_text())
    began = time.perf_counter()
    net = WAYS[way](spec)
    artifact = export_onnx(net, place, name=spec, preprocess={})
    counted = profile(net)
    row = {
        "way": way, "macs": counted.macs, "params": counted.params, "file_bytes": artifact.num_bytes,
        "widths": widths(net), "seconds": time.perf_counter() - began, "file": str(artifact.model_path),
    }  # fmt: skip
    write_json(facts, row)
    return row


def widths(net: fx.GraphModule) -> list[int]:
    """Output channels of the convolutions in order."""
    return [layer.out_channels for layer in net.modules() if isinstance(layer, torch.nn.Conv2d)]


def made(spec: str, folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of all ways; one that is not installed or fails is a row that says why."""
    for way in WAYS:
        try:
            yield written(spec, way, folder)
        except ImportError as error:
            yield {"way": way, "failure": f"not installed ({error})"}
        except Exception as error:  # a peer's failure is a result here
            yield {"way": way, "failure": f"{type(error).__name__}: {error}"[:300]}


def measure(spec: str, folder: Path) -> dict[str, Any]:
    """All files of one model in turns."""
    rows, before = list(made(spec, folder)), load_average()
    runners = {row["way"]: OnnxRunner(Path(row["file"])) for row in rows if "file" in row}
    size = runners[DENSE].input_shape[1:]
    image_BCHW = np.random.default_rng(SEED).standard_normal((1, *size), dtype=np.float32)
    found = {each.artifact: each for each in race(runners, image_BCHW, timing=TIMING).latencies}
    base, macs = found[DENSE], rows[0]["macs"]
    for row in rows:
        if path := row.pop("file", None):
            row.update(keep_macs=row["macs"] / macs, **timed(found[row["way"]], base), **layouts(Path(path)))
    return {"model": spec, "input": list(size), "load": [before, load_average()], "rows": rows}


def layouts(path: Path) -> dict[str, int]:
    """How many convolutions the runtime does in blocks of channels and how many not, and moves between the two."""
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        open_session(str(path), path, save_to=optimized)
        kinds = Counter((node.domain, node.op_type) for node in onnx.load(optimized).graph.node)
    blocked = {name: count for (domain, name), count in kinds.items() if domain.endswith("nchwc")}
    every = sum(count for (_, name), count in kinds.items() if name in ("Conv", "FusedConv"))
    moves = sum(count for name, count in blocked.items() if name.startswith("Reorder"))
    return {
        "blocked_convolutions": blocked.get("Conv", 0), "plain_convolutions": every - blocked.get("Conv", 0),
        "reorders": moves,
    }  # fmt: skip


def timed(latency: Latency, base: Latency) -> dict[str, Any]:
    """Times of one file, and how many times faster than the dense one."""
    gains = turn_ratios(base, latency)
    return {
        "median_ms": 1e3 * latency.median_s, "min_ms": 1e3 * latency.min_s, "spread": latency.spread,
        "speed_up": float(np.median(gains)), "speed_up_range": [min(gains), max(gains)],
        "speed_up_of_minima": base.min_s / latency.min_s, "cpu_ms": 1e3 * latency.cpu_s,
        "speed_up_of_cpu_time": base.cpu_s / latency.cpu_s,
    }  # fmt: skip


HEADINGS = (
    "model", "form", "MACs", "parameters", "median", "spread", "faster", "in the turns", "by processor time",
    "blocked + plain convolutions", "reorders",
)  # fmt: skip


def table(cases: Sequence[Mapping[str, Any]]) -> str:
    """The cases as a table in Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for case in cases:
        for row in case["rows"]:
            lines.append("| " + " | ".join((case["model"].partition(":")[2], row["way"], *_cells(row))) + " |")
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    if "failure" in row:
        return (row["failure"],)
    low, high = row["speed_up_range"]
    return (
        f"{row['keep_macs']:.4f}", f"{row['params'] / 1e6:.2f} M", f"{row['median_ms']:.1f} ms", f"{row['spread']:.1%}",
        f"**{row['speed_up']:.2f}**", f"{low:.2f} to {high:.2f}", f"{row['speed_up_of_cpu_time']:.2f}",
        f"{row['blocked_convolutions']} + {row['plain_convolutions']}", str(row["reorders"]),
    )  # fmt: skip


def main() -> int:
    """Measure, print and write; models that are not measured now keep what the file says of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(MODELS), help="models, with commas between them")
    parser.add_argument("--folder", type=Path, default=Path("runs/prune_latency"), help="where the files are kept")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    torch.set_num_threads(1)
    known = json.loads(given.out.read_text())["cases"] if given.out.exists() else []
    cases = {case["model"]: case for case in known}
    for spec in given.only.split(","):
        cases[spec] = measure(spec, given.folder)
        print(table([cases[spec]]), flush=True)
        write_json(given.out, {**facts(), "cases": [cases[each] for each in MODELS if each in cases]})
    return 0


def facts() -> dict[str, Any]:
    """What every number must not travel without."""
    return {
        "command": "python benchmarks/prune_latency.py", "machine": cpu_name(), "python": platform.python_version(),
        "versions": package_versions(PACKAGES), "threads": TIMING.threads, "turns": TIMING.turns, "seed": SEED,
        "keep_macs": KEEP,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
