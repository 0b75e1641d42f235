"""The structure of a solution, as text that is equal if the structure is: the operations of a calculation, the shape
of a program.

Nothing that a model wrote is parsed: `ast.parse` of a hostile text can exhaust memory or the stack of our process, a
child for each of thousands of samples is slow, and neither reads C++ or a program with one syntax error. Regular
expressions do, and the shape they give is equal if the syntax trees without names and values are, except for redundant
brackets and the like.
"""

import keyword
import re

from tpt.judges.code.program import Language

_AS_ASCII = (
    (re.compile(r"\\(?:times|cdot)\b|[\u00d7\u00b7]|(?<=\d)[ \t]?x[ \t]?(?=\d)"), "*"),
    (re.compile(r"\\div\b|\u00f7"), "/"),
    (re.compile(r"[\u2212\u2013]"), "-"),
    (re.compile(r"\*\*"), "^"),
)
# An operator stands between something and a number: not the dash of a list, nor that of "step-by-step".
_OPERATOR = re.compile(r"(?<=[\w)%.])[ \t]*([-+*/^])[ \t]*(?=[\d($.])")

# fmt: off
_CPP_WORDS = frozenset((
    "auto", "bool", "break", "case", "catch", "char", "class", "const", "continue", "default", "delete", "do", "double",
    "else", "enum", "float", "for", "goto", "if", "int", "long", "namespace", "new", "operator", "private", "public",
    "return", "short", "signed", "sizeof", "static", "struct", "switch", "template", "this", "throw", "try", "typedef",
    "typename", "union", "unsigned", "using", "virtual", "void", "while",
))
# fmt: on
_WORDS: dict[Language, frozenset[str]] = {"python": frozenset(keyword.kwlist), "cpp": _CPP_WORDS}
_STRING = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''


def _lexemes(comment: str, string: str) -> "re.Pattern[str]":
    kinds = {
        "comment": comment,
        "text": string,
        "number": r"\d[\w.]*",
        "name": r"[^\W\d]\w*",
        "line": r"\n[ \t]*",
        "sign": r"[^\w\s]",
    }
    return re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in kinds.items()), re.DOTALL)


_LEXEMES: dict[Language, "re.Pattern[str]"] = {
    "python": _lexemes(r"#[^\n]*", rf'"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|{_STRING}'),
    "cpp": _lexemes(r"//[^\n]*|/\*.*?\*/", _STRING),
}


def operations(text: str) -> str:
    """The operators of the equations written in a text, in order: `Ann has 12*3=36 pens, 36 - 4 = 32 left` -> `*-`.

    Only what stands on a line before its last equals sign counts; "" if there is no equation.
    """
    for pattern, sign in _AS_ASCII:
        text = pattern.sub(sign, text)
    return "".join("".join(_OPERATOR.findall(line.rpartition("=")[0])) for line in text.splitlines())


def shape(source: str, language: Language) -> str:
    """A program without its comments, spacing, names and values, which is equal if two programs differ in nothing else.

    Names are numbered in the order in which they appear; a Python line keeps its depth of indentation.
    """
    names: dict[str, int] = {}
    found: list[str] = []
    open_brackets = 0
    for lexeme in _LEXEMES[language].finditer(f"\n{source}"):
        kind, text = lexeme.lastgroup, lexeme.group()
        if kind == "name" and text not in _WORDS[language]:
            found.append(f"n{names.setdefault(text, len(names))}")
        elif kind in ("number", "text"):
            found.append(kind)
        elif kind in ("name", "sign"):
            found.append(text)
            open_brackets = max(0, open_brackets + (text in "([{") - (text in ")]}"))
        elif kind == "line" and language == "python" and not open_brackets:
            if found and found[-1].startswith("\n"):
                found.pop()  # the line before was empty, or a comment
            found.append("\n" + "." * len(text[1:].expandtabs(4)))
    return " ".join(_relative_depths(found)).strip()


def _relative_depths(lexemes: list[str]) -> list[str]:
    """Lines' indentation by its depth, so that two spaces a level and four are the same."""
    levels = [0]
    found = []
    for lexeme in lexemes:
        if not lexeme.startswith("\n"):
            found.append(lexeme)
            continue
        width = len(lexeme) - 1
        while width < levels[-1]:
            levels.pop()
        if width > levels[-1]:
            levels.append(width)
        found.append(f"\n{len(levels) - 1}")
    while found and found[-1].startswith("\n"):
        found.pop()
    return found
