"""Comparing mathematics as it is written, before any of it is computed.

Most answers that are not numbers differ from the gold answer only in formatting: spaces, `\\dfrac`, `\\text`, `≤`.
Those count as equal here. Whatever a computer algebra system misreads or cannot read is compared here as well:
infinities, numbers with a base, ellipses, intervals and inequalities, the kind of brackets. Everything else is spelled
so that it is read correctly.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tpt.judges import arithmetic, numbers, units
from tpt.judges.dress import clean

_DOLLARS = re.compile(r"^\s*(?:\$\$?|\\[(\[])|(?:\$\$?|\\[)\]])\s*$")
_SIGNS = {
    "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∞": r"\infty ", "π": r"\pi ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ",
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": r"\div ", "±": r"\pm ", "∅": r"\emptyset ", "…": r"\ldots ",
    "−": "-", "–": "-", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "⟨": r"\langle ",
    "⟩": r"\rangle ", "∨": r"\lor ", "\u00a0": " ", "°": r"^\circ ", "₂": "_2", "₃": "_3", "₈": "_8",
}  # fmt: skip
_RAISED = re.compile(r"[⁰¹²³⁴-⁹⁻]+")
_RAISED_AS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SAME: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [  # one of two spellings
    (re.compile(r"\\(?:left|right|big[lr]?|Big[lr]?|displaystyle|textstyle|limits|bf|rm)(?![a-zA-Z])"), ""),
    (re.compile(r"(?<!\\)\\(?:[,;:! ]|quad(?![a-zA-Z])|qquad(?![a-zA-Z]))|(?<!\\)~"), " "),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\leq(?:slant)?(?![a-zA-Z])"), r"\\le "),
    (re.compile(r"\\geq(?:slant)?(?![a-zA-Z])"), r"\\ge "),
    (re.compile(r"\\neq(?![a-zA-Z])"), r"\\ne "),
    (re.compile(r"\\varnothing(?![a-zA-Z])|\\O(?![a-zA-Z])"), r"\\emptyset "),
    (re.compile(r"\\(?:dots|cdots|dotsc|dotsb)(?![a-zA-Z])|\.\.\."), r"\\ldots "),
    (re.compile(r"\\(?:lbrace|rbrace)(?![a-zA-Z])"), lambda m: r"\{" if m[0][1] == "l" else r"\}"),
    (re.compile(r"\\(?:text|mathrm|mathit|textbf|mathbf|textit|textrm|mbox|operatorname|boxed|mathsf)\s*\{([^{}]*)\}"),
     lambda m: m[1] if len(m[1]) == 1 else f" {m[1]} "),
    (re.compile(r">="), r"\\ge "),
    (re.compile(r"<="), r"\\le "),
    (re.compile(r"\\pmod\s*\{\s*(\w+)\s*\}"), r"\\pmod \1"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\*"), r"\\cdot "),
    (re.compile(r"(?<![\\A-Za-z])infinity(?![A-Za-z])", re.I), r"\\infty "),
    (re.compile(r"\\sqrt\s*\[\s*2\s*\]"), r"\\sqrt"),
]  # fmt: skip
_FUNCTION = re.compile(r"(?<![\\A-Za-z])(?:sin|cos|tan|cot|log|ln|pi|exp)(?![A-Za-z])")
_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt(?![A-Za-z])|√|\\sqrt(?![A-Za-z])")
_ROOT_OF = re.compile(r"\s*(\[[^\[\]]{1,5}\])?\s*(?:(\d+(?:\.\d+)?|\\?[a-zA-Z]+)|([({]))")
_SHORT_FRACTION = re.compile(r"\\frac\s*(?:(\d)|(\{[^{}]*\}))\s*(?:(\d)|(\{[^{}]*\}))")
_ANGLES = re.compile(r"^<([^<>]*,[^<>]*)>$")
_SINGLE = re.compile(r"([\^_])\s*\{\s*(\w)\s*\}")
_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|,\\!)(?=\d{3}(?!\d))")
_SPACES = re.compile(r"(?<!\d)\s+|\s+(?!\d)")
_FUNCTION_ARGUMENT = re.compile(r"\\(ln|log|sin|cos|tan|cot|sec|csc|exp|arctan|arcsin|arccos)\s*\(([^()]*)\)$")
_UNIT_WORDS = re.compile(
    r"(?<=[\w})\s])\s+((?:(?:square|cubic|sq|cu|per|units?|[a-zA-Z]{2,15})(?:\s?\^\s?\{?[23]\}?)?[\s./]*){1,4})$"
)

_INFINITY = re.compile(r"([+-]?)\\infty")
_BASE = re.compile(r"(\d[0-9A-Fa-f]*(?=_)|[0-9A-Fa-f]{2,}(?=_\{?1[1-6]))_(?:\{?(\d{1,2})\}?)")
_BASE_IN_WORDS = re.compile(
    r"\s*(?:[(,]?\s*(?:in\s+)?base\s*-?|_\s*\{)\s*(\d{1,2}|two|three|eight|ten|sixteen)\s*[)}]?\s*$", re.I
)
_BASES = {"two": "2", "three": "3", "eight": "8", "ten": "10", "sixteen": "16"}
_NAMED = re.compile(
    r"^(?:\([a-zA-Z\\,\s]+\)|[a-zA-Z](?:_\w)?)\s*(?:=|\\in(?![a-zA-Z])|\\equiv(?![a-zA-Z]))\s*(?=[\[(\\\]\d-])"
)
_OPENING = {"(": ")", "[": "]", r"\{": r"\}", r"\langle": r"\rangle"}
_OR = re.compile(r"\\cup|\\lor|(?<![A-Za-z])or(?![A-Za-z])")
_INTERVAL = re.compile(r"([\[\](])([^,]{1,80}),([^,]{1,80})([\])\[])")
_CHAIN = re.compile(r"(.{1,60}?)(<|>|\\le|\\ge)([a-zA-Z])(<|>|\\le|\\ge)(.{1,60})")
_HALF = re.compile(r"([a-zA-Z])(<|>|\\le|\\ge)([^<>]{1,60})")
_HALF_TURNED = re.compile(r"([^<>]{1,60}?)(<|>|\\le|\\ge)([a-zA-Z])")
_TURNED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}


def spelled(text: str) -> str:
    """A short expression as LaTeX that a computer algebra system reads correctly, without dollar signs and units."""
    text = _THOUSANDS.sub("", text.strip().strip("*`").strip())
    for _ in range(2):
        text = _DOLLARS.sub("", text)
    for sign, command in _SIGNS.items():
        if sign in text:
            text = text.replace(sign, command)
    text = _RAISED.sub(lambda raised: f"^{{{raised[0].translate(_RAISED_AS)}}}", text)
    for pattern, replacement in _SAME:
        text = pattern.sub(replacement, text)
    text = _ANGLES.sub(r"\\langle \1\\rangle ", text)
    text = _FUNCTION.sub(r"\\\g<0> ", _roots(text))
    text = _SHORT_FRACTION.sub(lambda m: rf"\frac{_braced(m[1], m[2])}{_braced(m[3], m[4])}", text)
    return _without_unit(text).strip().rstrip(".,;").strip()


def squeezed(text: str) -> str:
    """An expression without spaces and with a single spelling of each sign, so that equal ones compare equal."""
    text = _SINGLE.sub(r"\1\2", spelled(text))
    text = re.sub(r"\\(?:times|cdot|ast)(?![a-zA-Z])", "*", text)
    text = _FUNCTION_ARGUMENT.sub(r"\\\1{}\2", text)
    text = _SPACES.sub("", text).replace("{}", "")
    return _NAMED.sub("", text) if r"\in" in text or r"\equiv" in text or text.startswith("(") else text


def differ_in_kind(gold: str, answer: str) -> bool:
    """Whether two are of different kinds (set, tuple, list, vector, matrix), or only the answer is a set."""
    kinds = _kind(squeezed(gold)), _kind(squeezed(answer))
    if None not in kinds:
        return kinds[0] != kinds[1]
    return kinds[1] == r"\{" and kinds[0] is None and not re.search(r"[,;]|\band\b|\bor\b|\\pm", gold)


def same_special(gold: str, answer: str) -> bool | None:
    """Whether two are the same infinity, number with a base or enumeration; None if neither is any of these."""
    left, right = squeezed(gold), squeezed(answer)
    infinities = [_INFINITY.fullmatch(one) for one in (left, right)]
    if any(infinities):
        return all(infinities) and len({one[1] == "-" for one in infinities if one}) == 1
    bases = [_BASE.fullmatch(_BASE_IN_WORDS.sub(_subscript, one)) for one in (spelled(gold), spelled(answer))]
    if any(bases):
        return all(bases) and len({(one[1].upper(), one[2]) for one in bases if one}) == 1
    if r"\ldots" in left or r"\ldots" in right:
        return left == right
    return None


@dataclass(frozen=True, slots=True)
class Span:
    """An interval: its ends as LaTeX, whether they belong to it, and the variable's `name`, "" if it has none."""

    low: str
    high: str
    closed_low: bool
    closed_high: bool
    name: str = ""

    @property
    def closed(self) -> tuple[bool, bool]:
        """Whether the ends belong to it."""
        return self.closed_low, self.closed_high


