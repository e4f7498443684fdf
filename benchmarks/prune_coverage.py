"""Which library models lose half of their MACs in whole channels and still are models: cut, run, save, export.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/prune_coverage.py [--only WORD ...] [--resume] [--failed] [--jobs N]

Every classification model of torchvision, its segmentation models as they are and its detectors as far as they are
plain graphs (backbone with pyramid, and the convolutions of the head or of the region proposals); of timm the smallest
entry point of every architecture in every module. Each in a process of its own:

    capture -> plan (score l2, nothing measured, half of the MACs) -> cut -> run -> save, load -> ONNX Runtime

Weights are random: every parameter of two axes or more is normal with the variance of its fan-in, factors of norms and
layer scales are uniform in [0.5, 1.5], so that no branch is closed and what is left out shows in the outputs. Images
are noise, of the smallest of 64, 128 and 224 pixels a side that the model takes, or else of its own size.

A model succeeds when the cut model's MACs, counted afresh, are within 2 % of the target; its outputs have the shape
of before for one image and for two; it computes what the whole model computes with the dropped channels hidden from
every reader (largest difference at most 1e-5 of the largest output; where single precision rounds more, in double);
it comes back from disk bit for bit; and ONNX Runtime gives the same outputs (1e-4).
"""

from __future__ import annotations

import collections
import contextlib
import math
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from library_coverage import Coverage, Row, main
from profile_coverage import building_without_data
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgewright import zoo
from edgewright.analyze import profile
from edgewright.compress.prune import NEAR, Planner, Prune, PrunePlan
from edgewright.devices import device
from edgewright.export import export_onnx
from edgewright.model import capture, load_model, save_model
from edgewright.model.masking import masked
from edgewright.seeding import torch_generator
from edgewright.types import Job
from edgewright.verify import OnnxRunner
from edgewright.zoo.torchvision_models import families

TARGET, TOLERANCE = 0.5, 0.02
EXACT, EXPORTED = 1e-5, 1e-4
SIDES = (64, 128, 224, None)
SETTINGS = Prune(keep_macs=TARGET, score="l2", sensitivity_samples=0, norm_batches=0)
DEVICE = "generic-x86"


