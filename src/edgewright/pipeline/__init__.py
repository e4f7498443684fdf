"""`fit()`: from a model, data and a device to a proven artifact; `run_stage()`: one stage; `compare_quantizers()`;
`find_tickets()`: lottery tickets and their controls.
"""

from .comparison import Variant, compare_quantizers, variants
from .flow import fit, prepared
from .single import run_stage
from .tickets import find_tickets

__all__ = ["Variant", "compare_quantizers", "find_tickets", "fit", "prepared", "run_stage", "variants"]
