"""Finding the program in a completion.

Strict is what the prompt asks for: a fenced block of the language, the last one. Lenient also accepts a block without a
label, one whose marks are glued to other text, one that is not closed, and a completion that is clearly just code.

Fences are found line by line and not by a Markdown parser, because Markdown does not know what matters here: a mark
inside a string of the program is text, and models forget the closing mark or write it on the last line of code. All of
this takes time linear in the text, and nothing that a model wrote is parsed as a program.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tpt.judges.thinking import final_part

Language = Literal["python", "cpp"]

FENCE = "fence"  # the only strict rule

# python3.11, Python 3, python title="x", python:main.py, {.python .numberLines}, c++17; not Python 2.
_LABEL = re.compile(
    r"(?:\{\s*(?:#[\w-]+\s+)?\.?|\.)?"
    r"(?:(?P<python>(?:python|py|pypy|cpython) ?(?:3(?:\.\d+)*)?)(?! *2)"
    r"|(?P<cpp>(?:c\+\+|cpp|cc|cxx|g\+\+|gnu\+\+) ?(?:\d[\dxyz])?))"
    r"(?=[\s,:;={}(\[]|$)",
    re.IGNORECASE,
)
_MARK = re.compile(
    r"(?P<before>[ \t>]*+(?P<item>(?:[-*+]|\d{1,9}[.)])[ \t]++)?)(?P<mark>`{3,}+|~{3,}+)(?P<label>[^`]*+)$"
)
_MAY_STAND_BEFORE = tuple(":.!*")  # before an opening mark that is glued to the preceding sentence

# What a string or comment begins with; no program contains backticks anywhere else.
_BEGINNING: dict[Language, re.Pattern[str]] = {
    "python": re.compile(r'"""|\'\'\'|"|\'|#|`{3,}'),
    "cpp": re.compile(r'R"[^\s()\\"]{0,16}\(|"|(?<![0-9A-Za-z])\'|//|/\*|`{3,}'),
}
_BEHIND_COMMENT = re.compile(r"(?<=[^\s#/`])`{3,}\s*$")

