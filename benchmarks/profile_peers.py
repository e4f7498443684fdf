"""MACs and time of `profile` next to other counters: fvcore, ptflops, torchinfo, calflops and PyTorch's own.

    pip install --target PEERS --no-deps fvcore iopath yacs portalocker termcolor tabulate ptflops torchinfo calflops
    pip install --target PEERS --no-deps transformers tokenizers regex accelerate psutil     # calflops imports them
    PYTHONPATH=PEERS OMP_NUM_THREADS=1 python benchmarks/profile_peers.py [--repeats 3] [--out FILE.json]

A folder of their own keeps the peers from replacing the installed torch. A counter that is absent is left out, and the
result says so. Two tables: *probes*, modules small enough to count by hand, and *models*. Every call gets a fresh copy
of the model in eval mode; each counter is used as its README shows. Times are CPU seconds of one thread (other load on
the machine enters them little) of one whole call: ours makes all of MACs, other operations, parameters, bytes and peak
RAM. Counters take turns, each turn in a process of its own, because some leave torch patched after a crash; the first
of the two calls of a turn is not counted. Median and range over the turns.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib
import io
import json
import logging
import math
import re
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from isolated import alone
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from edgewright import zoo
from edgewright.analyze import profile
from edgewright.pipeline.record import machine_facts, version_facts

OUT = Path(__file__).parent / "results" / "profile_peers.json"
Shape = tuple[int, ...]
Counter = Callable[[nn.Module, Shape], int]

# --- counters: MACs of one sample -----------------------------------------------------------------------------------


def _ours(model: nn.Module, shape: Shape) -> int:
    return profile(model, input_shape=shape).macs


def _torch(model: nn.Module, shape: Shape) -> int:
    with FlopCounterMode(display=False) as counter:
        model(torch.rand(1, *shape))
    return counter.get_total_flops() // 2


def _torch_no_grad(model: nn.Module, shape: Shape) -> int:
    with torch.no_grad():
        return _torch(model, shape)


def _fvcore(model: nn.Module, shape: Shape) -> int:
    from fvcore.nn import FlopCountAnalysis

    return int(FlopCountAnalysis(model, torch.rand(1, *shape)).total())


def _ptflops(backend: str) -> Counter:
    def count(model: nn.Module, shape: Shape) -> int:
        from ptflops import get_model_complexity_info

        macs, _ = get_model_complexity_info(
            model, shape, as_strings=False, print_per_layer_stat=False, verbose=False, backend=backend
        )
        return int(macs)

    return count


def _torchinfo(model: nn.Module, shape: Shape) -> int:
    from torchinfo import summary

    return int(summary(model, input_size=(1, *shape), verbose=0).total_mult_adds)


def _calflops(model: nn.Module, shape: Shape) -> int:
    from calflops import calculate_flops

    _, macs, _ = calculate_flops(model=model, input_shape=(1, *shape), output_as_string=False, print_results=False)
    return int(macs)


COUNTERS: dict[str, tuple[str, Counter]] = {
    "edgewright": ("edgewright", _ours),
    "torch": ("torch", _torch),
    "torch no_grad": ("torch", _torch_no_grad),
    "fvcore": ("fvcore", _fvcore),
    "ptflops pytorch": ("ptflops", _ptflops("pytorch")),
    "ptflops aten": ("ptflops", _ptflops("aten")),
    "torchinfo": ("torchinfo", _torchinfo),
    "calflops": ("calflops", _calflops),
}
"""Name -> package, and how its README says to count. PyTorch's counter and fvcore's "flops" are brought to MACs."""

# --- what is counted ------------------------------------------------------------------------------------------------


class Function(nn.Module):
    """A function of the input, with layers where it needs some."""

    def __init__(self, function: Callable[..., torch.Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


class Functional(nn.Module):
    """A convolution without a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(16, 8, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight, padding=1)


