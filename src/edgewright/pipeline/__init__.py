"""`fit()`: from a model, data and a device to a proven artifact; `run_stage()`: one stage; `compare_quantizers()`."""

from .comparison import Variant, compare_quantizers, variants
from .flow import fit, prepared
from .single import run_stage

__all__ = ["Variant", "compare_quantizers", "fit", "prepared", "run_stage", "variants"]
