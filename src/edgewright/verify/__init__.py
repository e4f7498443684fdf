"""Really? The judge of artifacts: parity, score, size, speed and limits, measured in the runtime."""

from .artifact import read_artifact, read_expected
from .bench import BenchRow, bench
from .judge import Verification, verify_artifact
from .kernels import FloatNode, Kernels, kernels
from .machine import saturation_warning
from .parity import TensorParity, compare_codes, parity
from .runner import OnnxRunner
from .timing import Latency, Race, Timing, race

__all__ = [
    "BenchRow",
    "FloatNode",
    "Kernels",
    "Latency",
    "OnnxRunner",
    "Race",
    "TensorParity",
    "Timing",
    "Verification",
    "bench",
    "compare_codes",
    "kernels",
    "parity",
    "race",
    "read_artifact",
    "read_expected",
    "saturation_warning",
    "verify_artifact",
]
