"""Plots as inline SVG, drawn by hand: no library, no script, colours from the page's style sheet by class."""

from .bars import REACH, Bar, bar_panel, score_panel
from .pareto import Candidate, front, pareto_panel
from .roofline import Roof, RoofPoint, roofline_panel
from .sensitivity import Curve, sensitivity_panel

__all__ = [
    "REACH",
    "Bar",
    "Candidate",
    "Curve",
    "Roof",
    "RoofPoint",
    "bar_panel",
    "front",
    "pareto_panel",
    "roofline_panel",
    "score_panel",
    "sensitivity_panel",
]
