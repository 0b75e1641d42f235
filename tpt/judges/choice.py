"""Reading the letter of a multiple-choice answer.

A letter counts if it is stated as the choice: marked, after "the answer is" or "I choose", or alone on a line. It does
not count if a sentence happens to begin with it ("A train ...", "I think ..."), if it is denied ("not (B)"), or if a
second letter is next to it ("B or C", "AB"): two letters are not an answer.
"""

import re
from dataclasses import dataclass

from tpt.judges.dress import clean

STATEMENTS = 40  # the last ones in a text that are looked at

_LETTER = r"[A-J]"
_GOLD = re.compile(
    rf"\W*(?:(?:option|choice|answer)\b\W*)?(?:({_LETTER})|\(([a-j])\)|([a-j])\))(?:[).:\]]\W*|\W*)", re.I
)
_UPPER = re.compile(r"\W*(?:[A-J]\b|\([a-j]\)|[a-j]\))")
_INTRODUCED = re.compile(
    r"^(?:[\s*_\"'`:,.$–—-]|(?:the|my|best|correct|right|final|answer|option|choice|letter|is|definitely|clearly|indeed"
    r"|therefore|thus|probably|most likely|simply|just|number|la|le|el|die|der|a(?= letra| alternativa| opção)|opción"
    r"|opção|opzione|alternativa|lettre"
    r"|letra|buchstabe|вариант|选项)\b(?!')){0,12}",
    re.I,
)
_AT_HEAD = re.compile(r"(?P<open>[(\[{*\"'$]*)\s?(?P<letter>[A-Ja-j])(?P<close>[)\]}\"'*$]*)(?![A-Za-z0-9_'^*/+=<>-])")
_SECOND = re.compile(
    rf"\s*(?:,\s*(?:and|or|&)?|/|&|\+|\bor\b|\band\b|\bor\s+maybe\b)\s*(?:option\s+|choice\s+)?\W{{0,3}}{_LETTER}(?![\w'])"
)
_BEHIND_WORD = re.compile(
    r"\s+(?:because|since|as|for|which|with|due|given|so|by|from|but|while|whereas|where)\b", re.I
)
_OPERATOR = re.compile(r"\s*[-+*/=^<>(]\s*(?:\d|[A-Za-z]\b|\()")

