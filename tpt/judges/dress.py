"""Removing an answer's formatting: LaTeX wrappers, Markdown, unusual signs. What remains is plain text.

Nothing here depends on the answer; what can be written in several ways gets a single spelling: `\\frac{3}{4}` and `¾`
as `3/4`, `\\times` and `×` as `*`, `²` as `^2`, `\\binom{6}{2}` as `(6 choose 2)`, `0.\\overline{3}` as `(1/3)`,
`12'000` as `12000`, `°C` as ` degC`.
"""

import re
from fractions import Fraction

# full-width digits and signs, and the many characters that look like a minus
_PLAIN = {0xFF10 + digit: str(digit) for digit in range(10)} | dict.fromkeys(
    map(ord, "\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d"), "-"
)
_PLAIN |= {0xFF0C: ",", 0xFF0E: ".", 0xFF05: "%", 0xFF04: "$", 0xFF1A: ":", 0xFF08: "(", 0xFF09: ")", 0xFF1D: "="}
_PLAIN |= dict.fromkeys(range(0x200B, 0x2010), "") | {0xFEFF: "", 0x2019: "'"}  # zero-width characters
_PLAIN |= {ord(c): "*" for c in "×·⋅∙∗"} | {ord(c): "/" for c in "÷∕⁄"} | {ord(c): " " for c in "\u00a0\u202f\u2009"}
_PLAIN |= {ord("⌊"): " floor(", ord("⌈"): " ceil("} | {ord(c): ")" for c in "⌋⌉"}
_PLAIN |= {ord(c): f" {f}" for c, f in zip("½⅓⅔¼¾⅕⅛", ("1/2", "1/3", "2/3", "1/4", "3/4", "1/5", "1/8"), strict=True)}
_RAISED = re.compile(r"[⁰¹²³⁴-⁹⁻⁺]+")
_RAISED_AS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")

_COMMA = re.compile(r" ?\{ ?, ?\}(?:\\!)? ?")
_WRAPPER = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt)|mbox|operatorname|emph|underline|boldsymbol|boxed|fbox"
    r"|(?:text)?color\s*\{[^{}]{0,40}\}|textcolor\s*\{[^{}]{0,40}\})\s*\{([^{}]*)\}"
)
_SWITCH = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|bf|rm|it|big[lr]?|Big[lr]?|color\s*\{[^{}]{0,40}\})(?![a-zA-Z])"
)
_SPACE = re.compile(r"\\(?:quad|qquad|[;: ])(?![a-zA-Z])|(?<=[\w}])~|~(?=[A-Za-z\\])")
_NO_SPACE = re.compile(r"\\!\s*|\\,|\\[()\[\]]|\\\\\s*$")
_FRACTION = re.compile(r"\\[cdt]?frac\s*(\{[^{}]*\}|\d)\s*(\{[^{}]*\}|\d)")
_REPEATING = re.compile(
    r"(?<![\d.])(\d{0,20})\.(\d{0,40}?)\\(?:overline|bar|dot)\s*\{?(\d{1,40})\}?"
    "|(?<![\\d.])(\\d{0,20})\\.(\\d{0,40}?)((?:\\d\u0305){1,40})"
)
_AND_SO_ON = re.compile(r"(?<![\d.])(\d{0,20})\.(\d{2,40})(?:\.\.\.|…|\\l?dots)")
_COMMANDS = {
    "times": "*", "cdot": "*", "ast": "*", "div": "/", "over": "/", "approx": "≈", "simeq": "≈",
    "to": "→", "rightarrow": "→", "Rightarrow": "→",
    "lfloor": " floor(", "rfloor": ")", "lceil": " ceil(", "rceil": ")",
}  # fmt: skip
_COMMAND = re.compile(rf"\\({'|'.join(_COMMANDS)})(?![a-zA-Z])")
_DEGREES = re.compile(r"(?:\^\s*\{?\s*\\circ\s*\}?|°|∘)\s*(?:(?:\\(?:text|mathrm)\s?)?\{?\s?([CF])\}?(?![a-zA-Z]))?")
_MARKDOWN = re.compile(
    r"(?<![\w)])\*\*|\*\*(?![\d(])|__|`"
    r"|<<[^<>]{0,200}>>|<[|/]?[a-zA-Z][\w|]{0,40}>"  # calculator annotations, tokens such as </s> and <|eot_id|>
)
_PERCENT = re.compile(r"\s?\bper\s?cent\b")
_GROUPED = re.compile(r"(?<![\w.'])\d{1,3}(?:'\d{3})+(?!\d)|(?<![\w.'])\d{1,3}(?:_\d{3})+(?!\w)")
_CHOOSE = re.compile(
    r"\\[dt]?binom\s*(?P<n>\{[^{}]{1,20}\}|\d)\s*(?P<k>\{[^{}]{1,20}\}|\d)"
    r"|(?<![\w\\])C\(\s?(?P<of>\d{1,4})\s?,\s?(?P<some>\d{1,4})\s?\)"
)


