"""Reading numbers exactly. No floats: 0.1 is one tenth, and a thousand digits are a thousand digits."""

import re
from fractions import Fraction

LONGEST = 400  # characters of a number, and the largest power of ten, that are read at all

CURRENCY = "$€£¥₹"
_SPACES = " \u00a0\u202f"
_COMMAS = r"\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)"  # 1,234,567 and India's 12,34,567
_DIGITS = rf"(?:{_COMMAS}|\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?![\d,/])|\d+)"
_SIGN = rf"(?P<sign>[-+]?)\s?[{CURRENCY}]?\s?(?P<sign_after>-?)"
_POWERS = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_MAGNITUDE = rf"(?:\s?(?P<magnitude>(?i:{'|'.join(_POWERS)}))\b)?"

# A number as it may stand alone or at the head of a phrase.
NUMBER = re.compile(
    rf"{_SIGN}(?:"
    r"(?P<whole>\d+)\s+(?P<top>\d+)\s?/\s?(?P<bottom>\d+)"  # 1 1/2
    r"|(?P<numerator>\d+)\s?/\s?(?P<denominator>\d+)(?!\d|\.\d)"  # 3/4
    r"|(?P<dots>\d{1,3}(?:\.\d{3})+,\d{1,2}|\d{1,3}(?:\.\d{3}){2,})(?![\d,.])"  # 1.234,50 and 1.000.000
    r"|(?P<comma_decimal>0,\d+|\d+,\d{1,2})(?![\d,.])"  # 3,5 as in much of Europe
    rf"|(?P<decimal>{_DIGITS}(?:\.\d+)?|\.\d+)\.?(?:(?:[eE]|\s?(?:x|\u00d7|\*)\s?10\s?\^\s?\{{?)(?P<exponent>[-+]?\d{{1,4}})\}}?)?"
    rf"){_MAGNITUDE}"
)

# A number inside running text: a minus after a word, a bracket or a digit is a dash, and a space ends the number.
IN_TEXT = re.compile(
    rf"(?P<sign>(?:(?<![\w)\]])-\s?)?(?:[{CURRENCY}]\s?)?)(?<![A-Za-z\d.])"
    r"(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+|,\d{1,2}(?![\d,]))?(?:/\d+(?!\d|\.\d))?|\.\d+)"
    rf"{_MAGNITUDE}(?:\s?%)?"
)

# full-width digits and signs, and the many characters that look like a minus
_PLAIN = {0xFF10 + digit: str(digit) for digit in range(10)} | dict.fromkeys(
    map(ord, "\u2212\u2013\u2012\ufe63\uff0d"), "-"
)
_PLAIN |= {0xFF0C: ",", 0xFF0E: ".", 0xFF05: "%", 0xFF04: "$"}
_PLAIN |= dict.fromkeys(range(0x200B, 0x2010), "") | {0xFEFF: "", 0x2044: "/"}  # zero-width characters
_PLAIN |= {ord(c): f" {f}" for c, f in zip("½⅓⅔¼¾⅕⅛", ("1/2", "1/3", "2/3", "1/4", "3/4", "1/5", "1/8"), strict=True)}

_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{\s*(-?\d+)\s*\}\s*\{\s*(\d+)\s*\}|(\d)(\d))")
_LATEX_COMMA = re.compile(r" ?\{ ?, ?\}(?:\\!)? ?")
_LATEX_WORDS = re.compile(r"\\(?:text|mathrm|mathbf|mbox|textbf|operatorname)\s*\{([^{}]*)\}")
_DROPPED = re.compile(
    r"\\(?:left|right|displaystyle|quad|qquad)(?![a-zA-Z])|\\!\s*|\\[()\[\],;: ]|(?<![\w)])\*\*|\*\*(?![\d(])|__|`"
    r"|<<[^<>]{0,200}>>|<[|/]?[a-zA-Z][\w|]{0,40}>"  # a calculator's notes, tokens such as </s> and <|eot_id|>
)
_PERCENT = re.compile(r"\s?\bper\s?cent\b")
_DEGREES = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|°")
_TIMES_TEN = re.compile(r"\\(?:times|cdot)\s*10")


def clean(text: str) -> str:
    """The text without the dress of numbers: Markdown bold, LaTeX wrappers, full-width digits, odd minus signs."""
    if not text.isascii():
        text = text.translate(_PLAIN)
    text = text.replace(r"\$", "$").replace(r"\%", "%")
    text = _LATEX_COMMA.sub(",", text)
    text = _LATEX_WORDS.sub(r" \1 ", text)
    text = _LATEX_FRACTION.sub(lambda m: f" {m[1] or m[3]}/{m[2] or m[4]} ", text)
    text = _TIMES_TEN.sub("x 10", text)
    text = _DEGREES.sub(" ", text)
    text = _PERCENT.sub("%", text)
    text = _DROPPED.sub("", text)
    return text.strip()


def value(match: "re.Match[str]") -> Fraction | None:
    """The number that `NUMBER` matched; None for a zero denominator or more digits than are read."""
    if len(match[0]) > LONGEST:
        return None
    negative = "-" in (match["sign"], match["sign_after"])
    try:
        if match["whole"]:
            number = int(match["whole"]) + Fraction(int(match["top"]), int(match["bottom"]))
        elif match["numerator"]:
            number = Fraction(int(match["numerator"]), int(match["denominator"]))
        elif match["dots"]:
            number = Fraction(match["dots"].replace(".", "").replace(",", "."))
        elif match["comma_decimal"]:
            number = Fraction(match["comma_decimal"].replace(",", "."))
        else:
            exponent = int(match["exponent"] or 0)
            if abs(exponent) > LONGEST:
                return None
            digits = re.sub(rf"[,{_SPACES}]", "", match["decimal"])
            number = Fraction(digits) * Fraction(10) ** exponent
    except ZeroDivisionError:
        return None
    number *= _POWERS.get((match["magnitude"] or "").lower(), 1)
    return -number if negative else number


def parse(text: str) -> Fraction | None:
    """The number that a text is, wholly: `1,234`, `$5.00`, `-3/4`, `1 1/2`, `2.5e3`, `\\frac{1}{2}`, `50%` (fifty)."""
    if len(text) > LONGEST:
        return None
    if text.isdecimal() and text.isascii():
        return Fraction(int(text))
    text = clean(text).strip("$ ").rstrip(".")
    text = text.removesuffix("%").rstrip()
    match = NUMBER.fullmatch(text.rstrip(CURRENCY).rstrip())
    return value(match) if match else None


def parse_in_text(token: str) -> Fraction | None:
    """The number in a token that `IN_TEXT` found."""
    if len(token) > LONGEST:
        return None
    match = IN_TEXT.fullmatch(token)
    if match is None:
        return None
    token = match["number"]
    if re.search(r",\d{1,2}$", token):
        token = token.replace(",", ".")
    try:
        number = Fraction(token.replace(",", "")) * _POWERS.get((match["magnitude"] or "").lower(), 1)
        return -number if "-" in match["sign"] else number
    except (ValueError, ZeroDivisionError):
        return None
