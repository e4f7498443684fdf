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
def environment() -> Environment:
    """Templates with every value escaped, and a missing value an error of ours rather than a blank."""
    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def fill(template: str, *, styles: Sequence[str], scripts: Sequence[str], **values: Any) -> str:
    """The page as text: `template` with the style sheets and scripts of these names inside it.

    All scripts become one, the only one that the page's security policy lets run.
    """
    style, script = _joined(styles), _joined(scripts)
    page = environment().get_template(template)
    return page.render(style=Markup(style), script=Markup(script), script_hash=script_hash(script), **values)


def script_hash(script: str) -> str:
    """The one script that the page's security policy lets run; the template puts a line break before and after it."""
    digest = hashlib.sha256(f"\n{script}\n".encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _joined(names: Sequence[str]) -> str:
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)
