"""Realistic `run.json` contents, as the pipeline writes them: a passing run, an infeasible one, one with many rounds.

They are built from the shapes of the nets and the numbers of the devices; scores and measured times are made up.
"""

import json
import random
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from edgewright.devices import device
from edgewright.types import BYTES_PER_ELEMENT, Budget, Cost, Device, ModelProfile, OpProfile, plain

Run = dict[str, Any]
Shape = tuple[int, int, int]  # (C, H, W)
Layer = tuple[str, str, Shape, Shape, int]  # name, operator, input, output, kernel size (0: no weights)
DIGITS = [str(digit) for digit in range(10)]
VOID = {"meta", "link", "br", "hr", "img", "input"}
CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def simple_cnn(keep: float = 1.0) -> list[Layer]:
    a, b, c = round(8 * keep), round(16 * keep), round(64 * keep)
    return [
        ("conv1", "Conv2d", (1, 28, 28), (a, 28, 28), 3),
        ("relu", "aten.relu", (a, 28, 28), (a, 28, 28), 0),
        ("pool1", "aten.max_pool2d", (a, 28, 28), (a, 14, 14), 0),
        ("conv2", "Conv2d", (a, 14, 14), (b, 14, 14), 3),
        ("relu_1", "aten.relu", (b, 14, 14), (b, 14, 14), 0),
        ("pool2", "aten.max_pool2d", (b, 14, 14), (b, 7, 7), 0),
        ("fc1", "Linear", (b * 49, 1, 1), (c, 1, 1), 1),
        ("fc2", "Linear", (c, 1, 1), (10, 1, 1), 1),
    ]


def residual_net(num_blocks: int, keep: float = 1.0) -> list[Layer]:
    """A CIFAR residual net, three stages of `num_blocks` blocks (3: resnet20); a cut one has its batch norms folded."""
    layers: list[Layer] = [("conv1", "Conv2d", (3, 32, 32), (16, 32, 32), 3)]
    width = 16
    for stage, out in enumerate((16, 32, 64), start=1):
        for block in range(num_blocks):
            size, prefix, middle = 64 // 2**stage, f"layer{stage}.{block}", max(1, round(out * keep))
            before = size if width == out else size * 2
            layers.append((f"{prefix}.conv1", "Conv2d", (width, before, before), (middle, size, size), 3))
            if keep == 1:
                layers.append((f"{prefix}.bn1", "BatchNorm2d", (middle, size, size), (middle, size, size), 0))
            layers.append((f"{prefix}.conv2", "Conv2d", (middle, size, size), (out, size, size), 3))
            layers.append((f"{prefix}.add", "aten.add", (out, size, size), (out, size, size), 0))
            width = out
    layers.append(("avgpool", "aten.adaptive_avg_pool2d", (64, 8, 8), (64, 1, 1), 0))
    return [*layers, ("fc", "Linear", (64, 1, 1), (10, 1, 1), 1)]


def op_profile(layer: Layer, target: Device, dtype: str) -> OpProfile:
    name, op, (c_in, h_in, w_in), (c_out, h, w), kernel = layer
    size, weights = BYTES_PER_ELEMENT[dtype], c_in * c_out * kernel**2
    params = weights + c_out if kernel else 2 * c_out if op == "BatchNorm2d" else 0
    activation_bytes = (c_in * h_in * w_in + c_out * h * w) * size
    times: dict[Any, float] = {
        "compute": weights * h * w / target.macs_per_second(dtype),
        "memory": (params * size + activation_bytes) / target.bandwidth_bytes_s,
        "overhead": target.overhead_s,
    }
    return OpProfile(
        name=name.replace(".", "_"),
        layer=name if kernel else "",
        op=op,
        shape_out=(1, c_out, h, w) if h > 1 else (1, c_out),
        macs=weights * h * w,
        elementwise=0 if kernel else c_out * h * w,
        params=params,
        weight_bytes=params * size,
        activation_bytes=activation_bytes,
        latency_s=max(times["compute"], times["memory"]) + times["overhead"],
        energy_j=weights * h * w * target.pj_per_mac[dtype] * 1e-12,
        bound=max(times, key=lambda key: times[key]),
    )