class Dense(nn.Module):
    """A detector without what depends on the boxes found: backbone with pyramid, and the head that runs everywhere."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.backbone = detector.backbone
        self.two_stages = hasattr(detector, "rpn")
        self.head = detector.rpn.head if self.two_stages else detector.head

    def forward(self, image_BCHW: torch.Tensor) -> Any:
        maps = self.backbone(image_BCHW)
        features = list(maps.values()) if isinstance(maps, dict) else [maps]
        found = self.head(features)
        return (features, found) if self.two_stages else found  # regions are cut out of the features


def built(spec: str, side: int | None) -> tuple[nn.Module, tuple[int, ...]]:
    """A model with random weights and the shape of its input."""
    made = _without_data(spec, side) or zoo.resolve(spec, num_classes=None, image_size=side)
    model = Dense(made.model) if families().get(spec.partition(":")[2]) == "detection" else made.model
    draw_weights(model)
    return model.eval(), made.input_shape


def _without_data(spec: str, side: int | None) -> zoo.ZooModel | None:
    """A model without initial values, which take long to draw; None where its code looks at them."""
    try:
        with building_without_data():
            made = zoo.resolve(spec, num_classes=None, image_size=side)
    except Exception:
        return None
    return None if any(each.is_meta for each in made.model.buffers()) else made


def draw_weights(model: nn.Module) -> None:
    """Random values for every parameter and running statistic; parameters without data get some."""
    generator = torch_generator(0, "weights")
    drawn: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, given in list(module._parameters.items()):
            if given is not None:
                if id(given) not in drawn:
                    drawn[id(given)] = nn.Parameter(_values(name, given, generator), given.requires_grad)
                module._parameters[name] = drawn[id(given)]
        if isinstance(module, _BatchNorm) and module.running_var is not None:
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)


def _values(name: str, given: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    value = torch.empty(given.shape, dtype=given.dtype)
    if value.dim() > 1:
        return value.normal_(0, math.sqrt(value.shape[0] / max(1, value.numel())), generator=generator)
    if "bias" in name or "beta" in name:
        return value.normal_(0, 0.1, generator=generator)
    return value.uniform_(0.5, 1.5, generator=generator)


def captured(spec: str) -> fx.GraphModule:
    """The model, captured at the smallest image that it takes."""
    errors: list[Exception] = []
    for side in SIDES:
        try:
            model, shape = built(spec, side)
            return capture(model, shape, name=spec)
        except Exception as found:  # a size that it does not take fails in many ways
            errors.append(found)
    raise errors[-1]


@contextlib.contextmanager
def timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    began = time.process_time()
    yield
    seconds[what] = round(time.process_time() - began, 2)


def measure(spec: str) -> Row:
    """One model from its name to its outputs in the runtime."""
    began, seconds = time.process_time(), {}
    row: Row = {"seconds_by_step": seconds}
    with timed(seconds, "capture"):
        net = captured(spec)
    job = Job(model=net, task=None, data=None, device=device(DEVICE), model_name=spec)
    with timed(seconds, "find and score"):
        planner = Planner(job, SETTINGS)
    row |= _facts(net, planner)
    with timed(seconds, "plan"):
        plan = planner.plan(TARGET, near=NEAR)
    with timed(seconds, "cut"):
        narrow = planner.apply(plan)
    row |= _counted(net, narrow)
    with timed(seconds, "compare"):
        row |= _compared(net, narrow, planner, plan)
    with timed(seconds, "save, export"):
        row |= _shipped(narrow)
    return {**row, "seconds": round(time.process_time() - began, 1)}


def _facts(net: fx.GraphModule, planner: Planner) -> Row:
    locked = [group for group in planner.channels.groups if group.locked is not None]
    reasons = Counter(_general(str(group.locked)) for group in locked)
    return {
        "input_shape": list(net.meta["input_shape"]), "operators": len(net.graph.nodes),
        "groups": len(planner.channels.groups), "locked": len(locked), "why_locked": dict(reasons.most_common()),
        "smallest_keep_macs": round(planner.smallest, 4),
    }  # fmt: skip


def _general(reason: str) -> str:
    """A reason without the name of the place: `softmax at 'softmax_3' takes them together` -> `softmax takes them`."""
    words = re.sub(r"( at)? '[^']*'", "", reason)
    return re.sub(r"\w+(\.\w+)+", "a layer", words)


def _counted(net: fx.GraphModule, narrow: fx.GraphModule) -> Row:
    before, after = profile(net), profile(narrow)
    return {
        "macs": before.macs, "macs_after": after.macs, "keep_macs": round(after.macs / before.macs, 5),
        "params": before.params, "keep_params": round(after.params / before.params, 4),
    }  # fmt: skip


def _compared(net: fx.GraphModule, narrow: fx.GraphModule, planner: Planner, plan: PrunePlan) -> Row:
    """Shapes of the outputs, and how far the cut model is from its masked twin."""
    images_BCHW = noise(net, 2)
    hidden = masked(net, plan.drop, channels=planner.channels)
    with torch.no_grad():
        whole, two, one = _outputs(net(images_BCHW)), _outputs(narrow(images_BCHW)), _outputs(narrow(images_BCHW[:1]))
    row: Row = {
        "shape_kept": [each.shape for each in whole] == [each.shape for each in two],
        "single_differs": difference([each[:1] for each in two], one),
        "differs_from_whole": difference(whole, two),
        "differs_from_masked": difference(_outputs(hidden(images_BCHW)), two),
    }
    if not row["differs_from_masked"] <= EXACT:
        with contextlib.suppress(RuntimeError):  # a type that is written into the graph
            row["differs_in_double"] = _in_double(net, narrow, planner, plan)
    return row


def _in_double(net: fx.GraphModule, narrow: fx.GraphModule, planner: Planner, plan: PrunePlan) -> float:
    images_BCHW = noise(net, 2).double()
    hidden = masked(net.double(), plan.drop, channels=planner.channels)
    with torch.no_grad():
        found = difference(_outputs(hidden(images_BCHW)), _outputs(narrow.double()(images_BCHW)))
    net.float(), narrow.float()
    return found


def _shipped(narrow: fx.GraphModule) -> Row:
    """The cut model from disk, and in ONNX Runtime."""
    images_BCHW = noise(narrow, 2)
    with torch.no_grad():
        want = _outputs(narrow(images_BCHW))
    with tempfile.TemporaryDirectory() as folder:
        save_model(narrow, Path(folder))
        files = {path.name: path.stat().st_size for path in sorted(Path(folder).iterdir())}
        loaded = load_model(Path(folder))
        with torch.no_grad():
            same = all(map(torch.equal, _outputs(loaded(images_BCHW)), want))
    del loaded
    with tempfile.TemporaryDirectory() as folder:
        artifact = export_onnx(narrow, Path(folder) / "fp32", name="model", preprocess={})
        got = [torch.as_tensor(each) for each in _listed(OnnxRunner(artifact.model_path)(images_BCHW))]
    return {"files": files, "loads_bit_for_bit": same, "runtime_differs": difference(want, got)}


def noise(net: fx.GraphModule, count: int) -> torch.Tensor:
    return torch.randn((count, *net.meta["input_shape"]), generator=torch_generator(0, "images"))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]


_outputs: Callable[[Any], list[torch.Tensor]] = _listed


def difference(want: list[torch.Tensor], got: list[torch.Tensor]) -> float:
    """The largest difference of any output, each as a share of the largest value of that output."""
    if [each.shape for each in want] != [each.shape for each in got]:
        return math.inf
    shares = [float((a - b).abs().max() / a.abs().max().clamp(min=1e-30)) for a, b in zip(want, got, strict=True)]
    return math.inf if any(math.isnan(each) for each in shares) else max(shares)


def judge(row: Row) -> str | None:
    """Why a row is no success."""
    exact = min(row["differs_from_masked"], row.get("differs_in_double", math.inf))
    checks = (
        (abs(row["keep_macs"] / TARGET - 1) <= TOLERANCE, f"{row['keep_macs']:.4f} of the MACs stay"),
        (row["shape_kept"], "the outputs have another shape"),
        (row["differs_from_whole"] > 1e-3, "the outputs do not depend on what was cut"),
        (row["single_differs"] <= EXPORTED, f"one image alone differs by {row['single_differs']:.1e}"),
        (exact <= EXACT, f"differs from the masked model by {exact:.1e}"),
        (row["loads_bit_for_bit"], "the loaded model gives other outputs"),
        (row["runtime_differs"] <= EXPORTED, f"ONNX Runtime differs by {row['runtime_differs']:.1e}"),
    )
    return next((reason for passed, reason in checks if not passed), None)


def figures(rows: list[Row]) -> Row:
    """Counts of one library."""
    reasons: Counter[str] = collections.Counter()
    for row in rows:
        reasons.update(row.get("why_locked", {}))
    exact = [row for row in rows if row.get("differs_from_masked", math.inf) <= EXACT]
    slow = sorted(((row["seconds"], row["model"]) for row in rows if "seconds" in row), reverse=True)[:5]
    return {
        "equal_in_single_precision": len(exact), "why_groups_stay_whole": dict(reasons.most_common(20)),
        "slowest": {name: seconds for seconds, name in slow},
    }  # fmt: skip


def tell(row: Row) -> str:
    return f"{row['keep_macs']:.4f} of the MACs, masked {row['differs_from_masked']:.0e}"


BENCH = Coverage(
    script=Path(__file__).name, measure=measure, judge=judge, tell=tell, figures=figures,
    families=("classification", "segmentation", "detection"), timeout_s=600,
    facts={"target_keep_macs": TARGET, "tolerance": TOLERANCE, "score": SETTINGS.score, "device": DEVICE},
)  # fmt: skip

if __name__ == "__main__":
    main(BENCH, str(__doc__).splitlines()[0])
