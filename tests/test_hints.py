"""Whatever option or setting a message of ours names exists."""

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import tpt
from tpt import cli
from tpt.analysis import diversity, error_locality, gradient_equivalence
from tpt.reproduce.experiment import Contrast
from tpt.settings import names
from tpt.settings.config import SECTIONS

FOREIGN = {  # of Docker, Apptainer and the kernel
    "--security-opt", "--user", "--fakeroot", "--nv", "user.max_user_namespaces",
    "kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns",
}  # fmt: skip
ANY = "\0"  # stands for a value in an f-string
# An option, or what `=` follows; not behind a part of a name that is filled in.
OPTION = re.compile(r"(?<![\w\0-])--[a-z][a-z-]*")
SETTING = re.compile(r"(?<![\w.\0-])[a-z_]+(?:\.[a-z_]+)*(?==)")
# A setting in one of the sections; not the name of a file.
DOTTED = re.compile(rf"(?<![\w.\0/-])(?:{'|'.join([*SECTIONS, 'task'])})(?:\.(?!jsonl\b)[a-z_]+)+")


def sentences(tree: ast.AST) -> Iterator[str]:
    """The texts in a piece of source that have a space, without the docstrings."""
    passed = set()
    for node in ast.walk(tree):  # from the outside to the inside
        if isinstance(node, ast.Expr):
            passed.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            passed |= set(node.values)
            text = "".join(str(one.value) if isinstance(one, ast.Constant) else ANY for one in node.values)
            yield from [text] if " " in text else []
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in passed and " " in node.value
        ):
            yield node.value


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from options(below)


def settings() -> set[str]:
    """Those of a run, of an experiment's contrasts and of the analyses; and what `tpt reproduce` takes besides."""
    analyses = (error_locality.Options, diversity.Options, gradient_equivalence.Options)
    others = {one.name for kind in (Contrast, *analyses) for one in fields(kind)}
    return {*names.all_keys(), *(path.name for path in names.conf_dir().iterdir() if path.is_dir()), *others, "seeds"}


def test_every_option_and_setting_that_a_message_names_exists() -> None:
    known = {*options(cli.parser()), *settings(), *FOREIGN}
    named = set()
    for path in Path(tpt.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for text in sentences(tree):
            named |= {
                (one, path.name)
                for one in (*OPTION.findall(text), *SETTING.findall(text))
                if one.startswith("-") or "." in one
            }
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise):
                named |= {
                    (one, path.name)
                    for text in sentences(node)
                    for one in (*SETTING.findall(text), *DOTTED.findall(text))
                }
    assert ("--gold-column", "answers.py") in named
    assert ("task.path", "rows.py") in named
    assert sorted((one, where) for one, where in named if one not in known) == []