def profile_of(layers: list[Layer], target: Device, dtype: str) -> ModelProfile:
    rows = tuple(op_profile(layer, target, dtype) for layer in layers)
    peak = max(rows, key=lambda row: row.activation_bytes)
    sums = {name: sum(getattr(row, name) for row in rows) for name in ("macs", "params", "latency_s", "energy_j")}
    weight_bytes, ram_bytes = sum(row.weight_bytes for row in rows), round(peak.activation_bytes)
    cost = Cost(**sums, ram_bytes=ram_bytes, flash_bytes=round(weight_bytes))
    return ModelProfile(
        rows=rows,
        dtype=dtype,
        device=target.name,
        params=sums["params"],
        buffers=0,
        macs=sums["macs"],
        elementwise=sum(row.elementwise for row in rows),
        weight_bytes=weight_bytes,
        peak_ram_bytes=ram_bytes,
        peak_at=peak.name,
        peak_tensors=(f"input of {peak.name}", peak.name),
        unknown=(),
        cost=Cost(**{**plain(cost), "how": dict.fromkeys(plain(cost), "estimated")}),
    )


def score_of(value: float, num: int, split: str) -> Run:
    return {"metric": "top-1", "value": value, "num_samples": num, "split": split}


def stages_of(num: int, *stages: tuple[str, str, float, Cost, float], **more: Run) -> list[Run]:
    """From (name, title, score on val, cost, seconds); `more` adds settings, notes and details by the name."""
    empty = {"settings": {}, "notes": [], "details": {}, "cached": False}
    return [
        {**empty, "index": index, "name": name, "title": title, "cost": plain(cost), "seconds": seconds}
        | {"score": score_of(score, num, "val"), **more.get(name, {})}
        for index, (name, title, score, cost, seconds) in enumerate(stages, start=1)
    ]


def checks_of(*checks: tuple[str, bool, float, float | None, str, str]) -> list[Run]:
    """From (name, passed, value, limit, unit, how)."""
    names = ("name", "passed", "value", "limit", "unit", "how")
    return [{**dict(zip(names, check, strict=True)), "blame": "" if check[1] else BLAME} for check in checks]


BLAME = "fc1 holds 71 % of the weights; a smaller flatten would help most"


def confusion_of(labels: list[str], per_class: int, errors: tuple[int, int]) -> Run:
    matrices = []
    for seed, num_errors in enumerate(errors):
        draw, size = random.Random(seed), len(labels)
        matrix = [[per_class if row == column else 0 for column in range(size)] for row in range(size)]
        for _ in range(num_errors):
            true, decided = draw.sample(range(size), 2)
            matrix[true][true] -= 1
            matrix[true][decided] += 1
        matrices.append(matrix)
    return {"labels": labels, "before": matrices[0], "after": matrices[1]}


def base_run(model: str, data: str, target: Device, budget: Budget, labels: list[str], nums: Shape) -> Run:
    splits = {name: {"num": num} for name, num in zip(("train", "val", "test"), nums, strict=True)}
    asked = {"model": model, "data": data, "device": target.name, "budget": plain(budget), "seed": 0}
    source = "UCI Optical Recognition of Handwritten Digits, as in scikit-learn"
    return {
        "format": "edgewright.run/1",
        "asked": asked | {"recipe": {"name": "default", "finetune": {"epochs": 12, "lr": 0.001}, "max_rounds": 10}},
        "versions": {"edgewright": "0.1.0", "python": "3.11.2", "torch": "2.15.0", "onnxruntime": "1.31.0"},
        "machine": {"cpu": "x86-64, 2.4 GHz", "cores": 2, "os": "Linux 6.1"},
        "device": plain(target),
        "data": {"name": data, "num_classes": len(labels), "class_names": labels, "splits": splits}
        | {"fingerprint": "5b1e0c77a9d2f3e4", "preprocess": {"shape": [1, 28, 28], "mean": [0.3062], "std": [0.3753]}}
        | {"provenance": {"source": source, "split_rule": "stratified by class, seed 0", "seed": 0}},
        "verdict": {"passed": True, "sentence": "", "binding": [], "nearest": None, "relax": []},
    }


