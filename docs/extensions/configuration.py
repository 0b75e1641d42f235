"""Writes the reference of settings and config groups into `docs/configuration.md` while the site is built."""

import dataclasses
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from tpt import names, tasks
from tpt.config import SECTIONS

PAGE = "docs/configuration"
SETTINGS, GROUPS = "<!-- settings -->", "<!-- groups -->"
PACKAGE = "# @package"


@dataclass(frozen=True)
class Fact:
    """What the page says of one setting.

    Attributes:
        key: its dotted name.
        kind: its type, in words.
        default: as it is written on the command line; "" if it has none.
        meaning: a sentence.
        allowed: which values are, in words; "" if any of its type.
        runtime: whether it says how to compute, and so may change in the middle of a run.
        path: whether `~` and `$NAME` are expanded in it.
    """

    key: str
    kind: str
    default: str
    meaning: str
    allowed: str = ""
    runtime: bool = False
    path: bool = False


def facts() -> list[Fact]:
    """Every setting, in the order of the page. The only place that knows where the facts come from."""
    try:
        every = importlib.import_module("tpt.settings").every
    except ModuleNotFoundError:  # until tpt.settings is merged; then this branch and `_from_dataclasses` go
        return list(_from_dataclasses())
    return list(every())


def check(found: list[Fact]) -> None:
    """Check that the page says what each setting means.

    Raises:
        ExtensionError: a setting has no meaning.
    """
    without = [fact.key for fact in found if not fact.meaning]
    if without and len(without) < len(found):
        raise ExtensionError(f"these settings have no meaning: {', '.join(without)}")


def reference(found: list[Fact]) -> str:
    """A heading and a table for each section of the settings, as Markdown."""
    lines: list[str] = []
    for section, of_section in groupby(found, lambda fact: fact.key.rpartition(".")[0].partition(".")[0]):
        lines += ["", f"### {section or 'The run'}", "", "| setting | default | meaning |", "|---|---|---|"]
        lines += [_row(fact) for fact in of_section]
    return "\n".join(lines)


def _row(fact: Fact) -> str:
    notes = [fact.meaning.replace("|", r"\|")] if fact.meaning else []
    notes += [f"Allowed: {fact.allowed}.".replace("|", r"\|")] if fact.allowed else []
    notes += ["*A path.*"] if fact.path else []
    notes += ["*Runtime.*"] if fact.runtime else []
    default = f"`{fact.default}`" if fact.default != "" else "none"
    return f"| `{fact.key}` | {default} | {' '.join([*notes, f'({fact.kind})'])} |"


def groups() -> str:
    """A table of the config groups, with what the first comment of each file says."""
    lines = ["| choice | what it is |", "|---|---|"]
    for group in names.groups():
        lines += [f"| `{group}={choice}` | {_comment(group, choice)} |" for choice in names.choices(group)]
    return "\n".join(lines)


def _comment(group: str, choice: str) -> str:
    lines = (names.conf_dir() / group / f"{choice}.yaml").read_text(encoding="utf-8").splitlines()
    said = (line.removeprefix("#").strip() for line in lines if line.startswith("#") and not line.startswith(PACKAGE))
    return next(said, "").replace("|", r"\|")


def _from_dataclasses() -> Iterator[Fact]:
    kinds = {**SECTIONS, "task": tasks.Task}
    for key, setting in names.settings().items():
        section, _, name = key.partition(".")
        if setting.section or key.endswith(".") or (section == "task" and not hasattr(tasks.Task, name)):
            continue
        items = {item.name: item for item in dataclasses.fields(kinds[section])} if section in kinds else {}
        item = items.get(name)
        runtime = bool(item and item.metadata.get("runtime"))
        yield Fact(key, str(setting), _default(item), "", runtime=runtime, path=setting.path)


def _default(item: "dataclasses.Field[Any] | None") -> str:
    if item is None:
        return ""
    value = item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default
    return {None: "null", True: "true", False: "false"}.get(value, "") if value in (None, True, False) else str(value)


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
