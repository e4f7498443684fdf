"""Are 2:4 weights faster than dense ones on sparse tensor cores? Linear layers of several sizes on this machine's GPU.

    python benchmarks/sparse_tensor_cores.py [--dtype float16|bfloat16] [--out FILE.json]

Each layer has random weights of one seed, cut to 2:4 by magnitude. Three forms are timed in turns in one process:
dense weights, the same dense kernel on weights with the zeros ("masked"), and semi-structured tensors by each library
that PyTorch offers here (cuSPARSELt, CUTLASS). A ratio is the dense time of a turn by the time of the form in it,
median over the turns: above 1 the form is faster. Times are of many calls in a row, launches included, as eager PyTorch
runs them. Outputs are compared with the masked ones. About a minute. Needs an NVIDIA GPU of compute capability 8.0 or
more.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.sparse import semi_structured as kinds

from edgewright.compress.prune.sparse import choose_pattern
from edgewright.devices.machine import package_versions
from edgewright.files import write_json
from edgewright.formats import pack_n_of_m, parse_pattern
from edgewright.seeding import torch_generator

OUT = Path(__file__).parent / "results" / "sparse_tensor_cores.json"
# inputs, outputs, rows of activations
LAYERS = {
    "ViT-B, first of the MLP, 1 image": (768, 3072, 197),
    "ViT-B, first of the MLP, 64 images": (768, 3072, 197 * 64),
    "ViT-B, second of the MLP, 64 images": (3072, 768, 197 * 64),
    "ViT-B, projection, 64 images": (768, 768, 197 * 64),
    "ResNet-50, 1x1 64 to 256, 64 images": (64, 256, 3136 * 64),
    "ResNet-50, 1x1 512 to 2048, 64 images": (512, 2048, 49 * 64),
    "4096 to 4096, 16 rows": (4096, 4096, 16),
    "4096 to 4096, 256 rows": (4096, 4096, 256),
    "4096 to 4096, 4096 rows": (4096, 4096, 4096),
    "8192 to 8192, 8192 rows": (8192, 8192, 8192),
}
LIBRARIES = {
    "cusparselt": kinds.SparseSemiStructuredTensorCUSPARSELT,
    "cutlass": kinds.SparseSemiStructuredTensorCUTLASS,
}
TURNS, SECONDS, SEED = 7, 0.03, 0
Call = Callable[[], torch.Tensor]


def layer_row(name: str, dtype: torch.dtype) -> dict[str, Any]:
    """All forms of one layer, in turns."""
    inputs, outputs, rows = LAYERS[name]
    draw = torch_generator(SEED, "sparse_tensor_cores", name)
    dense_OI = torch.randn((outputs, inputs), generator=draw).cuda() / inputs**0.5
    keep = choose_pattern(torch.nn.Linear(inputs, outputs, device="meta"), dense_OI.abs(), parse_pattern("2:4"))
    assert keep is not None
    x_RI = torch.randn((rows, inputs), generator=draw).to("cuda", dtype)
    masked_OI = dense_OI.masked_fill(~keep, 0.0).to(dtype)
    weights = {"dense": dense_OI.to(dtype), "masked": masked_OI}
    calls = {form: linear(x_RI, weight) for form, weight in weights.items()}
    refused: dict[str, str] = {}
    for library, kind in LIBRARIES.items():
        try:
            sparse = linear(x_RI, kind.from_dense(weights["masked"]))
            sparse()
            calls[library] = sparse
        except (RuntimeError, NotImplementedError) as error:
            refused[library] = str(error).splitlines()[0]
    packed = pack_n_of_m(masked_OI.cpu().view(torch.int16).numpy())  # NumPy has no bfloat16; bytes are the same
    return {
        "layer": name, "inputs": inputs, "outputs": outputs, "rows": rows, "refused": refused,
        "dense_bytes": dense_OI.numel() * 2, "packed_bytes": packed.num_bytes, "forms": in_turns(calls),
    }  # fmt: skip


def linear(x_RI: torch.Tensor, weight: torch.Tensor) -> Call:
    return lambda: functional.linear(x_RI, weight)


def in_turns(calls: dict[str, Call]) -> dict[str, dict[str, Any]]:
    """Median time, ratio to dense with its spread over the turns, and the largest error against the masked form."""
    with torch.no_grad():
        counts = {form: calls_in(call) for form, call in calls.items()}
        times = {form: [] for form in calls}
        for _ in range(TURNS):
            for form, call in calls.items():
                times[form].append(seconds_of(call, counts[form]) / counts[form])
        want = calls["masked"]().float()
        found = {}
        for form, call in calls.items():
            ratios = np.array(times["dense"]) / np.array(times[form])
            error = float((call().float() - want).abs().max() / want.abs().max()) if form != "dense" else None
            found[form] = {"median_us": 1e6 * float(np.median(times[form])), "times_as_fast": float(np.median(ratios)),
                           "spread": [float(ratios.min()), float(ratios.max())], "error": error}  # fmt: skip
    return found


def calls_in(call: Call) -> int:
    """How many calls take about `SECONDS`, after a few to warm up."""
    seconds_of(call, 10)
    return max(10, int(SECONDS / (seconds_of(call, 10) / 10)))


def seconds_of(call: Call, count: int) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(count):
        call()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=("float16", "bfloat16"), default="float16")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    if not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 0):
        sys.exit("This benchmark needs an NVIDIA GPU with sparse tensor cores (compute capability 8.0 or more).")
    warnings.filterwarnings("ignore", "The PyTorch API of SparseSemiStructuredTensor is in prototype stage")
    rows = []
    for name in LAYERS:
        rows.append(layer_row(name, getattr(torch, asked.dtype)))
        shown = ", ".join(f"{form} {each['median_us']:.1f} us ({each['times_as_fast']:.2f}x)"
                          for form, each in rows[-1]["forms"].items())  # fmt: skip
        print(f"{name}: {shown}; refused: {rows[-1]['refused'] or 'none'}", flush=True)
    write_json(asked.out, {
        "what": "linear layers, dense against 2:4 on sparse tensor cores", "command": " ".join(sys.argv), "seed": SEED,
        "gpu": torch.cuda.get_device_name(), "capability": list(torch.cuda.get_device_capability()),
        "cuda": torch.version.cuda, "versions": package_versions(("torch", "numpy")), "dtype": asked.dtype,
        "turns": TURNS, "seconds_per_turn": SECONDS, "rows": rows,
    })  # fmt: skip


if __name__ == "__main__":
    main()