def artifacts_of(**sizes: int) -> Run:
    found = {}
    for name, size in sizes.items():
        files = [("model.onnx", size), ("manifest.json", 1204)]
        listed = [{"path": path, "bytes": num, "sha256": f"{num:064x}"} for path, num in files]
        folder = "artifact" if name == "int8" else f"artifact-{name}"
        found[name] = {"path": f"{folder}/model.onnx", "bytes": size, "files": listed}
    return found


def latency_of(**medians: float) -> list[Run]:
    setting = {
        "runtime": "onnxruntime 1.31.1",
        "threads": 1,
        "batch": 1,
        "runs": 350,
        "turns": 7,
        "ratios": [0.6, 0.625, 0.64],
    }
    return [{"artifact": name, "median_s": at, "p95_s": at * 1.22, **setting} for name, at in medians.items()]


def parity_of(layers: list[Layer]) -> list[Run]:
    draw = random.Random(0)
    return [
        {"tensor": layer[0], "max_steps": worst, "mean_steps": worst * share, "share_equal": 1 - worst * share}
        for layer in layers
        for worst, share in [(draw.choice((0, 1, 1)), draw.random() / 100)]
    ]


def point_of(label: str, kind: str, score: float, cost: Cost) -> Run:
    kept = {name: getattr(cost, name) for name in ("macs", "flash_bytes", "latency_s", "ram_bytes", "energy_j")}
    return {"label": label, "kind": kind, "score": score, **kept}


def digits_run() -> Run:
    """simple_cnn on digits for stm32f746: passed."""
    target = device("stm32f746")
    run = base_run("simple_cnn", "digits", target, Budget(max_drop=1.0), DIGITS, (1167, 270, 360))
    before, after = profile_of(simple_cnn(), target, "float32"), profile_of(simple_cnn(0.5), target, "int8")
    middle = profile_of(simple_cnn(0.5), target, "float32").cost
    history = [{"epoch": epoch, "loss": 2.1 / epoch, "val_score": 98.9 - 20 / epoch**2} for epoch in range(1, 13)]
    run["stages"] = stages_of(
        270,
        ("train", "Train", 98.52, before.cost, 21.4),
        ("trained", "Model as trained", 98.52, before.cost, 0.2),
        ("prune", "Round 1: prune", 91.94, middle, 4.2),
        ("recover", "Round 1: recover by distillation", 98.15, middle, 17.8),
        ("quantize", "Round 1: quantize to int8", 98.15, after.cost, 2.1),
        train={"settings": {"epochs": 12, "lr": 0.002}, "details": {"best_epoch": 12, "history": history}},
        prune={"settings": {"keep": {"conv1": 4}}, "notes": ["29.3% of the MACs and 25.4% of the parameters stay."]},
    )
    run["chosen_stages"], run["final_model"] = [2, 3, 4, 5], "stages/05-quantize"
    run["scores"] = {"before": score_of(98.61, 360, "test"), "after": score_of(98.33, 360, "test")}
    run["order"] = [
        "train: the model came without weights",
        "prune: int8 alone meets the limits",
        "quantize: int8 kernels",
    ]
    run["groups"] = [
        {"group": "conv1", "classes": 8, "channels_per_class": 1, "layers": ["conv1", "conv2"], "locked": None},
        {"group": "fc2", "classes": 10, "channels_per_class": 1, "layers": ["fc2"], "locked": "the model's output"},
    ]
    run["profile"] = {"before": plain(before), "after": plain(after)}
    run["sensitivity"] = [
        {"group": group, "keep": keep, "score": 98.5 - weight * (1 - keep) ** 2, "loss": 1 - keep}
        for group, weight in (("conv1", 60), ("conv2", 35), ("fc1", 8))
        for keep in (0.25, 0.5, 0.75, 1.0)
    ]
    taken = {"round": 1, "target_keep_macs": 0.35, "keep_macs": 0.31, "score_val": 98.15, "drop_val": 0.37}
    run["rounds"] = [taken | {"accepted": True, "reason": "every limit holds", "cost": plain(after.cost)}]
    run["pareto"] = [
        point_of("as given, fp32", "start", 98.52, before.cost),
        point_of("keep 35 %", "chosen", 98.15, after.cost),
    ]
    run["parity"] = parity_of(simple_cnn())
    run["artifacts"], run["latency"] = artifacts_of(int8=24_118, fp32=211_032), latency_of(fp32=61e-6, int8=38e-6)
    run["checks"] = checks_of(
        ("score", True, 98.33, 97.61, "points", "top-1 on 360 images of test in ONNX Runtime, 98.61 before"),
        ("agreement", True, 100.0, 99.5, "%", "decisions on 360 images of test, ONNX Runtime against the simulation"),
        ("file size", True, 24_118 / 211_032, 0.25, "of the fp32 file", "24118 bytes against 211032"),
        ("ram_bytes", True, after.cost.ram_bytes or 0, 327_680, "bytes", "estimated"),
        ("flash_bytes", True, 24_118, 1_048_576, "bytes", "measured"),
        ("latency against fp32", True, 0.625, None, "of the fp32 time", "this machine is not the device"),
    )
    run["confusion"] = confusion_of(DIGITS, 36, (5, 6))
    run["verdict"]["sentence"] = "simple_cnn fits stm32f746: 98.33 points (−0.28) in a file 8.75 times smaller."
    return run


