"""edgewright: from a vision model, your data and a named device to a proven int8 artifact.

    import edgewright as ew

    job = ew.Job(model=net, task=ew.Classify(num_classes=10), data=ew.load_data("digits"),
                 device=ew.device("stm32f746"), budget=ew.Budget(max_drop=1.0))
    report = ew.fit(job, out="runs/digits")

Importing this package loads nothing else: each name is fetched from its room when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names as EXPORTS, for type checkers and editors
    from .analyze import profile
    from .compress.distill import Distill
    from .compress.prune import Prune
    from .compress.quantize import Quantize
    from .data import load_data
    from .devices import device
    from .model import capture, load_model, save_model
    from .pipeline import fit
    from .tasks import Classify
    from .train import Train
    from .types import Budget, Cost, Device, Job, Report, Score

__version__ = "0.1.0"

EXPORTS = {
    "Budget": "types",
    "Classify": "tasks",
    "Cost": "types",
    "Device": "types",
    "Distill": "compress.distill",
    "Job": "types",
    "Prune": "compress.prune",
    "Quantize": "compress.quantize",
    "Report": "types",
    "Score": "types",
    "Train": "train",
    "capture": "model",
    "device": "devices",
    "fit": "pipeline",
    "load_data": "data",
    "load_model": "model",
    "profile": "analyze",
    "save_model": "model",
}
"""Public name -> the room that holds it."""

__all__ = [
    "Budget",
    "Classify",
    "Cost",
    "Device",
    "Distill",
    "Job",
    "Prune",
    "Quantize",
    "Report",
    "Score",
    "Train",
    "__version__",
    "capture",
    "device",
    "fit",
    "load_data",
    "load_model",
    "profile",
    "save_model",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name from its room (PEP 562)."""
    if name not in EXPORTS:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(import_module(f".{EXPORTS[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
