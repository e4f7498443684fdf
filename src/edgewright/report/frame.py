"""What every page of this room is made of: the template environment, sections, style, and a script under its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of a page, filled."""

    id: str
    title: str
    view: dict[str, Any]
    folder: str = "sections"  # of its template

    @property
    def template(self) -> str:
        return f"{self.folder}/{self.id}.html.j2"


@cache
def environment(own: Path | None = None) -> Environment:
    """Templates with every value escaped, and a missing value an error of ours rather than a blank.

    Args:
        own: a folder of templates of another room, looked at before those of this one.
    """
    loader = FileSystemLoader([*([own] if own else []), TEMPLATES])
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def fill(
    template: str, *, styles: Sequence[str], scripts: Sequence[str], own: Path | None = None, **values: Any
) -> str:  # fmt: skip
    """The page as text: `template` with the style sheets and scripts of these names inside it.

    All scripts become one, the only one that the page's security policy lets run.

    Args:
        own: the folder of another room's templates, style sheets and scripts.
    """
    style, script = _joined(styles, own), _joined(scripts, own)
    page = environment(own).get_template(template)
    return page.render(style=Markup(style), script=Markup(script), script_hash=script_hash(script), **values)


def script_hash(script: str) -> str:
    """The one script that the page's security policy lets run; the template puts a line break before and after it."""
    digest = hashlib.sha256(f"\n{script}\n".encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _joined(names: Sequence[str], own: Path | None) -> str:
    """Texts one after the other, in the form in which the template loader finds them: another room's come first."""
    loader = environment(own).loader
    assert loader is not None
    return "\n".join(loader.get_source(environment(own), name)[0] for name in names)