def infeasible_run() -> Run:
    """The same net with 2 KiB of flash: failed, with the nearest point and what would help."""
    run = digits_run()
    run["asked"]["budget"] |= {"flash_bytes": 2048, "latency_s": 0.5e-3}
    reached = Cost(macs=21_300, flash_bytes=3_910, latency_s=0.9e-3, ram_bytes=2_744, energy_j=2e-7)
    nearest = point_of("keep 6 %", "tried", 89.44, reached)
    run["pareto"].append(nearest)
    run["artifacts"] = artifacts_of(int8=3_910, fp32=211_032)
    run["rounds"] = [
        {"round": number, "target_keep_macs": keep, "keep_macs": keep, "score_val": 98.1 - drop, "drop_val": drop}
        | {"accepted": False, "reason": f"flash is {size:,} B, the limit is 2,048 B", "cost": {"flash_bytes": size}}
        for number, (keep, drop, size) in enumerate([(0.35, 0.4, 14_200), (0.15, 2.9, 6_890), (0.06, 8.9, 3_910)], 1)
    ]
    run["scores"]["after"] = score_of(89.44, 360, "test")
    kept = [check for check in run["checks"] if check["name"] not in ("flash_bytes", "score")]
    failed = ("flash_bytes", 3_910, 2048, "bytes"), ("score", 89.44, 97.61, "points")
    run["checks"] = [*kept, *checks_of(*((name, False, *limit, "measured") for name, *limit in failed))]
    run["verdict"] = {
        "passed": False,
        "sentence": "The budget is infeasible: the nearest point needs 3.82 KiB of flash and loses 9.17 points.",
        "binding": [
            {"limit_name": "flash_bytes", "value": 3_910, "limit": 2048, "factor": 3_910 / 2048},
            {"limit_name": "latency_s", "value": 0.9e-3, "limit": 0.5e-3, "factor": 1.8},
        ],
        "nearest": nearest,
        "relax": [
            {"limit_name": "flash_bytes", "needed": 14_200, "sentence": "then a drop of 0.4 points is enough"},
            {"limit_name": "max_drop", "needed": 9.2, "sentence": "and flash of 3.82 KiB"},
        ],
    }
    return run


