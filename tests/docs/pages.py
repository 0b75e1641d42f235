"""The pages of the documentation, and what is wrong with one: each check returns a line for every fault it finds."""

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import yaml

from tpt import cli
from tpt.errors import TptError
from tpt.probe import has_vllm
from tpt.reproduce import experiment as experiments
from tpt.settings import names
from tpt.settings.compose import compose
from tpt.settings.config import SECTIONS
from tpt.settings.overrides import expand_sweep

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "experiments/**/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # it speaks of settings and commands of its time
)
Check = Callable[[str, Path], list[str]]

BLOCK = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
DOTTED = re.compile(rf"(?<![\w./-])(?:{'|'.join([*SECTIONS, 'task'])})(?:\.(?!py\b|jsonl?\b|yaml\b|parquet\b)[a-z_]+)+")
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
FILES = re.compile(
    r"FOLDER|DIR|--config-dir|path=\w|from_run=|sampler\.python=|task=doubling|python:"
)  # what is not on this machine


def blocks(text: str) -> list[tuple[str, str]]:
    """The (language, content) of each fenced block."""
    return BLOCK.findall(text)


def code(text: str) -> Iterator[str]:
    """Each line of an unlabelled block, with its continuations, and each piece of inline code."""
    for language, content in blocks(text):
        if not language:
            yield from content.replace("\\\n", " ").splitlines()
    for piece in INLINE.findall(BLOCK.sub("", text)):
        yield " ".join(piece.replace(r"\|", "|").split())


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    plain = (re.sub(r"[`*]", "", heading) for heading in HEADING.findall(BLOCK.sub("", text)))
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


def links(text: str, path: Path) -> list[str]:
    """Links and images to files and anchors that are not there."""
    faults = []
    for _, _, target in LINK.findall(BLOCK.sub("", text)):
        name, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (path.parent / name) if name else path
        if not there.is_file():
            faults.append(f"no file {target}")
        elif anchor and anchor not in slugs(text if there == path else there.read_text(encoding="utf-8")):
            faults.append(f"no heading {target}")
    return faults


def pictures(text: str, _: Path) -> list[str]:
    """Images without words for those who cannot see them."""
    return [f"{target} has no description" for mark, words, target in LINK.findall(text) if mark and len(words) < 6]


def commands(text: str, _: Path) -> list[str]:
    """Lines of `tpt` that its parser refuses, or whose settings do not compose."""
    faults = []
    for line in code(text):
        if line == "tpt" or not line.startswith("tpt "):
            continue
        words = shlex.split(line, comments=True)[1:]
        try:
            _try(words)
        except SystemExit as end:
            faults += [f"{line}: not a command line"] if end.code else []
        except TptError as error:
            faults.append(f"{line}: {error.message}")
    return faults


def _try(words: list[str]) -> None:
    if len(words) == 1 and words[0] in cli.grammar()[1]:  # a command that a sentence speaks of
        return
    options = cli.parse(words)
    overrides = list(getattr(options, "overrides", []))
    if options.command == "reproduce" and overrides:
        experiments.load(overrides[0])
        overrides = [one for one in overrides[1:] if not one.startswith(("scale=", "seeds="))]
    unknown = [one for one in overrides if "=" not in one and options.command != "judge"]
    if unknown:
        raise SystemExit(2)
    shown = " ".join(words)
    if options.command == "judge" or any(one.endswith("=VALUE") for one in overrides) or FILES.search(shown):
        return
    if "sampler=vllm" in overrides and not has_vllm():
        return
    points = list(expand_sweep(overrides)) if "-m" in words else [overrides]
    for point in (points[0], points[-1]):  # whether a group has what stands between them is for `settings` to see
        _composes(tuple(point))


@cache
def _composes(overrides: tuple[str, ...]) -> None:
    compose(overrides)


def targets(text: str, _: Path) -> list[str]:
    """`make` of what the Makefile does not have."""
    known = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    asked = {match[1] for line in code(text) if (match := re.match(r"make ([a-z-]+)", line))}
    return [f"no target {name}" for name in sorted(asked - known)]


def snippets(text: str, _: Path) -> list[str]:
    """Python, YAML and JSON that cannot be read."""
    readers: dict[str, Callable[[str], object]] = {
        "python": ast.parse,
        "yaml": yaml.safe_load,
        "json": lambda lines: [json.loads(line) for line in lines.splitlines()],
    }
    faults = []
    for language, content in blocks(text):
        try:
            readers.get(language, str)(content)
        except (SyntaxError, yaml.YAMLError, ValueError) as error:
            faults.append(f"{language}: {error}")
    return faults


def settings(text: str, _: Path) -> list[str]:
    """Settings that do not exist, and choices that a group does not have."""
    known, groups = names.settings(), names.groups()
    faults = []
    for line in code(text):
        for key in DOTTED.findall(line):
            if names.find(key, known) is None:
                faults.append(f"no setting {key}")
        for group, values in re.findall(r"(?<![\w.@])(\w+)=([\w.,|-]+)", line):
            if group in groups and not FILES.search(line) and group != "experiment":
                chosen = {value for value in re.split(r"[,|]", values) if value.islower()}
                faults += [f"no {group}={one}" for one in sorted(chosen - {*names.choices(group), "mine", "doubling"})]
    return faults
