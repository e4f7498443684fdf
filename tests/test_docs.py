"""Documentation stays true: links lead somewhere, and commands that it shows exist with the flags that it shows."""

import re
from pathlib import Path

import pytest
import typer

from edgewright.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_to_a_file(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_lists_every_page_of_the_documentation():
    readme = (ROOT / "README.md").read_text()
    missing = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if f"(docs/{page.name})" not in readme]
    assert missing == []


def shown_commands(text):
    """Lines of code blocks that call edgewright, with continuation lines joined."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M):
        if language:
            continue
        for line in re.sub(r"\\?\n {10,}", " ", block).splitlines():
            for call in re.split(r"\s(?=edgewright\s+[a-z])", " " + line.partition("#")[0]):
                if call.strip().startswith("edgewright "):
                    yield call.split()


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "cli.md"], ids=lambda page: page.name)
def test_every_command_and_flag_that_is_shown_exists(page):
    commands = typer.main.get_command(app).commands
    calls = list(shown_commands(page.read_text()))
    assert len(calls) >= 8
    for words in calls:
        command, *rest = words[1:]
        if command not in commands:
            assert command == "COMMAND", words
            continue
        shown = commands[command]
        if command == "calc" and rest[0] in shown.commands:
            shown = shown.commands[rest[0]]
        known = {flag for option in shown.params for flag in (*option.opts, *option.secondary_opts)}
        flags = {word.strip("[]|.,") for word in rest if word.lstrip("[").startswith("--")}
        assert flags <= known | {"--help"}, words
