"""All experiments: every module of `lab.experiments.THEME` that has a `run`, with what its docstring says.

The docstring of an experiment is one paragraph of a question, then lines that begin with `Claim:`, `Source:`,
`Expected:`, and, where others belong to it, `See:` with their names; a line goes on where the next is indented.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from ..errors import ConfigError
from . import experiments
from .finding import Finding

HEADINGS = ("Claim", "Source", "Expected")


@dataclass(frozen=True, kw_only=True)
class Theme:
    """One subject: a folder of experiments."""

    name: str
    title: str
    lede: str


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One claim that a file makes runnable.

    Attributes:
        name: of the file, which is the claim in words.
        see: names of experiments that belong to it.
        file: its path below `lab/experiments/`.
    """

    name: str
    theme: str
    question: str
    claim: str
    source: str
    expected: str
    see: tuple[str, ...]
    file: str

    def run(self, seed: int, fast: bool) -> Finding:
        """Run it; `fast` takes seconds, at wider error bars."""
        finding: Finding = _module(self.theme, self.name).run(seed, fast)
        return finding

    @property
    def title(self) -> str:
        """The name as a sentence."""
        return self.name.replace("_", " ").capitalize()

    @property
    def searched(self) -> str:
        """What a search looks at, in small letters."""
        said = (self.name.replace("_", " "), self.name, self.question, self.claim, self.source, self.theme)
        return " ".join(said).lower()

    @property
    def code(self) -> str:
        """The text of its file."""
        return (Path(experiments.__path__[0]) / self.file).read_text(encoding="utf-8")


@cache
def themes() -> Mapping[str, Theme]:
    """Name -> theme, in the order of `experiments.THEMES`."""
    found = {}
    for name in experiments.THEMES:
        title, _, lede = inspect.getdoc(_module(name)).partition("\n")  # type: ignore[union-attr]
        found[name] = Theme(name=name, title=title.rstrip("."), lede=" ".join(lede.split()))
    return found


@cache
def catalog() -> Mapping[str, Experiment]:
    """Name -> experiment, theme by theme. Imports nothing of the experiments but their docstrings' files."""
    found: dict[str, Experiment] = {}
    for theme in experiments.THEMES:
        folder = Path(experiments.__path__[0]) / theme
        for module in sorted(
            each.name for each in pkgutil.iter_modules([str(folder)]) if not each.name.startswith("_")
        ):
            assert module not in found, f"two experiments are called {module}"
            found[module] = _experiment(theme, module, folder / f"{module}.py")
    return found


def experiment(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        ConfigError: there is none; names what comes close.
    """
    known = catalog()
    if name in known:
        return known[name]
    words = set(name.replace("-", "_").split("_"))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or [
        each for each in known if len(words & set(each.split("_"))) * 2 >= len(words)
    ][:3]  # fmt: skip
    hint = f"did you mean {' or '.join(near)}?" if near else "`edgewright lab list` names all."
    raise ConfigError(f"There is no experiment '{name}': {hint}")


def _module(*path: str) -> ModuleType:
    return importlib.import_module(".".join((experiments.__name__, *path)))


def _experiment(theme: str, name: str, path: Path) -> Experiment:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    question, said = _read(text)
    missing = [heading for heading in HEADINGS if heading not in said]
    assert question.endswith("?") and not missing, f"{path.name}: a question and {', '.join(missing) or 'its mark'}"
    see = tuple(part.strip() for part in said.get("See", "").split(",") if part.strip())
    return Experiment(
        name=name, theme=theme, question=question, claim=said["Claim"], source=said["Source"],
        expected=said["Expected"], see=see, file=f"{theme}/{name}.py",
    )  # fmt: skip


def _read(text: str) -> tuple[str, dict[str, str]]:
    """The question, and heading -> what follows it."""
    question, _, rest = text.partition("\n\n")
    said: dict[str, list[str]] = {}
    current = None
    for row in rest.splitlines():
        heading, colon, words = row.partition(":")
        if colon and heading in {*HEADINGS, "See"}:
            current = said.setdefault(heading, [words.strip()])
        elif current is not None and row.startswith(" "):
            current.append(row.strip())
        else:
            current = None
    return " ".join(question.split()), {heading: " ".join(words) for heading, words in said.items()}
