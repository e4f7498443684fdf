"""The page: which sections there are, in which order, and how they become one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..files import write_atomic
from ..types import RUN_FILE
from . import sections as parts
from .frame import Section, fill
from .source import Content, is_judged, read_run_file, text

PAGE_FILE = "report.html"
Build = Callable[[Content], "dict[str, Any] | None"]

# Most important first. The third column is how the page calls a part that the run does not have; empty: its absence
# needs no word (a run that passed has no section on what would help).
SECTIONS: tuple[tuple[str, str, str, Build], ...] = (
    ("verdict", "Verdict", "", parts.verdict),
    ("checks", "Checks", "checks", parts.checks),
    ("infeasible", "What stands in the way", "", parts.infeasible),
    ("comparison", "Ways to quantize, side by side", "", parts.comparison),
    ("tickets", "Lottery tickets and their controls", "", parts.tickets),
    ("stages", "What each stage contributed", "stages", parts.stages),
    ("rounds", "Rounds tried", "rounds of the solver", parts.rounds),
    ("pareto", "Score against cost", "candidates to compare", parts.pareto),
    ("layers", "Layer by layer", "a layer profile", parts.layers),
    ("roofline", "Roofline", "a roofline", parts.roofline),
    ("sensitivity", "Sensitivity of each group", "measured sensitivities", parts.sensitivity),
    ("firmware", "Firmware", "", parts.firmware),
    ("parity", "Parity, simulation and runtime", "parity with the runtime", parts.parity),
    ("latency", "Latency in the runtime", "latency in the runtime", parts.latency),
    ("confusion", "Confusion", "confusion matrices", parts.confusion),
    ("setup", "Data, device, versions", "", parts.setup),
)


def write_report(run_folder: Path) -> Path:
    """Write `report.html` from `run.json` in `run_folder`, in one step, and say where it is.

    The page needs no network and no other file. Parts that the run does not have are left out and named at its end.

    Raises:
        ConfigError: the folder holds no `run.json`.
        DataError: `run.json` is damaged or of another format.
    """
    page = run_folder / PAGE_FILE
    write_atomic(page, render(read_run_file(run_folder)))
    return page


def render(content: Content) -> str:
    """The page as text."""
    built = [(id_, title, absent, build(content)) for id_, title, absent, build in SECTIONS]
    return fill(
        "page.html.j2",
        styles=["page.css"],
        scripts=["page.js"],
        title=page_title(content),
        sections=[Section(id=id_, title=title, view=view) for id_, title, _, view in built if view is not None],
        absent=[absent for _, _, absent, view in built if view is None and absent],
        edgewright_version=text(content, "versions", "edgewright"),
        run_file=RUN_FILE,
    )


def page_title(content: Content) -> str:
    """resnet20 on cifar10 for stm32f746: passed."""
    asked = [text(content, "asked", name) for name in ("model", "data", "device")]
    words = [f"{word}{name}" for word, name in zip(("", "on ", "for "), asked, strict=True) if name]
    good = "passed" if is_judged(content) else "done"
    outcome = good if content["verdict"].get("passed") is True else "not met"
    return f"{' '.join(words) or 'edgewright run'}: {outcome}"
