"""Writes the reference of settings and config groups into `docs/configuration.md` while the site is built."""

from itertools import takewhile
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from tpt.settings import Fact, every, names

PAGE = "docs/configuration"
SETTINGS, GROUPS = "<!-- settings -->", "<!-- groups -->"
PACKAGE = "# @package"
TASK, RUN = "task", "The run"
SAID = {TASK: "Settings of every task; below, those of single tasks, and their own defaults.", RUN: ""}
WORDS = {None: "null", True: "true", False: "false", "": "''"}  # as values are typed


def check(found: list[Fact]) -> None:
    """Check that the page says what each setting means.

    Raises:
        ExtensionError: a setting has no meaning.
    """
    without = [fact.key for fact in found if not fact.meaning]
    if without:
        raise ExtensionError(f"these settings have no meaning: {', '.join(without)}")


def reference(found: list[Fact]) -> str:
    """A heading and a table for each section of the settings, and for what each task adds, as Markdown."""
    sections: dict[str, list[Fact]] = {}
    for fact in found:
        if not fact.task:
            sections.setdefault(fact.key.partition(".")[0] if "." in fact.key else RUN, []).append(fact)
    for fact in found:
        if fact.task and not any(_same(fact, shared) for shared in sections[TASK]):
            sections.setdefault(f"{TASK}={fact.task}", []).append(fact)
    return "\n".join(_section(title, own) for title, own in sections.items())


def _same(one: Fact, other: Fact) -> bool:
    return (one.key, one.default, one.meaning) == (other.key, other.default, other.meaning)


def _section(title: str, own: list[Fact]) -> str:
    said = SAID.get(title, own[0].section.partition("\n\n")[0].replace("\n", " "))
    lines = ["", f"### {title}", "", *([said, ""] if said else [])]
    return "\n".join([*lines, "| setting | default | meaning |", "|---|---|---|", *map(_row, own), ""])


def _row(fact: Fact) -> str:
    kind = f"{fact.kind[:1].upper()}{fact.kind[1:]}{f', {fact.allowed}' if fact.allowed else ''}"
    notes = [fact.meaning, f"*{kind}.*"]
    notes += ["*A path.*"] if fact.path else []
    notes += ["*Runtime.*"] if fact.runtime else []
    said = " ".join(notes).strip().replace("|", r"\|")
    return f"| `{fact.key}` | {_default(fact.default)} | {said} |"


def _default(value: Any) -> str:
    if value == "???":
        return "none"
    if isinstance(value, list):
        return f"`[{','.join(map(str, value))}]`"
    shown = WORDS[value] if value is None or value == "" or isinstance(value, bool) else value
    return f"`{shown}`"


def groups() -> str:
    """A table of the config groups, with what the first comment of each file says.

    Raises:
        ExtensionError: a file has no comment.
    """
    lines = ["| choice | what it is |", "|---|---|"]
    for group in names.groups():
        for choice in names.choices(group):
            said = _comment(group, choice)
            if not said:
                raise ExtensionError(f"conf/{group}/{choice}.yaml does not say what it is")
            place = "+command@commands.NAME" if group == names.COMMAND else group
            lines.append(f"| `{place}={choice}` | {said} |")
    return "\n".join(lines)


def _comment(group: str, choice: str) -> str:
    lines = (names.conf_dir() / group / f"{choice}.yaml").read_text(encoding="utf-8").splitlines()
    block = takewhile(lambda line: line.startswith("#"), (line for line in lines if not line.startswith(PACKAGE)))
    return " ".join(line.removeprefix("#").strip() for line in block).replace("|", r"\|")


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the tables into the page."""
    if docname == PAGE:
        found = list(every())
        check(found)
        source[0] = source[0].replace(SETTINGS, reference(found)).replace(GROUPS, groups())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}