def clean(text: str) -> str:
    """The text without the formatting of numbers: Markdown bold, LaTeX wrappers, full-width digits, odd minus signs."""
    if not text.isascii():
        text = _REPEATING.sub(_repeating, text.translate(_PLAIN))
        text = _RAISED.sub(lambda raised: "^" + raised[0].translate(_RAISED_AS), text)
    if "binom" in text or "C(" in text:
        text = _CHOOSE.sub(_choose, text)
    if "\\" in text or "{" in text or "~" in text:
        text = _without_latex(text)
    text = _AND_SO_ON.sub(_and_so_on, text)
    text = _DEGREES.sub(lambda scale: f" deg{scale[1] or ''} ", text)
    text = _PERCENT.sub("%", text)
    if "'" in text or "_" in text:
        text = _GROUPED.sub(lambda number: number[0].replace("'", "").replace("_", ""), text)
    return _MARKDOWN.sub("", text).strip()


def _without_latex(text: str) -> str:
    text = text.replace(r"\$", "$").replace(r"\%", "%").replace("{:}", ":")
    text = _COMMA.sub(",", text)
    text = _SPACE.sub(" ", _SWITCH.sub(" ", _NO_SPACE.sub("", text)))
    text = _REPEATING.sub(_repeating, text)
    text = _DEGREES.sub(lambda scale: f" deg{scale[1] or ''} ", text)
    for _ in range(3):  # wrappers and fractions may be nested
        text = _WRAPPER.sub(r" \1 ", text)
        text = _FRACTION.sub(_fraction, text)
    return _COMMAND.sub(lambda command: _COMMANDS[command[1]], text)


def _fraction(match: "re.Match[str]") -> str:
    top, bottom = (part.strip("{} ") for part in match.groups())
    plain = top.lstrip("-").isdecimal() and bottom.isdecimal()
    return f" {top}/{bottom} " if plain else f" ({top})/({bottom}) "


def _choose(match: "re.Match[str]") -> str:
    n, k = (match["n"], match["k"]) if match["n"] else (match["of"], match["some"])
    return f" ({n.strip('{} ')} choose {k.strip('{} ')}) "


def _repeating(match: "re.Match[str]") -> str:
    whole, fixed, block = match.groups()[:3] if match[3] else match.groups()[3:]
    return _as_fraction(whole, fixed, block.replace("\u0305", ""))


def _and_so_on(match: "re.Match[str]") -> str:
    """`0.1666...` read by its shortest block that occurs twice; digits that do not repeat are left unchanged."""
    whole, digits = match.groups()
    for size in range(1, len(digits) // 2 + 1):
        block = digits[-size:]
        if digits.endswith(block * 2):
            return _as_fraction(whole, digits[:-size], block)
    return match[0]


def _as_fraction(whole: str, fixed: str, block: str) -> str:
    number = Fraction(f"{whole or 0}.{fixed or 0}") + Fraction(int(block), (10 ** len(block) - 1) * 10 ** len(fixed))
    return f"({number.numerator}/{number.denominator})"