# "The options are A, B and C" states no choice.
_NOUN = r"(?:answers?|(?:correct|right|true)\s+(?:statement|one)|option|choice|letter|selection|response)"
_IS = r"(?:is|are|would\s+be|must\s+be|should\s+be|has\s+to\s+be|will\s+be)"
_STATED = re.compile(
    rf"(?<![A-Za-z])(?P<wrong>incorrect\s+|wrong\s+|other\s+|not\s+the\s+)?(?:{_NOUN}(?:\s+[\w']+){{0,6}}?\s+{_IS}\b(?!n't)"
    rf"|{_NOUN}[*_\"]*\s*(?:[:=]|\s-\s)"
    rf"|answer\s+choice\b|\bI(?:'d|\s+would)\s+say\b|\b(?:choose|pick|select|opt\s+for|go(?:ing)?\s+(?:with|for)|chose)\b"
    r"|(?:réponse|respuesta|resposta|risposta|antwort|lösung|antwoord|odpowied[zź]|cevap|jawaban|svar|ответ|відповідь"
    r"|option|opci[oó]n|opç[aã]o|opzione|alternativa)\b[^.:=\n]{0,30}?"
    r"(?:\s(?:est|es|é|è|ist|is|jest|to|er|är|adalah|—|-)\s|[:=])"
    r"|(?:答案|答え|正解|正确选项|选项|选择|选|选择|選擇|정답|답)\s*(?:应该)?(?:是|为|為|は|은|는|:)?)",
    re.I,
)
_RIGHT = re.compile(
    rf"(?<![\w'])\(?(?P<letter>{_LETTER})[).]?\s+{_IS}\s+(?:the\s+|therefore\s+|thus\s+|clearly\s+|indeed\s+|only\s+|most\s+)*"
    r"(?:correct|right|best|answer|true|proper)\b"
)
_NOT = re.compile(r"[\s*:]*(?:not|never|neither|n't)\b", re.I)
_NEGATED = re.compile(r"\b(?:no|non|não|pas|nicht|niet|не)\b", re.I)  # "la respuesta no es C"
_BUT = re.compile(r"\b(?:but|rather|it\s+is|it's|instead)\b[,:]?", re.I)
_CLOSING = re.compile(
    r"(?:(?:^|[.!?\n,;:]\s*|\b)(?:so|hence|thus|therefore|ergo|consequently|it's|it\s+is|it\s+must\s+be|option|choice|opción|opção|opzione|alternativa)\b"
    r"[\s,:]*(?:(?:it\s+is|it's|it\s+must\s+be|option|choice)\s+)?)"
    rf"(?P<head>[(\[*\"$]*{_LETTER}[)\]*\"$]*)[.!]?\W*$",
    re.I,
)
_TAKEN_BACK = re.compile(
    r"\b(?:actually|wait|no|correction|instead|sorry|rather|but|final|finally|so|thus|hence|therefore|conclusion|overall"
    r"|however|mistake|re-?check)\b",
    re.I,
)
_ALONE = re.compile(r"[\s*_\"'`(\[{$#>-]*(?P<letter>[A-Ja-j])[\s*_\"'`)\]}$.!:,]*")
_OPTION_TEXT = re.compile(
    rf"[\s*_\"'`#>]*(?:\((?P<one>{_LETTER})\)|(?P<two>{_LETTER})[).:])\s*(?![A-J][).:])\S.*", re.S
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A letter, in upper case, or "" if two compete."""

    letter: str


def gold_letter(gold: str) -> str | None:
    """The letter that a gold answer is: `B`, `(B)`, `\\text{(B)}`, `B.`, `(b)`; None if it is not a choice."""
    text = clean(gold).strip(" $")
    match = _GOLD.fullmatch(text)
    if match is None or not _UPPER.search(text):
        return None
    return next(letter for letter in match.groups() if letter).upper()


def at_head(piece: str) -> Choice | None:
    """The choice that a marked piece of text begins with: `B`, `(B) 12 m/s`, `B, because ...`, `option B`."""
    text = clean(piece)
    text = text[_introduction(text) :]
    match = _AT_HEAD.match(text)
    if match is None:
        return _run_together(text)
    letter, rest = match["letter"], text[match.end() :]
    if _SECOND.match(rest):
        return Choice("")
    bracketed = bool(match["close"])
    if _OPERATOR.match(rest) and not bracketed and not rest.lstrip().startswith("("):
        return None
    ended = not rest.strip() or rest.lstrip()[0] in ".,:;!?)—–\n(" or rest.startswith("\n")
    if letter.islower():
        stated = (bracketed and bool(match["open"])) or rest[:1] == ")" or not rest.strip(" .!") or rest[:1] in ".\n"
        return Choice(letter.upper()) if stated else None
    if letter in "AI" and not (ended or bracketed or _BEHIND_WORD.match(rest)):
        return None  # "A train ...", "I think ..."
    return Choice(letter)


def stated(text: str) -> tuple[Choice, str] | None:
    """The choice that running text states, and the rule that found it; None if it states none."""
    text = clean(text)
    found = [*_statements(text)]
    if found:
        return _of_several(text, found), "answer_is"
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return None
    alone = [(line, match["letter"]) for line in (lines[0], lines[-1]) if (match := _ALONE.fullmatch(line))]
    alone = [(line, letter.upper()) for line, letter in alone if letter.isupper() or len(lines) == 1]
    if alone:
        letters = {letter for _, letter in alone}
        return Choice(alone[-1][1] if len(letters) == 1 else ""), "last_line" if len(lines) > 1 else "whole_text"
    closing = _CLOSING.search(lines[-1][-200:])
    if closing:
        return at_head(closing["head"]) or Choice(""), "last_line"
    option = _OPTION_TEXT.fullmatch(text) if len(lines) == 1 else None
    return (Choice(option["one"] or option["two"]), "whole_text") if option else None


def _introduction(text: str) -> int:
    match = _INTRODUCED.match(text)
    return match.end() if match else 0


def _run_together(text: str) -> Choice | None:
    """Whether two letters compete, as in `AB`; `ABCD...` or a word is something else."""
    return Choice("") if re.match(rf"[(\"'*]*{_LETTER}{{2,4}}(?!\w)", text) else None


def _statements(text: str) -> list[tuple[int, Choice]]:
    found: list[tuple[int, Choice]] = []
    for match in list(_STATED.finditer(text))[-STATEMENTS:]:
        rest = text[match.end() : match.end() + 200].split("\n\n\n", maxsplit=1)[0]
        if match["wrong"] or rest[:1] == "'" or _NEGATED.search(match[0]):
            continue
        if _NOT.match(rest):
            turn = _BUT.search(rest.split(".")[0] if "." in rest[:3] else rest)
            if turn is None:
                continue
            rest = rest[turn.end() :]
        choice = at_head(rest)
        if choice and not re.match(r"\W*[A-Ja-j]\)?\s*\?", rest):
            found.append((match.start(), choice))
    found += [(match.start(), Choice(match["letter"])) for match in _RIGHT.finditer(text) if not _denied(text, match)]
    return sorted(found, key=lambda one: one[0])


def _denied(text: str, match: "re.Match[str]") -> bool:
    return bool(re.search(r"\b(?:neither|nor|not|if|whether|or|and)\s*$", text[: match.start()][-20:], re.I))


def _of_several(text: str, found: list[tuple[int, Choice]]) -> Choice:
    """The last of several statements if it retracts the others or draws the conclusion; else two are no answer."""
    start, last = found[-1]
    for place, other in found[:-1]:
        if other != last and not _TAKEN_BACK.search(text[place:start]):
            return Choice("")
    return last
