"""Deep compression: prune, share weights, Huffman. How many times smaller is the whole file, and what does it cost?

    EDGEWRIGHT_TEST_DATA=... python benchmarks/deep_compression.py [--run DIR] [--nets DIR] [--only NAME]

The claim: an AlexNet trained on Fashion-MNIST becomes at least 35 times smaller than its float32 weights, loses at most
0.5 points on the 10,000 test images, and loads back bit for bit. Beside it the same on the reference ResNet-20
(CIFAR-10, 1,000 lossless test images), a net without large layers. After every stage the model is written as a coded
file, so what each contributes is a difference of files; gzip of the same weights in float32 and int8 stands beside
them. Every stage is kept on disk: a killed run goes on where it was. About five minutes of one free core.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from deep_compression_nets import DENSE, NETS, SUBJECTS, TASK
from torch import fx

from edgewright.compress.cluster import CENTROIDS, Cluster
from edgewright.compress.prune.sparse import Sparsify
from edgewright.data import Data
from edgewright.devices import device
from edgewright.files import read_json, write_atomic, write_json
from edgewright.metrics import paired_std_error
from edgewright.model import fingerprint
from edgewright.model.coded import encode_model, load_coded
from edgewright.pipeline.given import AsGiven
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.progress import SILENT
from edgewright.runs import Run, Step, open_run
from edgewright.tasks import decide
from edgewright.train import Train
from edgewright.types import Job, Stage, plain

SEED = 0
LEAST_RATIO, MOST_DROP = 35.0, 0.5


@dataclass(frozen=True, kw_only=True)
class Case:
    """A net and the stages it goes through by name, one after the other or, `apart`, each from the dense net."""

    net: str
    stages: Mapping[str, Stage]
    apart: bool = False


FINE = replace(DENSE, epochs=4, lr=1e-3)
TUNE = replace(CENTROIDS, epochs=1)
RESNET = Train(
    epochs=1, batch_size=64, epoch_images=2560, optimizer="sgd", lr=0.01, momentum=0.9, weight_decay=5e-4,
    augment="crop-flip", warmup_epochs=0.1, keep="last",
)  # fmt: skip
RESNET_TUNE = replace(TUNE, batch_size=64, epoch_images=1280, augment="crop-flip")
CASES = {
    "alexnet28": Case(
        net="alexnet28",
        stages={
            "prune": Sparsify(sparsity=0.93, schedule="cubic", steps=20, until=0.6, train=FINE),
            "share": Cluster(bits=5, train=replace(TUNE, dtype="bfloat16", epoch_images=12_800)),
        },
    ),
    "resnet20": Case(
        net="resnet20",
        apart=True,
        stages={
            "share": Cluster(bits=5),
            "share, norms kept": Cluster(bits=5, fold=False),
            "share, density": Cluster(bits=5, init="density"),
            "share, tuned": Cluster(bits=5, train=RESNET_TUNE),
        },
    ),
    "resnet20 pruned": Case(
        net="resnet20",
        stages={
            "prune": Sparsify(sparsity=0.5, schedule="cubic", steps=10, until=0.5, train=RESNET),
            "share": Cluster(bits=5, train=RESNET_TUNE),
        },
    ),
}


def measure(case: str, root: Path, nets: Path, run: Path) -> dict[str, Any]:
    """All figures of one case."""
    wanted = CASES[case]
    net, data = SUBJECTS[wanted.net](root, nets)
    job = Job(model=net, task=TASK, data=data, device=device("generic-x86"), model_name=wanted.net, seed=SEED)
    with open_run(run / case.replace(" ", "_").replace(",", ""), resume=True, progress=SILENT) as opened:
        steps = _steps(opened, job, wanted)
    right = {name: _right(step.model, data) for name, step in steps.items()}
    rows = [_row(name, step, right, steps) for name, step in steps.items()]
    last = steps[list(steps)[-1]]
    path = run / f"{case.replace(' ', '_')}.coded"
    return {
        "net": wanted.net,
        "data": data.name,
        "test_images": len(right["dense"]),
        "stages": rows,
        "file": _file(path, last.model, data, fp32_bytes=rows[0]["fp32_bytes"]),
        "gzip_9": {name: _gzipped(step.model) for name, step in steps.items()},
        "layers": last.result.details.get("layers"),
        "settings": {name: plain(stage) for name, stage in wanted.stages.items()},
    }


def _steps(run: Run, job: Job, case: Case) -> dict[str, Step]:
    """Every stage's result."""
    steps = {"dense": run.step("dense", "As trained", AsGiven(), job)}
    for name, stage in case.stages.items():
        before = steps["dense" if case.apart else list(steps)[-1]]
        steps[name] = run.step(name.replace(", ", "-").replace(" ", "-"), name, stage, job.with_model(before.model))
    return steps


def _right(net: fx.GraphModule, data: Data) -> np.ndarray:
    """Which test images are told right."""
    decisions, targets = decide(net, TASK, data, "test")
    return decisions == targets


