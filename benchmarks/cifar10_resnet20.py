"""Fit the reference CIFAR-10 ResNet-20 to an x86 core: half of the MACs, int8, and what that costs and buys.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/cifar10_resnet20.py [--run DIR] [--out FILE] [--resume]

Start: the published ResNet-20 weights (91.5 % on the lossless test images). Recovery: distillation from it on the
4,000 lossless and 50,000 JPEG training images. Val (500 of the 1,000 lossless test images) picks the epoch, the other
500 are the held-out proof; the drop on all 1,000 is told beside it. About 12 minutes of one free core.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from edgewright.cli import main as edgewright
from edgewright.data import load_data
from edgewright.files import write_json
from edgewright.metrics import paired_std_error
from edgewright.runs import load_final_model, read_run
from edgewright.tasks import Classify, decide
from edgewright.verify import OnnxRunner
from edgewright.zoo import resolve

RECIPE = Path(__file__).parent / "recipes" / "cifar10_resnet20.json"
TRAIN = "cifar10_train4000_lossless.npz*4+cifar10_train_jpeg.npz"
TEST = "cifar10_test1000_lossless.npz"


def command(root: Path, run: Path, *, resume: bool) -> list[str]:
    """The arguments of `edgewright`."""
    weights = root / "weights" / "cifar10_resnet" / "resnet20-12fca82f.th"
    return [
        *("fit", "resnet20", "--weights", str(weights)),
        *("--data-root", str(root / "cifar10"), "--data", f"npz:{TRAIN},{TEST}", "--val-from", "test"),
        *("--device", "generic-x86", "--max-drop", "1.5", "--recipe", str(RECIPE), "--out", str(run)),
        *(["--resume"] if resume else []),
    ]


def on_all_images(root: Path, run: Path) -> dict[str, float]:
    """Both artifacts in ONNX Runtime on all 1,000 lossless test images."""
    model = resolve("resnet20", num_classes=10)
    spec = f"npz:cifar10_train4000_lossless.npz,{TEST}"
    data = load_data(spec, root=root / "cifar10").fitted_to(model.input_shape, model.mean, model.std)
    task = Classify(num_classes=10)
    right = {}
    for name in ("artifact-fp32", "artifact"):
        decisions, targets = decide(OnnxRunner(run / name / "model.onnx"), task, data, "test")
        right[name] = decisions == targets
    before, after = right["artifact-fp32"], right["artifact"]
    return {
        "num_images": len(before),
        "fp32": 100 * float(before.mean()),
        "int8": 100 * float(after.mean()),
        "drop": 100 * float(before.mean() - after.mean()),
        "drop_std_error": paired_std_error(before, after),
    }


def result_of(root: Path, run: Path) -> dict[str, object]:
    """The figures that the claim is about, with all that is needed to repeat them."""
    found = read_run(run)
    net = load_final_model(run)
    return {
        "claim": "at least 2x fewer MACs and int8, drop at most 1.5 points, faster than fp32 in ONNX Runtime",
        "passed": found["verdict"]["passed"],
        "macs": {side: found["profile"][side]["macs"] for side in ("before", "after")},
        "params_int8": sum(value.numel() for value in net.parameters()),
        "bytes": {name: each["bytes"] for name, each in found["artifacts"].items()},
        "held_out_500": found["scores"],
        "all_1000": on_all_images(root, run),
        "latency": found["latency"],
        "checks": found["checks"],
        "seed": found["asked"]["seed"],
        "recipe": found["asked"]["recipe"],
        "stages": [{key: stage[key] for key in ("name", "seconds", "score", "notes")} for stage in found["stages"]],
        "machine": found["machine"],
        "versions": found["versions"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/cifar10_resnet20"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cifar10_resnet20.json")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    root = os.environ.get("EDGEWRIGHT_TEST_DATA")
    if root is None:
        raise SystemExit("EDGEWRIGHT_TEST_DATA is not set: it names the folder with cifar10/ and weights/.")
    sys.argv = ["edgewright", *command(Path(root), options.run, resume=options.resume)]
    try:
        edgewright()
    except SystemExit as end:
        if end.code not in (0, 1, None):
            raise
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, result_of(Path(root), options.run))


if __name__ == "__main__":
    main()
