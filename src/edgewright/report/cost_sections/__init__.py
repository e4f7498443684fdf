"""What each part of the cost page says: from the analysis to plain values that a template shows. None: leave it out."""

from .bounds import bounds
from .conventions import conventions
from .energy import energy
from .headline import headline
from .memory import memory
from .modules import modules, types
from .operators import operators, shapes

__all__ = ["bounds", "conventions", "energy", "headline", "memory", "modules", "operators", "shapes", "types"]
