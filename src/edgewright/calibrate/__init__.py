"""How fast is this machine? Operators timed in the runtime, kept as a device file with its error on whole models."""

from .build import MODELS, QUICK_MODELS, Calibration, calibrate, model_latency
from .slots import NodeTime, Sample

__all__ = ["MODELS", "QUICK_MODELS", "Calibration", "NodeTime", "Sample", "calibrate", "model_latency"]
