"""A worked question: asked and answered in two languages, with a formula and numbers that are computed anew."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from . import questions
from .drawing import SUPERSCRIPT
from .finding import Number

NO_SPACE = re.compile(
    r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])"
    r"|(?<=[\u3000-\u303f\uff00-\uffef]) | (?=[\u3000-\u303f\uff00-\uffef])"
)
"""Between two Chinese characters, and beside a Chinese mark, a line break of the source is no space."""
HYPHEN = re.compile(r"(?<![\w)-])-(?=\d)")
"""Before a number it is a minus."""
POWER = re.compile(r"(?<=\d)e([+-]\d+)\b")
"""Of ten, as Python writes it: 9e-09."""
LANGUAGES = {"en": "English", "zh-Hant": "繁體中文"}


@dataclass(frozen=True, kw_only=True)
class Words:
    """One language. In the answer `{key}` stands for a number's value, with a format as in Python: `{share:.2f}`.

    Blank lines part the answer's paragraphs.

    Attributes:
        names: key -> what the number is called in this language, where `Number.name` is of another.
    """

    question: str
    answer: str
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One page.

    Attributes:
        formula: in plain text with the letters and signs of mathematics.
        numbers: computes what the answer says, by key: values of this very version of the code.
        code: what a reader can run, a command or a few lines of Python.
        experiments: names of those that show it.
        docs: pages of `docs/` to read on.
    """

    theme: str
    en: Words
    zh: Words
    formula: str
    numbers: Callable[[], Mapping[str, Number]]
    code: str
    experiments: tuple[str, ...] = ()
    docs: tuple[str, ...] = ()

    def words(self, language: str) -> Words:
        """Question and answer in a language of `LANGUAGES`."""
        return {"en": self.en, "zh-Hant": self.zh}[language]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A question with its numbers."""

    name: str
    question: Question
    numbers: Mapping[str, Number]

    def paragraphs(self, language: str) -> list[str]:
        """The answer, its numbers in place."""
        text = self.question.words(language).answer.format_map({key: each.value for key, each in self.numbers.items()})
        return [_typeset(part) for part in text.strip().split("\n\n")]

    def named(self, language: str) -> list[Number]:
        """The numbers, called as the language has it."""
        names = self.question.words(language).names
        return [replace(each, name=names.get(key, each.name)) for key, each in self.numbers.items()]


def _typeset(text: str) -> str:
    """One line, with the signs of mathematics for those of Python."""
    line = NO_SPACE.sub("", " ".join(text.split()))
    powers = POWER.sub(lambda found: f"·10{str(int(found[1])).translate(SUPERSCRIPT)}", line)
    return HYPHEN.sub("−", powers)


@cache
def all_questions() -> Mapping[str, Question]:
    """Name (of its file) -> question, by theme and name."""
    names = sorted(each.name for each in pkgutil.iter_modules([str(Path(questions.__path__[0]))]))
    found = {name: importlib.import_module(f"{questions.__name__}.{name}").QUESTION for name in names}
    order = list(questions.THEMES)
    return dict(sorted(found.items(), key=lambda pair: (order.index(pair[1].theme), pair[0])))


def answer(name: str) -> Answered:
    """Compute the numbers of a question."""
    question = all_questions()[name]
    return Answered(name=name, question=question, numbers=question.numbers())