def _row(name: str, step: Step, right: Mapping[str, np.ndarray], steps: Mapping[str, Step]) -> dict[str, Any]:
    """Score on the test images, and the coded file of the model as it is after this stage."""
    coded, dense = encode_model(step.model), encode_model(steps["dense"].model)
    plainly = encode_model(step.model, huffman=False)
    before, after = right["dense"], right[name]
    return {
        "stage": name,
        "score": 100 * float(after.mean()),
        "std_error": 100 * float(after.std() / np.sqrt(len(after))),
        "drop": 100 * float(before.mean() - after.mean()),
        "drop_std_error": paired_std_error(before, after),
        "seconds": step.result.seconds,
        "fp32_bytes": dense.fp32_bytes,
        "coded_bytes": len(coded.data),
        "ratio": dense.fp32_bytes / len(coded.data),
        "parts_bytes": dict(coded.parts_bytes),
        "without_huffman_bytes": len(plainly.data),
        "ratio_without_huffman": dense.fp32_bytes / len(plainly.data),
        "notes": list(step.result.notes),
    }


def _file(path: Path, net: fx.GraphModule, data: Data, *, fp32_bytes: int) -> dict[str, Any]:
    """The file on disk, read again: whether every bit came back, and what the unpacking costs."""
    began = time.process_time()
    coded = encode_model(net)
    encode_s = time.process_time() - began
    write_atomic(path, coded.data)
    began = time.process_time()
    loaded, _ = load_coded(path)
    decode_s = time.process_time() - began
    images_BCHW, _ = next(iter(data.batches("test", batch_size=250)))
    with torch.no_grad():
        equal = torch.equal(loaded(images_BCHW), net(images_BCHW))
    return {
        "bytes": path.stat().st_size,
        "ratio": fp32_bytes / path.stat().st_size,
        "parts_bytes": dict(coded.parts_bytes),
        "every_bit_came_back": fingerprint(loaded) == fingerprint(net),
        "outputs_equal_on_250_images": equal,
        "encode_cpu_s": encode_s,
        "decode_cpu_s": decode_s,
    }


def _gzipped(net: fx.GraphModule) -> dict[str, int]:
    """Bytes of all weights and statistics under `gzip -9`, in float32 and rounded to int8 per tensor."""
    tensors = [value.numpy() for value in net.state_dict().values()]
    floats = b"".join(value.astype("<f4").tobytes() for value in tensors)
    scales = [float(np.abs(value).max()) / 127 or 1.0 for value in tensors]
    codes = b"".join(
        np.round(value / scale).astype(np.int8).tobytes() for value, scale in zip(tensors, scales, strict=True)
    )
    return {
        "float32": len(floats),
        "float32_gzip": len(gzip.compress(floats, 9)),
        "int8": len(codes) + 4 * len(scales),
        "int8_gzip": len(gzip.compress(codes, 9)) + 4 * len(scales),
    }


def verdict(found: Mapping[str, Any]) -> bool:
    """Whether the claim holds of the AlexNet."""
    file, last = found["file"], found["stages"][-1]
    exact = file["every_bit_came_back"] and file["outputs_equal_on_250_images"]
    return bool(exact and file["ratio"] >= LEAST_RATIO and last["drop"] <= MOST_DROP)


def show(case: str, found: Mapping[str, Any]) -> None:
    """The block of the documentation: score and file after each stage, the parts of the last, gzip beside it."""
    fp32_bytes = found["stages"][0]["fp32_bytes"]
    print(f"{case}: top-1 on {found['test_images']:,} test images; {fp32_bytes:,} bytes in float32")
    heads = f"{'score':>12s}  {'drop':>12s}  {'coded':>16s}  {'fixed words':>11s}  {'gzip -9':>8s}  {'int8, gzip':>10s}"
    print(f"  {'':18s} {heads}")
    for row in found["stages"]:
        zipped = found["gzip_9"][row["stage"]]
        ratios = [fp32_bytes / zipped[name] for name in ("float32_gzip", "int8_gzip")]
        print(
            f"  {row['stage']:18s} {row['score']:5.2f} ± {row['std_error']:.2f}  {row['drop']:+5.2f} ± "
            f"{row['drop_std_error']:.2f}  {row['coded_bytes']:>9,} {row['ratio']:5.1f}x  "
            f"{row['ratio_without_huffman']:10.1f}x  {ratios[0]:7.1f}x  {ratios[1]:9.1f}x"
        )
    file = found["file"]
    parts = ", ".join(f"{name} {count:,}" for name, count in file["parts_bytes"].items() if count)
    print(
        f"  the file: {parts}; every bit back: {file['every_bit_came_back']}; unpacked in {file['decode_cpu_s']:.2f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/deep_compression"))
    parser.add_argument("--nets", type=Path, default=NETS)
    parser.add_argument("--only", choices=CASES, help="measure one case and keep no result")
    parser.add_argument("--show", action="store_true", help="print the kept result")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "deep_compression.json")
    options = parser.parse_args()
    if options.show:
        for case, found in read_json(options.out)["cases"].items():
            show(case, found)
        return 0
    torch.set_num_threads(1)
    root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    options.nets.mkdir(parents=True, exist_ok=True)
    options.run.mkdir(parents=True, exist_ok=True)
    cases = {}
    for case in [options.only] if options.only else CASES:
        cases[case] = measure(case, root, options.nets, options.run)
        show(case, cases[case])
        if not options.only:
            keep(options.out, cases)
    return 0 if options.only or verdict(cases["alexnet28"]) else 1


def keep(path: Path, cases: Mapping[str, Any]) -> None:
    """Write what is measured so far."""
    write_json(path, {
        "claim": f"alexnet28 at least {LEAST_RATIO:g} times smaller, at most {MOST_DROP} points lost, every bit back",
        "passed": verdict(cases["alexnet28"]), "cases": cases, "seed": SEED, "dense": plain(DENSE),
        "machine": machine_facts(), "versions": version_facts(), "command": "python benchmarks/deep_compression.py",
    })  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
