"""The tables of the pages on ranges, repairs, training and schemes.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/quantize_tables.py TABLE [--seconds N] [--out FILE.json]

TABLE: ranges, weights, repairs, learned, schemes, stored, packed, qat, qat-resnet20. ResNets with their published
CIFAR-10 weights, 256 calibration images of the lossless training images, scored as simulations on all 1,000 lossless
test images (standard error 0.9 at 91), seed 0, one thread. A row that stands in the file is not measured again; no row
is begun after N seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from quantize_rows import RESULTS, Rows, Subject
from torch import fx, nn

from edgewright.compress.quantize import (
    Plan,
    Precision,
    Qat,
    Quantize,
    Scheme,
    observe,
    plan_quantizers,
    ranges_of,
    simulate,
)
from edgewright.compress.quantize.build import Builder
from edgewright.compress.quantize.mixed import bit_costs
from edgewright.compress.quantize.qat import train_quantized
from edgewright.compress.quantize.ranges import RANGE_METHODS, WEIGHT_METHODS, weight_scales
from edgewright.compress.quantize.ranges.best import best_ranges, candidate_ranges
from edgewright.compress.quantize.repairs import (
    batch_norm_moments,
    correct_bias,
    correct_bias_analytic,
    equalize,
    learn_rounding,
    reestimate_rounded,
    split_outliers,
)
from edgewright.compress.quantize.schemes import simulate_dynamic
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.export import export_onnx
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.types import Job, plain
from edgewright.verify import OnnxRunner

OUT = RESULTS / "quantize_tables.json"
TASK = Classify(num_classes=10)
UNFINISHED = 3  # the exit status while rows are missing: run it again
WIDTHS = (8, 6, 4, 3, 2)
Row = tuple[str, Callable[[], dict[str, Any]]]
subject = cache(Subject.of)


# -- ranges.md -------------------------------------------------------------------------------------------------------
def activations() -> Iterator[Row]:
    """Weights of 8 bits, activations of fewer, by range method."""
    for bits, method in product((8, 6, 4), (*RANGE_METHODS, "best")):
        yield f"resnet20 {bits} {method}", partial(_ranged, method, bits)


def _ranged(method: str, bits: int) -> dict[str, Any]:
    net, precision = subject("resnet20"), Precision(activations=bits)
    if method != "best":
        ranges, found = net.ranges(method, bits=bits), {}
    else:
        candidates = candidate_ranges(net.observations, precision=precision)
        best = best_ranges(net.folded, net.plan, candidates, net.images_BCHW, precision=precision)
        ranges, found = best.ranges, {"chosen": best.method}
    return {**net.judged(simulate(net.folded, net.plan, ranges, precision=precision)), **found}


def weights() -> Iterator[Row]:
    """Activations of 8 bits, weights of fewer, by the method of their scales; then with biases corrected."""
    for name, bits, method in product(("resnet20", "resnet32"), WIDTHS, WEIGHT_METHODS):
        yield f"{name} {bits} {method}", partial(_weighed, name, bits, method)


def _weighed(name: str, bits: int, method: str) -> dict[str, Any]:
    net = subject(name)
    simulation = _simulated(net.folded, net.plan, bits, method, name=name)
    corrected, _ = correct_bias(simulation, net.folded, net.images_BCHW[:64])
    return {"nearest": net.judged(simulation), "corrected": net.judged(corrected)}


def _simulated(net: fx.GraphModule, plan: Plan, bits: int, method: str, *, name: str = "resnet20") -> fx.GraphModule:
    """`net`, a form of the named ResNet, with min-max ranges of activations."""
    if net is subject(name).folded:
        ranges = subject(name).ranges()
    else:
        ranges = ranges_of(observe(net, plan, subject(name).images_BCHW), method="minmax")
    return simulate(net, plan, ranges, precision=Precision(weights=bits), weight_method=method)


# -- repairs.md ------------------------------------------------------------------------------------------------------
SCALES = ((8, "minmax"), (4, "minmax"), (4, "gain"), (3, "minmax"), (3, "gain"), (3, "mse"), (2, "gain"))


def repairs() -> Iterator[Row]:
    """Weights by width and scales, with each repair."""
    for (bits, method), (name, repair) in product(SCALES, REPAIRS.items()):
        yield f"{bits} {method} {name}", lambda bits=bits, method=method, repair=repair: repair(bits, method)


def learned() -> Iterator[Row]:
    """The same with learned rounding, which takes minutes."""
    for bits, method in ((4, "gain"), (3, "gain"), (2, "gain"), (4, "minmax"), (3, "minmax")):
        yield f"{bits} {method} learned", partial(_learned, bits, method)


def _nearest(bits: int, method: str) -> dict[str, Any]:
    net = subject("resnet20")
    return net.judged(_simulated(net.folded, net.plan, bits, method))


def _corrected(bits: int, method: str) -> dict[str, Any]:
    net = subject("resnet20")
    simulation = _simulated(net.folded, net.plan, bits, method)
    return net.judged(correct_bias(simulation, net.folded, net.images_BCHW)[0])


def _analytic(bits: int, method: str) -> dict[str, Any]:
    net = subject("resnet20")
    simulation = _simulated(net.folded, net.plan, bits, method)
    return net.judged(correct_bias_analytic(simulation, net.folded, batch_norm_moments(net.net))[0])


def _changed(change: Callable[[fx.GraphModule, int, str], fx.GraphModule], bits: int, method: str) -> dict[str, Any]:
    """With the float net changed first; then with its biases corrected."""
    net = subject("resnet20")
    changed = change(net.folded, bits, method)
    simulation = _simulated(changed, plan_quantizers(changed), bits, method)
    corrected, _ = correct_bias(simulation, changed, net.images_BCHW)
    return {"alone": net.judged(simulation), "with bias": net.judged(corrected)}


def _equal(net: fx.GraphModule, bits: int, method: str) -> fx.GraphModule:
    return equalize(net)[0]


def _split(net: fx.GraphModule, bits: int, method: str) -> fx.GraphModule:
    scales = partial(weight_scales, method=method)
    return split_outliers(net, share=0.05, precision=Precision(weights=bits), scale_of=scales)[0]


def _remeasured(bits: int, method: str) -> dict[str, Any]:
    """Batch normalizations measured again behind rounded weights."""
    net = subject("resnet20")
    scales = partial(weight_scales, method=method)
    folded, _ = reestimate_rounded(
        net.net, net.images_BCHW, precision=Precision(weights=bits), scale_of=scales
    )  # fmt: skip
    return net.judged(_simulated(folded, plan_quantizers(folded), bits, method))


def _learned(bits: int, method: str) -> dict[str, Any]:
    net = subject("resnet20")
    simulation = _simulated(net.folded, net.plan, bits, method)
    rounded, _ = learn_rounding(simulation, net.folded, net.images_BCHW)
    corrected, _ = correct_bias(rounded, net.folded, net.images_BCHW)
    return {"alone": net.judged(rounded), "with bias": net.judged(corrected)}


REPAIRS = {
    "nearest": _nearest, "bias": _corrected, "analytic": _analytic, "re-measured": _remeasured,
    "equalize": partial(_changed, _equal), "split 5 %": partial(_changed, _split),
}  # fmt: skip


# -- schemes.md ------------------------------------------------------------------------------------------------------
def schemes() -> Iterator[Row]:
    """One row a scheme, with the bytes of its file and how it decides in the runtime."""
    yield "fp32", lambda: _filed(subject("resnet20").folded)
    for mode, format in (("weight-only", "fp16"), ("static", "fp16"), ("weight-only", "bf16"), ("static", "bf16")):
        yield f"{mode} {format}", partial(_scheme, Scheme(mode=mode, format=format))  # type: ignore[arg-type]
    for mode, format in product(("weight-only", "static"), ("fp8-e4m3", "fp8-e5m2")):
        yield f"{mode} {format}", partial(_scheme, Scheme(mode=mode, format=format), has_file=False)  # type: ignore[arg-type]
    for granularity in ("channel", "tensor"):
        yield f"static int 8 per {granularity}", partial(_scheme, Scheme(granularity=granularity))
    yield "dynamic int 8 per channel", partial(_scheme, Scheme(mode="dynamic"))
    yield "dynamic int 8, convolutions too", _all_dynamic


def stored() -> Iterator[Row]:
    """Weights alone as integers, by width and what has a scale of its own."""
    forms = {
        "per tensor": {"granularity": "tensor"},
        "per channel": {},
        "per channel, affine": {"symmetric": False},
        "groups of 32": {"granularity": "group", "group_size": 32},
        "groups of 32, affine": {"granularity": "group", "group_size": 32, "symmetric": False},
        "groups of 16, affine": {"granularity": "group", "group_size": 16, "symmetric": False},
    }
    for bits, (name, form) in product((8, 4, 3, 2), forms.items()):
        yield f"{bits} {name}", partial(_scheme, Scheme(mode="weight-only", **form), bits=bits)  # type: ignore[arg-type]


def packed() -> Iterator[Row]:
    """Static integers, weights packed, with the bytes that the formula of mixed precision counts."""
    for bits in (8, 7, 6, 5, 4, 3, 2):
        yield str(bits), partial(_packed, bits)


def _scheme(scheme: Scheme, *, bits: int = 8, has_file: bool = True) -> dict[str, Any]:
    net = subject("resnet20")
    job = Job(model=net.net, task=TASK, data=net.data, device=device("generic-x86"))
    simulation = Builder.of(job, Quantize(bits=bits, scheme=scheme, method="minmax")).build(()).simulation
    return _filed(simulation) if has_file else net.judged(simulation)


def _all_dynamic() -> dict[str, Any]:
    net = subject("resnet20")
    return _filed(simulate_dynamic(net.folded, net.plan, convolutions=True))


def _packed(bits: int) -> dict[str, Any]:
    net = subject("resnet20")
    spent = bit_costs(net.folded, net.plan).spent(Precision(weights=bits))
    return {**_filed(_simulated(net.folded, net.plan, bits, "auto")), "weight_bytes": spent.weight_bytes}


def _filed(net: fx.GraphModule) -> dict[str, Any]:
    """Its score, the bytes of its file, and the share of images in percent that the file decides as it does."""
    judge = subject("resnet20")
    logits = judge.outputs(net)
    with tempfile.TemporaryDirectory() as folder:
        artifact = export_onnx(net, Path(folder) / "a", name="a", preprocess={})
        file_bytes = artifact.model_path.stat().st_size
        decided = judge.outputs(OnnxRunner(artifact.model_path)).argmax(1)
    alike = (decided == logits.argmax(1)).double().mean()
    return {**judge.judged_logits(logits), "file_bytes": file_bytes, "agree": round(100 * float(alike), 2)}


# -- qat.md ----------------------------------------------------------------------------------------------------------
SLOW_LR = replace(Qat(), train=replace(Qat().train, lr=0.01))
TRAININGS = {
    "Qat()": Qat(),
    "lr 0.01": SLOW_LR,
    "lr 0.01, steps fixed": replace(SLOW_LR, steps="fixed"),
    "lr 0.01, steps observed": replace(SLOW_LR, steps="observed"),
    "lr 0.01, gradient plain": replace(SLOW_LR, gradient="plain"),
    "lr 0.01, batch_norm folded": replace(SLOW_LR, batch_norm="folded"),
    "lr 0.01, alpha 1": replace(SLOW_LR, alpha=1.0),
    "lr 0.01, alpha 0": replace(SLOW_LR, alpha=0.0),
}
MORE = Train(epochs=3, batch_size=64, optimizer="sgd", lr=0.03, weight_decay=1e-4, warmup_epochs=0.5, epoch_images=3200)


@cache
def digits() -> Job:
    """A net of two convolutions that has learnt the digits."""
    data = load_data("digits")
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1),
        nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip
    settings = Train(epochs=5, batch_size=64, lr=0.01, augment="none")
    net = train_weights(capture(model, data.preprocess.shape), task=TASK, data=data, settings=settings, seed=0).net
    return Job(model=net, task=TASK, data=data, device=device("generic-x86"))


def trained() -> Iterator[Row]:
    """Digits: weights and activations of the same width, by the way to train."""
    yield "float", lambda: _points(digits().model, digits())
    for bits in (4, 3, 2):
        yield f"{bits} rounding alone", partial(_rounded, bits)
        for name, settings in TRAININGS.items():
            yield f"{bits} {name}", partial(_trained, bits, settings)


def _points(net: Any, job: Job) -> dict[str, Any]:
    score = evaluate(net, TASK, job.data, "test")
    return {"top1": score.value, "images": score.num_samples}


def _digits_case(bits: int) -> tuple[fx.GraphModule, Plan]:
    job = digits()
    folded = fold_batch_norms(job.model)[0]  # type: ignore[arg-type]
    plan, precision = plan_quantizers(folded), Precision(weights=bits, activations=bits)
    ranges = ranges_of(observe(folded, plan, job.data.calibration(128, 0)), method="minmax", precision=precision)
    return simulate(folded, plan, ranges, precision=precision), plan


def _rounded(bits: int) -> dict[str, Any]:
    return _points(_digits_case(bits)[0], digits())


def _trained(bits: int, settings: Qat) -> dict[str, Any]:
    job, (simulation, plan) = digits(), _digits_case(bits)
    net, details = train_quantized(simulation, job.model, plan=plan, job=job, settings=settings)  # type: ignore[arg-type]
    return {**_points(net, job), "is_kept": details["is_kept"]}


def trained_resnet() -> Iterator[Row]:
    """`resnet20` with 2-bit weights and activations (input 8 bits), 3 short epochs."""
    settings = {
        "live": Qat(train=MORE), "live, alpha 1": Qat(train=MORE, alpha=1.0),
        "folded": Qat(train=MORE, batch_norm="folded"),
    }  # fmt: skip
    for name, each in settings.items():
        yield f"2 {name}", partial(_trained_resnet, each)


def _trained_resnet(settings: Qat) -> dict[str, Any]:
    net = subject("resnet20")
    first = next(iter(net.plan.points))
    precision = Precision(weights=2, activations=2, points={first: 8})
    ranges = ranges_of(net.observations, method="mse", precision=precision)
    simulation = simulate(net.folded, net.plan, ranges, precision=precision)
    job = Job(model=net.net, task=TASK, data=net.data, device=device("generic-x86"))
    quantized, details = train_quantized(simulation, net.net, plan=net.plan, job=job, settings=settings)
    return {"before": net.judged(simulation)["top1"], **net.judged(quantized), "details": plain(details)}


TABLES: dict[str, Callable[[], Iterator[Row]]] = {
    "ranges": activations, "weights": weights, "repairs": repairs, "learned": learned, "schemes": schemes,
    "stored": stored, "packed": packed, "qat": trained, "qat-resnet20": trained_resnet,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    claim = "ranges, repairs, training and schemes on trained nets, one change at a time"
    rows = Rows(options.out, claim=claim, seconds=options.seconds)
    found = [rows.measure(options.table, name, compute) for name, compute in TABLES[options.table]()]
    raise SystemExit(UNFINISHED if None in found else 0)


if __name__ == "__main__":
    main()
