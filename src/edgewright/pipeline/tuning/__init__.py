"""Search for the settings of a training: grid, random or Bayesian, each trial a run that can be continued."""

from .methods import METHODS, Trial
from .search import Tune, Tuned, tune
from .space import Choices, Range, parse_space

__all__ = ["METHODS", "Choices", "Range", "Trial", "Tune", "Tuned", "parse_space", "tune"]
