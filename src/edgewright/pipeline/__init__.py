"""`fit()`: the main job, from a model, data and a device to a proven artifact; `run_stage()`: one stage of it."""

from .flow import fit, prepared
from .single import run_stage

__all__ = ["fit", "prepared", "run_stage"]
