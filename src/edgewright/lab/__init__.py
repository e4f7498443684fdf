"""The theory, runnable: one experiment a file, named as its claim, and worked questions whose numbers are computed."""

from .catalog import Experiment, catalog, experiment, themes
from .finding import Finding, Number, Verdict
from .gallery import value_text, verdicts_told, write_gallery
from .question import all_questions, answer
from .running import Failure, Request, in_order, kept, run_all, run_one
from .store import Outcome

__all__ = [
    "Experiment", "Failure", "Finding", "Number", "Outcome", "Request", "Verdict", "all_questions", "answer", "catalog",
    "experiment", "in_order", "kept", "run_all", "run_one", "themes", "value_text", "verdicts_told", "write_gallery",
]  # fmt: skip