def spans(text: str) -> list[Span] | None:
    """The intervals, written as such or as inequalities, whose union an expression is; None if it is not a union."""
    text = re.sub(r"^(?:[a-zA-Z]\s*(?:=|\\in(?![a-zA-Z])))\s*(?=[\[(\]])", "", spelled(text))
    found = [_span(_SPACES.sub("", part)) for part in _OR.split(text)]
    return [one for one in found if one] if all(found) else None


def same_spans(gold: list[Span], answer: list[Span]) -> bool | list[tuple[str, str]]:
    """Whether two unions are the same, or, if only the values of their ends can tell, the pairs of ends to compare."""
    if len(gold) != len(answer) or (len(gold) == 1 and gold[0].name and answer[0].name not in ("", gold[0].name)):
        return False
    gold, answer = (sorted(some, key=_by_low) for some in (gold, answer))
    if [one.closed for one in gold] != [one.closed for one in answer]:
        return False
    ends = [
        (a, b)
        for one, other in zip(gold, answer, strict=True)
        for a, b in ((one.low, other.low), (one.high, other.high))
    ]
    owed = []
    for left, right in ends:
        if squeezed(left).lstrip("+") == squeezed(right).lstrip("+"):
            continue
        values = arithmetic.whole(clean(left)), arithmetic.whole(clean(right))
        if "infty" in left + right:
            return False
        if not (values[0] and values[1]):
            owed.append((f"${left}$", f"${right}$"))
        elif values[0].value != values[1].value and not numbers.rounds_to(values[0].value, values[1].value, right):
            return False
    return owed or True