class UNet(nn.Module):
    """Two levels down, two up through transposed convolutions, with skips."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 32, 64)
        self.down = nn.ModuleList(self.block(a, b) for a, b in zip((3, *widths), widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in (32, 16))
        self.merge = nn.ModuleList(self.block(2 * width, width) for width in (32, 16))
        self.head = nn.Conv2d(16, 2, 1)

    def block(self, inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for index, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if index else x)
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = merge(torch.cat((up(x), skip), dim=1))
        return self.head(x)


def _thrice(net: Function, x: torch.Tensor) -> torch.Tensor:
    return net.layers[0](net.layers[0](net.layers[0](x)))


PROBES: dict[str, tuple[Callable[[], nn.Module], Shape, str]] = {
    "ConvTranspose2d k4 s2": (
        lambda: nn.ConvTranspose2d(8, 16, 4, stride=2, padding=1), (8, 14, 14), "14*14*8 * 16*4*4"),
    "depthwise ConvTranspose2d k4 s2": (
        lambda: nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, groups=8), (8, 14, 14), "14*14*8 * 1*4*4"),
    "F.conv2d": (Functional, (8, 14, 14), "14*14*16 * 8*3*3"),
    "x @ x.T": (lambda: Function(lambda net, x: x @ x.transpose(-1, -2)), (50, 32), "50*50 * 32"),
    "scaled_dot_product_attention": (
        lambda: Function(lambda net, x: functional.scaled_dot_product_attention(x, x, x)), (4, 50, 32),
        "4 * 50*50 * (32+32)"),
    "one conv called 3 times": (
        lambda: Function(_thrice, nn.Conv2d(8, 8, 3, padding=1)), (8, 14, 14), "3 * 14*14*8 * 8*3*3"),
    "Linear on 196 tokens": (lambda: nn.Linear(64, 32), (196, 64), "196*32 * 64"),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), (50, 64),
        "50 * (4*64*64 + 2*64*128) + 2*50*50*64"),
}  # fmt: skip
"""Name -> module, shape of one sample, and the MACs counted by hand: output values times products per value."""

MODELS: tuple[str, ...] = (
    "torchvision:resnet50", "torchvision:mobilenet_v2", "torchvision:mobilenet_v3_small", "torchvision:efficientnet_b0",
    "torchvision:densenet121", "torchvision:shufflenet_v2_x1_0", "torchvision:vit_b_16", "torchvision:swin_t",
    "torchvision:convnext_tiny", "torchvision:deeplabv3_mobilenet_v3_large", "UNet",
    "torchvision:ssdlite320_mobilenet_v3_large", "timm:mobilevit_xxs", "timm:fastvit_t8",
)  # fmt: skip


def model_of(name: str) -> tuple[nn.Module, Shape]:
    if name == "UNet":
        return UNet().eval(), (3, 128, 128)
    made = zoo.resolve(name, num_classes=None)
    return made.model, made.input_shape


def parts_of(model: nn.Module, shape: Shape) -> dict[str, dict[str, int]]:
    """MACs, other operations and values by kind of operator, unfused: what the differences are made of."""
    parts: dict[str, dict[str, int]] = {}
    for row in profile(model, input_shape=shape, fused=False).rows:
        part = parts.setdefault(row.op, {"calls": 0, "macs": 0, "elementwise": 0, "values": 0})
        facts = {"calls": 1, "macs": row.macs, "elementwise": row.elementwise, "values": math.prod(row.shape_out)}
        parts[row.op] = {name: part[name] + value for name, value in facts.items()}
    return parts


# --- running --------------------------------------------------------------------------------------------------------


def present() -> tuple[dict[str, Counter], dict[str, str]]:
    """The counters that can be imported, and why the others cannot."""
    found, absent = {}, {}
    for name, (package, counter) in COUNTERS.items():
        try:
            importlib.import_module(package)
            found[name] = counter
        except ImportError as error:
            absent[name] = str(error)
    return found, absent


def turn(counter: Counter, model: nn.Module, shape: Shape) -> dict[str, Any]:
    """MACs, and CPU seconds of the second of two calls."""
    for _ in range(2):
        fresh = copy.deepcopy(model)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            began = time.process_time()
            macs = counter(fresh, shape)
            seconds = time.process_time() - began
    return {"macs": macs, "cpu_s": seconds}


def compare(model: nn.Module, shape: Shape, counters: dict[str, Counter], repeats: int) -> dict[str, Any]:
    """What every counter says of one model, and how long it takes."""
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in counters}
    for _ in range(repeats):
        for name, counter in counters.items():
            turns[name].append(alone(turn, counter, model, shape))
    return {name: _summed_up(each) for name, each in turns.items()}


def _summed_up(turns: list[dict[str, Any]]) -> dict[str, Any]:
    failed = [each["failure"] for each in turns if "failure" in each]
    if failed:
        return {"macs": None, "failure": failed[0]}
    times = [each["cpu_s"] for each in turns]
    return {
        "macs": turns[0]["macs"], "cpu_s": round(statistics.median(times), 4),
        "range_cpu_s": [round(min(times), 4), round(max(times), 4)],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="models whose name matches this expression")
    parser.add_argument("--parts", type=Path, nargs="+", help="run nothing; put these results together")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if options.parts:
        parts = [json.loads(part.read_text()) for part in options.parts]
        models = [row for part in parts for row in part["models"]]
        result = {**parts[0], "models": models}
        options.out.write_text(json.dumps(result, indent=1) + "\n")
        print(tables(result))
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    counters, absent = present()
    for counter in counters.values():
        turn(counter, nn.Sequential(nn.Conv2d(3, 4, 3)).eval(), (3, 8, 8))  # what they import at their first call
    result = {
        "command": "python benchmarks/profile_peers.py", "machine": machine_facts(), "versions": versions(),
        "repeats": options.repeats, "absent": absent, "probes": [], "models": [],
    }  # fmt: skip
    for kind, row in rows(counters, options.repeats, options.only):
        result[kind].append(row)
        print(json.dumps(row), flush=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(tables(result))


def tables(result: dict[str, Any]) -> str:
    """Three tables in Markdown: probes as share of the count by hand, models as share of ours, and seconds."""
    names = list(result["models"][0]["said"])
    lines = [*_header("probe (MACs by hand)", names)]
    lines += [_line(f"{row['probe']} ({row['macs']:,})", row["said"], names, row["macs"]) for row in result["probes"]]
    lines += ["", *_header("model (our MACs)", names)]
    for row in result["models"]:
        ours = row["said"]["edgewright"]["macs"]
        lines.append(_line(f"{row['model']} ({ours:,})", row["said"], names, ours))
    lines += ["", *_header("model, CPU s", [*names, "ours / fastest"])]
    for row in result["models"]:
        times = {name: each["cpu_s"] for name, each in row["said"].items() if "cpu_s" in each}
        ratio = times["edgewright"] / min(time for name, time in times.items() if name != "edgewright")
        cells = [f"{times[name]:.3f}" if name in times else "fails" for name in names]
        lines.append(f"| {row['model']} | {' | '.join(cells)} | {ratio:.2f} |")
    return "\n".join(lines)


def _header(first: str, names: list[str]) -> list[str]:
    return [f"| {first} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]


def _line(first: str, said: dict[str, Any], names: list[str], truth: int) -> str:
    cells = ["fails" if said[name]["macs"] is None else _share(said[name]["macs"], truth) for name in names]
    return f"| {first} | {' | '.join(cells)} |"


def _share(macs: int, truth: int) -> str:
    return "1" if macs == truth else f"**{macs / truth:.4f}**"


def rows(counters: dict[str, Counter], repeats: int, only: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Probes, then models."""
    for name, (build, shape, by_hand) in PROBES.items():
        said = compare(build().eval(), shape, counters, 1)
        yield "probes", {"probe": name, "input_shape": shape, "by_hand": by_hand, "macs": eval(by_hand), "said": said}
    for name in (each for each in MODELS if re.search(only, each)):
        model, shape = model_of(name)
        said = compare(model, shape, counters, repeats)
        yield "models", {"model": name, "input_shape": shape, "parts": parts_of(model, shape), "said": said}


def versions() -> dict[str, str]:
    found = dict(version_facts())
    for package in sorted({package for package, _ in COUNTERS.values()} - set(found)):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


if __name__ == "__main__":
    main()
