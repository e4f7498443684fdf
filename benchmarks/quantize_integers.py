"""One arithmetic, three ways to compute it: simulation, integer reference and ONNX Runtime, on trained nets.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/quantize_integers.py [--images N] [--epochs N] [--nets DIR] [--only NAME]
        [--out FILE.json]

For each net: the share of test images that two of the three decide alike; the largest difference of a tensor's codes,
accumulated over a whole run and of each operator alone (`own`). `resnet20` and `resnet32` have the published CIFAR-10
weights and are run on the lossless test images; `resnet8` learns `digits` here first; `mobilenet_v2` is the one of
quantize_nets.py, trained on CIFAR-10.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import quantize_nets
import torch
from torch import fx

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.data import Data, load_data
from edgewright.export import export_onnx
from edgewright.files import write_json
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.types import plain
from edgewright.verify import OnnxRunner, compare_with_reference, parity, read_expected, run_in_integers
from edgewright.zoo import resolve

LOSSLESS = "npz:cifar10_train4000_lossless.npz,cifar10_test1000_lossless.npz"
SUBJECTS = {"resnet20": "12fca82f", "resnet32": "d509ac18", "resnet8": None}
KEPT = "mobilenet_v2"
OUT = Path(__file__).parent / "results" / "quantize_integers.json"
CALIBRATION, GOLDEN, BATCH = 256, 8, 32


def subject(name: str, root: Path, nets: Path, *, epochs: int) -> tuple[fx.GraphModule, Data]:
    """A trained net, captured, and the data that it is for."""
    if name == KEPT:
        return quantize_nets.subject(name, root, nets)
    digest = SUBJECTS[name]
    data = load_data(LOSSLESS, root=root / "cifar10") if digest else load_data("digits")
    weights = root / "weights" / "cifar10_resnet" / f"{name}-{digest}.th" if digest else None
    built = resolve(name, num_classes=10, channels=data.image_shape[0], weights=weights)
    data = data.fitted_to(built.input_shape, built.mean, built.std)
    net = capture(built.model, built.input_shape)
    if digest is None:
        settings = Train(epochs=epochs)
        net = train_weights(net, task=Classify(num_classes=10), data=data, settings=settings, seed=0).net
    return net, data


def measured(net: fx.GraphModule, data: Data, images: int) -> dict[str, Any]:
    """All comparisons of one net, min-max ranges, 8 bits."""
    folded = expose_gates(fold_batch_norms(net)[0])
    plan = plan_quantizers(folded)
    ranges = ranges_of(observe(folded, plan, data.calibration(CALIBRATION, 0)), method="minmax")
    simulation = simulate(folded, plan, ranges)
    pairs = list(data.batches("test", batch_size=BATCH, num_images=images))
    test_BCHW, targets_B = (torch.cat(part) for part in zip(*pairs, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        artifact = export_onnx(simulation, Path(folder) / "a", name="a", preprocess={}, samples_BCHW=test_BCHW[:GOLDEN])
        rows = parity(artifact.model_path, read_expected(artifact) or {})
        runner = OnnxRunner(artifact.model_path)
        ways = {"simulation": simulation, "runtime": runner, "integers": lambda x: run_in_integers(simulation, x)}
        decided = {way: _decisions(run, test_BCHW) for way, run in ways.items()}
    reference = compare_with_reference(simulation, test_BCHW[:GOLDEN])
    return {
        "images": len(test_BCHW),
        "tensors": len(rows),
        "top-1 in float, simulation": (
            _alike(_decisions(net, test_BCHW), targets_B),
            _alike(decided["simulation"], targets_B),
        ),
        "runtime = simulation %": _alike(decided["runtime"], decided["simulation"]),
        "integers = simulation %": _alike(decided["integers"], decided["simulation"]),
        "integers = runtime %": _alike(decided["integers"], decided["runtime"]),
        "runtime accumulated max, mean steps": (max(r.max_steps for r in rows), max(r.mean_steps for r in rows)),
        "runtime own max steps": max(row.own_max_steps or 0 for row in rows),
        "runtime own equal %, worst tensor": 100 * min(row.own_share_equal or 0.0 for row in rows),
        "reference own max steps": reference.max_steps,
        "reference own equal %, worst tensor": 100 * min(row.share_equal or 0.0 for row in reference.layers),
        "undefined": reference.undefined,
    }


def _decisions(run: Any, images_BCHW: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([run(batch).argmax(1) for batch in images_BCHW.split(BATCH)])


def _alike(first: torch.Tensor, second: torch.Tensor) -> float:
    return 100 * float((first == second).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--only", choices=[*SUBJECTS, KEPT])
    parser.add_argument("--nets", type=Path, default=quantize_nets.NETS)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    rows: dict[str, Any] = {}
    for name in [options.only] if options.only else [*SUBJECTS, KEPT]:
        rows[name] = measured(*subject(name, root, options.nets, epochs=options.epochs), options.images)
        print(name, *(f"    {key}: {value}" for key, value in rows[name].items()), sep="\n", flush=True)
    write_json(options.out, plain({
        "claim": "each operator is within 1 step of the reference and of the runtime; decisions agree on 99.5 %",
        "images": options.images, "golden_images": GOLDEN, "calibration_images": CALIBRATION, "nets": rows,
        "machine": machine_facts(), "versions": version_facts(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
