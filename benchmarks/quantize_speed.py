"""int8 against fp32 in ONNX Runtime: eight library nets, and the schemes that are not static on three.

    python benchmarks/quantize_speed.py [--seconds N] [--out FILE.json]

Each net (random weights, batch normalizations set as in quantize_coverage.py) is written as float32 and as integers,
and the files are timed in turns in the same process: batch 1, one thread, every second turn in reverse order. A row is
the median over the turns of the ratio to the float32 file, with the least and the largest. Give it a quiet machine. A
net that stands in the file is not measured again; none is begun after N seconds, so that the whole ends within eight
minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from quantize_coverage import images, settle
from quantize_rows import RESULTS, Rows
from torch import fx, nn

from edgewright.compress.quantize import Precision, Scheme, observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.compress.quantize.schemes import simulate_dynamic, simulate_floats, simulate_weight_only
from edgewright.export import export_onnx
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.verify import OnnxRunner, Timing, kernels, race
from edgewright.zoo import resolve

OUT = RESULTS / "quantize_speed.json"
SIDE = 224
TIMING = Timing(turns=9, runs=50, seconds=0.5)
NETS = (
    "torchvision:mobilenet_v3_small", "torchvision:mobilenet_v2", "torchvision:shufflenet_v2_x1_0",
    "timm:convnext_atto", "torchvision:efficientnet_b0", "timm:vit_tiny_patch16_224", "torchvision:resnet18",
    "torchvision:densenet121",
)  # fmt: skip
OTHERS = ("mlp", "resnet20", "timm:vit_tiny_patch16_224")
UNFINISHED = 3  # the exit status while rows are missing: run it again


def folded(spec: str) -> tuple[fx.GraphModule, torch.Tensor]:
    """A net in float, folded, and eight images for its ranges."""
    torch.manual_seed(0)
    if spec == "mlp":
        widths = (784, 512, 512, 10)
        layers = [each for pair in pairwise(widths) for each in (nn.Linear(*pair), nn.ReLU())]
        model, shape = nn.Sequential(nn.Flatten(), *layers[:-1]), (1, 28, 28)
    else:
        is_library = ":" in spec
        built = resolve(spec, num_classes=None if is_library else 10, image_size=SIDE if is_library else None)
        model, shape = built.model, built.input_shape
    model = model.eval()
    images_BCHW = images(8, shape, "calibration")
    settle(model, images_BCHW)
    return expose_gates(fold_batch_norms(capture(model, shape), absorb=True)[0]), images_BCHW


def integers(net: fx.GraphModule, images_BCHW: torch.Tensor) -> dict[str, fx.GraphModule]:
    plan = plan_quantizers(net)
    return {"int8": simulate(net, plan, ranges_of(observe(net, plan, images_BCHW), method="minmax"))}


def schemes(net: fx.GraphModule, images_BCHW: torch.Tensor) -> dict[str, fx.GraphModule]:
    """The forms that need no ranges."""
    plan, groups = plan_quantizers(net), Scheme(mode="weight-only", granularity="group", group_size=32, symmetric=False)
    return {
        "dynamic": simulate_dynamic(net, plan),
        "weights only, 8 bits": simulate_weight_only(net),
        "weights only, 4 bits, affine in groups of 32": simulate_weight_only(
            net, scheme=groups, precision=Precision(weights=4)
        ),
        "weights only, fp16": simulate_weight_only(net, scheme=Scheme(mode="weight-only", format="fp16")),
        "static fp16": simulate_floats(net, plan, format="fp16"),
    }


def timed(spec: str, forms: Any) -> dict[str, Any]:
    """The files of a net in turns: float32 first."""
    net, images_BCHW = folded(spec)
    with tempfile.TemporaryDirectory() as folder:
        paths = {
            name: export_onnx(form, Path(folder) / str(index), name="model", preprocess={}).model_path
            for index, (name, form) in enumerate({"float32": net, **forms(net, images_BCHW)}.items())
        }
        found = race({name: OnnxRunner(path) for name, path in paths.items()}, images_BCHW[:1].numpy(), timing=TIMING)
        first, rows = found.latencies[0], {}
        for each in found.latencies:
            ratios = np.divide(each.turn_medians_s, first.turn_medians_s)
            rows[each.artifact] = {
                "median_ms": 1e3 * each.median_s, "ratio": float(np.median(ratios)), "ratio_least": float(ratios.min()),
                "ratio_largest": float(ratios.max()), "file_bytes": paths[each.artifact].stat().st_size,
                "spread": each.spread, "operators_in_float": len(kernels(paths[each.artifact]).stayed_float),
            }  # fmt: skip
        return {"input": list(images_BCHW.shape[1:]), "runtime": first.runtime, "files": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=400.0)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows(options.out, claim="integers are not slower than float32 on any of eight nets", seconds=options.seconds)
    found = [rows.measure("nets", spec, partial(timed, spec, integers)) for spec in NETS]
    found += [rows.measure("schemes", spec, partial(timed, spec, schemes)) for spec in OTHERS]
    raise SystemExit(UNFINISHED if None in found else 0)


if __name__ == "__main__":
    main()
