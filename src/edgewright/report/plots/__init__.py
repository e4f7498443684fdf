"""Plots as inline SVG, drawn by hand: no library, no script, colours from the page's style sheet by class."""

from .bars import Bar, bar_panel, lowest_in_sight, score_panel
from .curves import KeepCurve, keep_panel
from .pareto import Candidate, front, pareto_panel
from .roofline import Roof, RoofPoint, roofline_panel
from .sensitivity import Curve, sensitivity_panel

__all__ = [
    "Bar",
    "Candidate",
    "Curve",
    "KeepCurve",
    "Roof",
    "RoofPoint",
    "bar_panel",
    "front",
    "keep_panel",
    "lowest_in_sight",
    "pareto_panel",
    "roofline_panel",
    "score_panel",
    "sensitivity_panel",
]
