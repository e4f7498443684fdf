"""Really? The judge of artifacts: parity, score, size, speed and limits, measured in the runtime."""

from .artifact import read_artifact, read_expected
from .bench import Bench, BenchPlan, bench, file_subject
from .cold import ColdStart
from .conditions import Conditions
from .end_to_end import EndToEnd, Samples, read_samples
from .executorch_runner import ExecuTorchRunner
from .integers import LayerParity, ReferenceParity, compare_with_reference, run_in_integers
from .judge import Verification, verify_artifact
from .kernels import FloatNode, Kernels, kernels
from .machine import saturation_warning
from .openvino_runner import OpenVinoRunner
from .parity import TensorParity, compare_codes, parity
from .rows import BenchRow
from .runner import OnnxRunner
from .subjects import RUNTIMES, Skipped, Stored, Subject, installed_runtimes
from .timing import Latency, Race, Timing, WarmUp, race
from .torch_runner import TorchRunner

__all__ = [
    "RUNTIMES",
    "Bench",
    "BenchPlan",
    "BenchRow",
    "ColdStart",
    "Conditions",
    "EndToEnd",
    "ExecuTorchRunner",
    "FloatNode",
    "Kernels",
    "Latency",
    "LayerParity",
    "OnnxRunner",
    "OpenVinoRunner",
    "Race",
    "ReferenceParity",
    "Samples",
    "Skipped",
    "Stored",
    "Subject",
    "TensorParity",
    "Timing",
    "TorchRunner",
    "Verification",
    "WarmUp",
    "bench",
    "compare_codes",
    "compare_with_reference",
    "file_subject",
    "installed_runtimes",
    "kernels",
    "parity",
    "race",
    "read_artifact",
    "read_expected",
    "read_samples",
    "run_in_integers",
    "saturation_warning",
    "verify_artifact",
]