_STATEMENT = re.compile(
    r"(?:import|from|def|class|for|while|if|elif|else|try|with|return|print|global|async|assert|raise|pass|break)\b"
    r"|@\w|#|[\w.\[\], *()]+(?:=|\+=|-=|\*=)(?!=)|[\w.]+\((?:.*\))?\s*$|[)\]}\"']"
)
_CPP = re.compile(
    r"(?:\s++|//[^\n]*+\n|/\*(?:[^*]|\*(?!/))*+\*/)*+(?:#\s*include|#\s*define|#\s*pragma|using\s+namespace)"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A program, and the rule that found it: `fence`, `glued_fence`, `unlabelled_fence`, `open_fence` or `plain`."""

    source: str
    rule: str


def extract(text: str, language: Language) -> Found | None:
    """The program in a completion, or None if there is none; thinking is ignored."""
    said = text if _is_one_block(text, language) else final_part(text)
    if said is None:
        return None
    if not has_fence(said, language):
        return Found(said, "plain") if is_plainly_code(said, language) else None
    blocks = [block for block in _blocks(said, language) if block.text.strip()]
    ours = [block for block in blocks if block.language == language]
    unlabelled = [block for block in blocks if block.is_unlabelled]
    for found in (
        [block for block in ours if block.closed],
        ours,
        [one for one in unlabelled if one.closed],
        unlabelled,
    ):
        if found:
            return Found(found[-1].text, found[-1].rule)
    return None


def fenced(source: str, language: Language) -> str:
    """A program as a completion that the strict rule accepts."""
    mark = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", source))])
    program = source.rstrip().lstrip("\r\n")
    return f"{mark}{language}\n{program}\n{mark}"


def has_fence(text: str, language: Language) -> bool:
    """Whether a text has a fence outside strings; if not, it may be a program as a whole."""
    inside = ""
    within = False
    for line in text.split("\n"):
        is_mark = _opening(line, language) is not None
        if is_mark and not inside:
            return True
        within = within or is_mark
        inside, _ = _follow(line, inside, language)
    return within and inside != ""  # in a string that never ends, a mark may be a fence after all


def is_plainly_code(text: str, language: Language) -> bool:
    """Whether a text without fences is a program from its first line to its last, judging by how its lines look."""
    if language == "cpp":
        return bool(_CPP.match(text)) and "main" in text
    starts: list[str] = []
    inside = ""
    for line in text.split("\n"):
        # Indented lines belong to the line before that is not, and the contents of strings say nothing.
        if line.strip() and not inside and (not starts or not line[:1].isspace()):
            starts.append(line)
        inside, _ = _follow(line, inside, language)
    looks = [bool(_STATEMENT.match(line)) for line in starts]
    return bool(looks) and looks[0] and sum(looks) >= 0.9 * len(looks)


def _is_one_block(text: str, language: Language) -> bool:
    """Whether a text is just a program as `fenced` writes it; thinking tags in it are part of the program."""
    blocks = _blocks(text, language) if text.startswith("```") else []
    return len(blocks) == 1 and fenced(blocks[0].text, language) == text.rstrip()


@dataclass(frozen=True, slots=True)
class _Opening:
    """The line that opens a block; `glued` if it contains more than the mark."""

    mark: str
    label: str
    before: str = ""
    glued: bool = False

    @property
    def language(self) -> str:
        """`python`, `cpp`, or "" for any other label or none."""
        found = _LABEL.match(self.label)
        return (found.lastgroup or "") if found else ""


@dataclass(frozen=True, slots=True)
class _Block:
    language: str
    is_unlabelled: bool
    text: str
    closed: bool
    glued: bool

    @property
    def rule(self) -> str:
        """The rule by which this block counts as the program."""
        if not self.closed:
            return "open_fence"
        if self.is_unlabelled:
            return "unlabelled_fence"
        return "glued_fence" if self.glued else FENCE


def _blocks(text: str, language: Language) -> list[_Block]:
    """The fenced blocks of a text, in order."""
    lines = text.split("\n")
    found = _scan(lines, language, strings=True)
    return found if found is not None else _scan(lines, language, strings=False) or []


def _scan(lines: Sequence[str], language: Language, strings: bool) -> list[_Block] | None:
    """The fenced blocks; if `strings` is set, marks inside multi-line strings neither open nor close one.

    Returns:
        None if such a string never ends: then it is not a string.
    """
    found: list[_Block] = []
    opened: _Opening | None = None
    body: list[str] = []
    inside = ""

    def close(closed: bool, glued: bool = False) -> None:
        assert opened
        content = _unindented(body, opened.before)
        whole = "\n".join(content) + "\n" * (closed and not glued and bool(content))
        found.append(_Block(opened.language, not opened.label, whole, closed, glued or opened.glued))

    for line in lines:
        mark = None if inside else _opening(line, language)
        if opened is None:
            opened, body = mark, []
            continue
        if mark and _closes(mark, opened):
            close(closed=True)
            opened = None
        elif mark and _interrupts(mark, opened, language):
            close(closed=False)
            opened, body = mark, []
        else:
            at = -1
            if opened.language == language or not opened.label:
                inside, at = _follow(line, inside, language, opened.mark)
                inside = inside if strings else ""
            body.append(line if at < 0 else line[:at])
            if at >= 0:
                close(closed=True, glued=True)
                opened = None
    if opened and inside:
        return None
    if opened:
        close(closed=False)
    return found


def _opening(line: str, language: Language) -> _Opening | None:
    """The opening mark on a line; a mark without a label may also be a closing one."""
    found = _MARK.match(line)
    if found:
        return _Opening(found["mark"], found["label"].strip(), found["before"])
    before, mark, label = line.rpartition("```")
    if mark and before.rstrip().endswith(_MAY_STAND_BEFORE):
        glued = _Opening(mark, label.strip(), "", glued=True)
        return glued if glued.language == language else None
    return None


def _closes(mark: _Opening, opened: _Opening) -> bool:
    return not mark.label and mark.mark.startswith(opened.mark) and not mark.before.strip(" \t>")


def _interrupts(mark: _Opening, opened: _Opening, language: Language) -> bool:
    """Whether a mark inside a block opens the next block and cannot be part of the program."""
    if opened.language == language or not opened.label:
        return bool(mark.label) and mark.mark.startswith(opened.mark)
    return mark.language == language


def _follow(line: str, inside: str, language: Language, mark: str = "```") -> tuple[str, int]:
    """Follow a program's strings and comments through one of its lines.

    Args:
        inside: what ends the string or comment in which the line begins; "" for code.
        mark: the mark that opened the program's block.

    Returns:
        what ends the string or comment in which the next line begins, and the position at which a closing mark is
        glued to the program's text, -1 if there is none.
    """
    at = 0
    while True:
        if inside:
            end = next((one for one in _end(inside).finditer(line, at) if one[0] == inside), None)
            if end is None:
                return (inside if len(inside) > 1 else ""), -1  # a string in single quotes ends with its line
            at, inside = end.end(), ""
        token = _BEGINNING[language].search(line, at)
        if token is None:
            return "", -1
        if token[0] in ("#", "//"):
            behind = _BEHIND_COMMENT.search(line, token.end())
            return "", behind.start() if behind and behind[0].startswith(mark) else -1
        if token[0].startswith("```"):
            if token[0].startswith(mark):
                return "", token.start()
        elif token[0].startswith("R"):
            inside = f'){token[0][2:-1]}"'
        else:
            inside = "*/" if token[0] == "/*" else token[0]
        at = token.end()


@lru_cache(maxsize=64)
def _end(inside: str) -> re.Pattern[str]:
    """What to look for inside a string or comment: its end, and escaped characters."""
    return re.compile(re.escape(inside) + (r"|\\." if inside[0] in "\"'" else ""))


def _unindented(body: Sequence[str], before: str) -> list[str]:
    """The lines of a block without the quotation marks and indentation that its opening mark has too."""
    quotes, width = before.count(">"), len(before.rpartition(">")[2])
    outer = re.compile(r"(?:[ \t]*> ?)" + f"{{0,{quotes}}}")
    lines = [outer.sub("", line, count=1) if quotes else line for line in body]
    width -= bool(quotes and width)
    first = next((line for line in lines if line.strip()), "")
    width = min(width, len(first) - len(first.lstrip(" \t")))
    return [line[len(line[:width]) - len(line[:width].lstrip(" \t")) :] for line in lines]
