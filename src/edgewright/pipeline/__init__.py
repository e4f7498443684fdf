"""`fit()`: from a model, data and a device to a proven artifact; `run_stage()`: one stage; `compare_quantizers()`;
`find_tickets()`: lottery tickets and their controls; `cross_validate()`: K folds; `tune()`: a search for settings.
"""

from .comparison import Variant, compare_quantizers, variants
from .flow import fit, prepared
from .folds import CrossValidation, cross_validate
from .single import run_stage
from .tickets import find_tickets
from .tuning import Tune, Tuned, tune

__all__ = [
    "CrossValidation",
    "Tune",
    "Tuned",
    "Variant",
    "compare_quantizers",
    "cross_validate",
    "find_tickets",
    "fit",
    "prepared",
    "run_stage",
    "tune",
    "variants",
]