def _by_low(span: Span) -> tuple[bool, float, str]:
    low = arithmetic.whole(clean(span.low))
    return (low is not None, float(low.value) if low and abs(low.value) < 10**300 else 0.0, span.low)


def _span(text: str) -> Span | None:
    if interval := _INTERVAL.fullmatch(text):
        left, low, high, right = interval.groups()
        return Span(low, high, left == "[", right == "]")
    if chain := _CHAIN.fullmatch(text):
        low, first, name, second, high = chain.groups()
        if (first in ("<", r"\le")) != (second in ("<", r"\le")):
            return None
        if first in (">", r"\ge"):
            low, first, second, high = high, _TURNED[second], _TURNED[first], low
        return Span(low, high, first == r"\le", second == r"\le", name)
    half = _HALF.fullmatch(text)
    turned = None if half else _HALF_TURNED.fullmatch(text)
    if turned:
        name, relation, end = turned[3], _TURNED[turned[2]], turned[1]
    elif half:
        name, relation, end = half[1], half[2], half[3]
    else:
        return None
    closed = relation in (r"\le", r"\ge")
    if relation in ("<", r"\le"):
        return Span(r"-\infty", end, False, closed, name)
    return Span(end, r"\infty", closed, False, name)


def _kind(text: str) -> str | None:
    """The bracket that encloses an expression of several parts, or `matrix`, or None."""
    text = re.sub(r"^.{1,20}=(?=[(\[\\])", "", text)
    if re.match(r"[(\[]?\\begin\{[pbB]?matrix\}|\\\[?\\begin\{array\}|[(\[]\\begin\{array\}", text):
        return "matrix"
    opening = next((one for one in _OPENING if text.startswith(one)), None)
    if opening is None or not text.endswith(_OPENING[opening]):
        return None
    inner = text[len(opening) : -len(_OPENING[opening])]
    depth = 0
    commas = 0
    for character in inner:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(character, 0)
        commas += character == "," and not depth
        if depth < 0:
            return None
    return opening if commas or opening == r"\{" else None


def _roots(text: str) -> str:
    """`sqrt(2)`, `√2`, `\\sqrt2`, `\\sqrt(2)` as `\\sqrt{2}`."""
    parts, place = [], 0
    for root in _ROOT.finditer(text):
        if root.start() < place:
            continue
        of = _ROOT_OF.match(text, root.end())
        if of is None:
            continue
        inner, end = (of[2], of.end()) if of[2] else _bracketed(text, of.end(), of[3])
        if inner is None:
            continue
        parts += [
            text[place : root.start()],
            rf"\sqrt{of[1] or ''}{{{_roots(inner) if len(inner) < len(text) else inner}}}",
        ]
        place = end
    return "".join([*parts, text[place:]])


def _bracketed(text: str, start: int, opening: str) -> tuple[str | None, int]:
    closing, depth = {"(": ")", "{": "}"}[opening], 1
    for place in range(start, len(text)):
        depth += (text[place] == opening) - (text[place] == closing)
        if not depth:
            return text[start:place], place + 1
    return None, start


def _braced(digit: str | None, braces: str | None) -> str:
    return braces if braces else f"{{{digit}}}"


def _subscript(match: "re.Match[str]") -> str:
    return f"_{_BASES.get(match[1].lower(), match[1])}"


def _without_unit(text: str) -> str:
    found = _UNIT_WORDS.search(text)
    if found is None:
        return text
    words = re.findall(r"[a-zA-Z]+", found[1])
    known = all(units.known(word) or units.power(word) or word in ("per", "unit", "units") for word in words)
    return text[: found.start()] if known and re.search(r"[\d}π]|\\pi", text[: found.start()]) else text
