"""Finding the program in a completion.

Strict is what the prompt asks for: a fenced block of the language, the last one. Lenient also takes a block without a
label, one that nothing closes, and a completion that is plainly code as a whole.
"""

import re
from dataclasses import dataclass
from typing import Literal

Language = Literal["python", "cpp"]

LABELS: dict[str, Language] = {
    "python": "python", "python3": "python", "py": "python", "py3": "python", "python 3": "python",
    "cpp": "cpp", "c++": "cpp", "cc": "cpp", "cxx": "cpp", "c++17": "cpp",
}  # fmt: skip
FENCE = "fence"  # the one rule that is strict

_MARK = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*([^`\n]*)$", re.MULTILINE)
_STATEMENT = re.compile(
    r"(?:import|from|def|class|for|while|if|elif|else|try|with|return|print|global|async|assert|raise|pass|break)\b"
    r"|@\w|#|[\w.\[\], *()]+(?:=|\+=|-=|\*=)(?!=)|[\w.]+\(.*\)\s*$|[)\]}\"']"
)
_CPP = re.compile(r"\s*(?://.*\n\s*|/\*.*?\*/\s*)*(?:#\s*include|#\s*define|#\s*pragma|using\s+namespace)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Found:
    """A program, and the rule that found it: `fence`, `unlabelled_fence`, `open_fence` or `plain`."""

    source: str
    rule: str


@dataclass(frozen=True, slots=True)
class _Block:
    label: str
    text: str
    closed: bool


def extract(text: str, language: Language) -> Found | None:
    """The program in a completion, or None where there is none."""
    blocks = _blocks(text)
    ours = [block for block in blocks if LABELS.get(block.label) == language]
    unlabelled = [block for block in blocks if not block.label and block.text.strip()]
    for rule, found in (
        (FENCE, [block for block in ours if block.closed]),
        ("unlabelled_fence", [block for block in unlabelled if block.closed]),
        ("open_fence", [block for block in ours or unlabelled if not block.closed]),
    ):
        if found and found[-1].text.strip():
            return Found(found[-1].text, rule)
    return Found(text, "plain") if not blocks and is_plainly_code(text, language) else None


def fenced(source: str, language: Language) -> str:
    """A program as a completion that the strict rule reads."""
    return f"```{language}\n{source.strip()}\n```"


def is_plainly_code(text: str, language: Language) -> bool:
    """Whether a text without fences is a program from its first line to its last.

    By the look of its lines: nothing that a model wrote is parsed in this process.
    """
    if language == "cpp":
        return bool(_CPP.match(text)) and "main" in text
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or lines[0][:1].isspace():
        return False
    starts = [line for line in lines if not line[:1].isspace()]  # what is indented belongs to what is not
    return all(_STATEMENT.match(line) for line in starts[:1]) and (
        sum(bool(_STATEMENT.match(line)) for line in starts) >= 0.9 * len(starts)
    )


def _blocks(text: str) -> list[_Block]:
    """The fenced blocks of a Markdown text, in order; a block ends at a mark of its own kind without a label."""
    found: list[_Block] = []
    opened: re.Match[str] | None = None
    for mark in _MARK.finditer(text):
        if opened is None:
            opened = mark
        elif mark[1].startswith(opened[1]) and not mark[2].strip():
            found.append(_Block(_label(opened), text[opened.end() + 1 : mark.start()], closed=True))
            opened = None
    if opened is not None:
        found.append(_Block(_label(opened), text[opened.end() + 1 :], closed=False))
    return found


def _label(mark: "re.Match[str]") -> str:
    return mark[2].strip().strip("{}.").lower()
