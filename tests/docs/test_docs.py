"""What the README and the pages say is so: links, commands, settings, snippets and quoted messages."""

import ast
import re
import sys
from pathlib import Path
from types import ModuleType

import pages
import pytest
from omegaconf import OmegaConf
from pages import PAGES, ROOT, Check

from tpt import tasks

CHECKS: list[Check] = [
    pages.links,
    pages.pictures,
    pages.commands,
    pages.targets,
    pages.snippets,
    pages.settings,
]
PLANTED: list[tuple[Check, str]] = [
    (pages.links, "[a file](nowhere.md)"),
    (pages.links, "![a long description](nothing.png)"),
    (pages.links, "# Here\n[an anchor](#there)"),
    (pages.links, "[another page's](docs/concepts.md#nothing-of-the-kind)"),
    (pages.pictures, "![](docs/loop.svg)"),
    (pages.commands, "`tpt rum`"),
    (pages.commands, "```\ntpt status --no-such-option     # a comment\n```"),
    (pages.commands, "`tpt run model=no_such_model`"),
    (pages.commands, "```\ntpt run -m rounds=1,2 \\\n    prune=none,no_such_mode\n```"),
    (pages.commands, "`tpt reproduce table99`"),
    (pages.commands, "`tpt run task=gsm8k rounds`"),
    (pages.targets, "`make coffee`"),
    (pages.snippets, "```python\nfor for\n```"),
    (pages.snippets, "```yaml\na: [1\n```"),
    (pages.snippets, "```json\n{'a': 1}\n```"),
    (pages.settings, "`train.no_such_setting=1`"),
    (pages.settings, "`prune=no_such_mode`"),
]
MESSAGES = ROOT / "docs" / "troubleshooting.md"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_says_is_so(page: Path, check: Check) -> None:
    assert check(page.read_text(encoding="utf-8"), page) == []


@pytest.mark.parametrize(("check", "text"), PLANTED, ids=lambda one: getattr(one, "__name__", None))
def test_a_planted_fault_is_found(check: Check, text: str) -> None:
    assert check(text, ROOT / "README.md")


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert text.index("make run") < text.index("make test") < text.index("tpt run")
    assert "docs/pass_at_k.png" in text


def test_the_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {target for _, _, target in pages.LINK.findall(text)}
    there = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert there - linked == {"docs/index.md"}


def said() -> str:
    """Every text in the source of tpt, with `…` for what an f-string fills in."""
    found = []
    for path in (ROOT / "tpt").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def not_said(text: str, source: str) -> list[str]:
    """The messages in the first column of a page's tables of which a part is in no text of the source."""
    faults = []
    for message in re.findall(r"^\| `([^`]+)", text, re.MULTILINE):
        parts = [part.strip(" :,…") for part in message.split("…")]
        faults += [f"{message}: {part!r}" for part in parts if part and part not in source]
    return faults


def test_every_message_that_the_pages_quote_is_one_that_tpt_prints() -> None:
    source = said()
    assert not_said(MESSAGES.read_text(encoding="utf-8"), source) == []
    assert not_said("| `there is no partition '…' on the moon` | wait |", source)


def test_the_task_that_is_shown_works() -> None:
    text = (ROOT / "docs" / "data_and_tasks.md").read_text(encoding="utf-8")
    [shown] = [content for language, content in pages.blocks(text) if language == "python"]
    module = ModuleType("doubling")
    sys.modules["doubling"] = module  # where dataclasses look up the types of fields
    try:
        exec(compile(shown, "doubling.py", "exec"), module.__dict__)
        task = tasks.make(OmegaConf.create({"name": "doubling", "largest": 10}))
        train, test = (list(task.load(split)) for split in ("train", "test"))
    finally:
        sys.modules.pop("doubling")
        tasks.REGISTRY.pop("doubling", None)
    assert [problem.gold for problem in train] == ["0", "4", "8", "12", "16"]
    assert not {one.question for one in train} & {one.question for one in test}
    task.validate()
    assert "####" in task.instruct(train[0].question)
