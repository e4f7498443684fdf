"""The page of `edgewright analyze --html`: what a model costs, as one self-contained HTML file from plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..files import write_atomic
from . import cost_sections as parts
from .cost_source import checked
from .frame import Section, fill
from .source import Content, number, text
from .units import bytes_text, count_text

Build = Callable[[Content], "dict[str, Any] | None"]

# Most important first. The third column is how the page calls a part that the analysis does not have.
SECTIONS: tuple[tuple[str, str, str, Build], ...] = (
    ("headline", "What it costs", "", parts.headline),
    ("bounds", "What binds", "a roofline (it needs a device)", parts.bounds),
    ("memory", "Memory over time", "memory over time", parts.memory),
    ("modules", "Where the cost is", "the module tree", parts.modules),
    ("types", "By operator type", "operator types", parts.types),
    ("operators", "Every operator", "operators", parts.operators),
    ("shapes", "Shapes and receptive fields", "a shape trace", parts.shapes),
    ("energy", "Where the energy goes", "an energy split (it needs a device)", parts.energy),
    ("conventions", "Conventions", "", parts.conventions),
)


def write_cost_page(content: Mapping[str, Any], target: Path) -> Path:
    """Write `content` (format `edgewright.analysis/1`) as one HTML file to `target`, in one step, and give its path.

    The page needs no network and no other file. Parts that the content does not have are left out and named at its end.
    Equal content gives equal bytes.

    Raises:
        DataError: the content is of another format, or what it must hold is missing or of another kind.
        ConfigError: `target` cannot be written.
    """
    page = render_cost(content)
    try:
        write_atomic(target, page)
    except OSError as error:
        reason = f"cannot be written ({error.strerror}): give a file in a folder that exists and is yours"
        raise ConfigError(f"The page {target} {reason}.") from error
    return target


def render_cost(content: Mapping[str, Any]) -> str:
    """The page as text.

    Raises:
        DataError: as in `write_cost_page`.
    """
    found = checked(content)
    built = [(id_, title, absent, build(found)) for id_, title, absent, build in SECTIONS]
    return fill(
        "cost/page.html.j2",
        styles=["page.css", "cost/cost.css"],
        scripts=["page.js", "cost/cost.js"],
        title=page_title(found),
        sections=[
            Section(id=id_, title=title, view=view, folder="cost") for id_, title, _, view in built if view is not None
        ],
        absent=[absent for _, _, absent, view in built if view is None and absent],
        edgewright_version=text(found, "versions", "edgewright"),
    )


def page_title(content: Content) -> str:
    """resnet50: 4.09 G MACs, 97.4 MiB of weights."""
    macs, weights = number(content, "totals", "macs"), number(content, "totals", "weight_bytes")
    return f"{text(content, 'model')}: {count_text(macs)} MACs, {bytes_text(weights)} of weights"
