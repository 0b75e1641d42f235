"""Writes the reference of settings and config groups into `docs/configuration.md` while the site is built."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from tpt import names

PAGE = "docs/configuration"
SETTINGS, GROUPS = "<!-- settings -->", "<!-- groups -->"
PACKAGE = "# @package"
TASK, RUN = "task", "The run"
SAID = {TASK: "Settings of every task; below, those of single tasks, and their own defaults.", RUN: ""}
WORDS = {None: "null", True: "true", False: "false", "": "''"}  # as values are typed


@dataclass(frozen=True)
class Fact:
    """What the page says of one setting.

    Attributes:
        key: its dotted name.
        kind: its type, in words.
        default: its default; `???` if it has none.
        meaning: a sentence or two.
        allowed: which values are, in words; "" if `kind` says all.
        runtime: whether it says how to compute, and so may change in the middle of a run.
        path: whether `~` and `$NAME` are expanded in it.
        section: what the group of settings is that it belongs to.
        task: the task that it is a setting of; "" if it is of none.
    """

    key: str
    kind: str
    default: Any
    meaning: str
    allowed: str = ""
    runtime: bool = False
    path: bool = False
    section: str = ""
    task: str = ""


def facts() -> list[Fact]:
    """Every setting, in the order of the page. The only place that knows where the facts come from."""
    try:
        every = importlib.import_module("tpt.settings").every
    except ModuleNotFoundError:  # until tpt.settings is merged; then this branch, `_undescribed` and `Fact` go
        return list(_undescribed())
    return list(every())


def _undescribed() -> Iterator[Fact]:
    for key, setting in names.settings().items():
        if not setting.section and not key.endswith("."):
            yield Fact(key, str(setting), "???", "", path=setting.path)


def check(found: list[Fact]) -> None:
    """Check that the page says what each setting means.

    Raises:
        ExtensionError: a setting has no meaning.
    """
    without = [fact.key for fact in found if not fact.meaning]
    if without and len(without) < len(found):
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
            lines.append(f"| `{group}={choice}` | {said} |")
    return "\n".join(lines)


def _comment(group: str, choice: str) -> str:
    lines = (names.conf_dir() / group / f"{choice}.yaml").read_text(encoding="utf-8").splitlines()
    block = takewhile(lambda line: line.startswith("#"), (line for line in lines if not line.startswith(PACKAGE)))
    return " ".join(line.removeprefix("#").strip() for line in block).replace("|", r"\|")


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the tables into the page."""
    if docname == PAGE:
        found = facts()
        check(found)
        source[0] = source[0].replace(SETTINGS, reference(found)).replace(GROUPS, groups())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}