def residual_run(num_blocks: int = 3, num_classes: int = 10) -> Run:
    """resnet20 on cifar10 for generic-x86: passed after ten rounds; deeper with more blocks."""
    target, model = device("generic-x86"), f"resnet{6 * num_blocks + 2}"
    labels = CIFAR10 if num_classes == 10 else [f"class {index}" for index in range(num_classes)]
    run = base_run(model, "npz:cifar10", target, Budget(max_drop=1.5), labels, (49_000, 1_000, 1_000))
    nets = [residual_net(num_blocks), residual_net(num_blocks, 0.45)]
    before, after = profile_of(nets[0], target, "float32"), profile_of(nets[1], target, "int8")
    middle = profile_of(nets[1], target, "float32").cost
    tried = [("prune", 24.0, middle, 38.0), ("recover", 90.9, middle, 1804.0), ("quantize", 90.6, after.cost, 12.2)]
    run["stages"] = stages_of(
        1000,
        ("given", "Model as given", 92.2, before.cost, 6.1),
        *((name, f"Round 1: {name}", score, cost, seconds) for name, score, cost, seconds in tried),
        ("prune", "Round 2: prune", 41.7, middle, 38.0),
        ("recover", "Round 2: recover by distillation", 91.5, middle, 1804.0),
        ("quantize", "Round 2: quantize to int8", 91.3, after.cost, 12.2),
        recover={"settings": {"alpha": 0.9, "temperature": 4.0}, "notes": ["Stopped early after epoch 9."]},
    )
    run["chosen_stages"] = [1, 5, 6, 7]
    run["scores"] = {"before": score_of(92.2, 1000, "test"), "after": score_of(91.3, 1000, "test")}
    run["estimate"] = {"estimated_s": 600e-6, "measured_s": 7.1e-4, "ratio": 7.1 / 6}
    run["profile"] = {"before": plain(before), "after": plain(after)}
    draw = random.Random(1)
    run["sensitivity"] = [
        {"group": layer[0], "keep": keep, "score": 92.2 - weight * (1 - keep) ** 1.7, "loss": None}
        for layer, weight in [(layer, draw.uniform(3, 55)) for layer in nets[0] if layer[0].endswith("conv1")]
        for keep in (0.125, 0.25, 0.5, 0.75, 1.0)
    ]
    run["rounds"], run["pareto"] = [], [point_of("as given, fp32", "start", 92.2, before.cost)]
    for number, keep in enumerate((0.6, 0.3, 0.42, 0.36, 0.5, 0.45, 0.48, 0.47, 0.465, 0.46), start=1):
        cost = profile_of(residual_net(num_blocks, keep), target, "int8").cost
        drop = 0.2 + 5.2 * (1 - keep) ** 3
        reason = "every limit holds" if drop <= 1.15 else f"the drop is {drop:.2f} points, more than 1.15 left for int8"
        run["rounds"].append(
            {"round": number, "target_keep_macs": keep, "keep_macs": keep * 0.99, "score_val": 92.2 - drop}
            | {"drop_val": drop, "accepted": drop <= 1.15, "reason": reason, "cost": plain(cost)}
        )
        run["pareto"].append(point_of(f"round {number}", "chosen" if number == 6 else "tried", 92.2 - drop, cost))
    run["parity"] = parity_of(nets[1])
    run["artifacts"], run["latency"] = artifacts_of(int8=118_220, fp32=1_093_412), latency_of(fp32=1.94e-3, int8=7.1e-4)
    run["checks"] = checks_of(("score", True, 91.3, 90.7, "points", "top-1 on 1000 images of test in ONNX Runtime"))
    run["confusion"] = confusion_of(labels, 100, (78, 87))
    run["verdict"]["sentence"] = f"{model} fits generic-x86: 91.30 points (−0.90) with 2.23 times fewer MACs."
    return run


RUNS: dict[str, Callable[..., Run]] = {"digits": digits_run, "infeasible": infeasible_run, "residual": residual_run}


@pytest.fixture(params=list(RUNS))
def any_run(request: pytest.FixtureRequest) -> Run:
    """Each of the example runs in turn, a fresh copy."""
    return RUNS[request.param]()


@pytest.fixture
def example() -> dict[str, Callable[..., Run]]:
    """The builders by name: digits, infeasible, residual."""
    return {**RUNS}


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a run into a folder of its own, as the pipeline does, and gives the folder."""

    def write(run: Any) -> Path:
        (tmp_path / "run.json").write_text(json.dumps(run))
        return tmp_path

    return write


class Outline(HTMLParser):
    """Checks that tags nest, and collects ids, attributes, scripts and text, of the whole and of each section."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.attributes, self.scripts, self.text = [], [], [], [], {}
        self.feed(page)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
        elif "style" not in self.open:
            section = self.ids[-1] if self.ids else ""
            self.text[section] = self.text.get(section, "") + " " + data

    def words(self, section=None):
        """The text of a section, or of the whole page, with single spaces."""
        return " ".join((" ".join(self.text.values()) if section is None else self.text[section]).split())


@pytest.fixture(scope="session")
def outline_of() -> type[Outline]:
    """What a page holds; it fails where tags do not nest."""
    return Outline
