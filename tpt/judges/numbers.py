"""Reading numbers exactly. No floats: 0.1 is one tenth, and a thousand digits are a thousand digits."""

import re
from fractions import Fraction

from tpt.judges.dress import clean

LONGEST = 400  # the most characters of a number, and the largest power of ten, that are read
ROUNDED = 4  # the fewest decimals with which a rounded fraction is accepted
_DECIMALS = re.compile(r"\.(\d{2,30})(?!\d)")

CURRENCY = "$€£¥₹"
_SPACES = " \u00a0\u202f"
_COMMAS = r"\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)"  # 1,234,567 and India's 12,34,567
DIGITS = rf"(?:{_COMMAS}|\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?![\d,/])|\d+)"
_SIGN = rf"(?P<sign>[-+]?)\s?[{CURRENCY}]?\s?(?P<sign_after>-?)"
MAGNITUDES = {
    "hundred": 100, "thousand": 10**3, "lakh": 10**5, "million": 10**6, "crore": 10**7, "billion": 10**9,
    "trillion": 10**12, "mil": 10**6, "mio": 10**6, "mn": 10**6, "bn": 10**9, "tn": 10**12, "dozen": 12,
}  # fmt: skip
_MAGNITUDE = rf"(?:\s{{0,3}}(?P<magnitude>(?i:{'|'.join(MAGNITUDES)}))s?\b)?"

# A number as it may appear alone or at the start of a phrase.
NUMBER = re.compile(
    rf"{_SIGN}(?:"
    r"(?P<whole>\d+)\s+(?P<top>\d+)\s?/\s?(?P<bottom>\d+)"  # 1 1/2
    r"|(?P<numerator>\d+)\s?/\s?(?P<denominator>\d+)(?!\d|\.\d)"  # 3/4
    r"|(?P<dots>\d{1,3}(?:\.\d{3})+,\d{1,2}|\d{1,3}(?:\.\d{3}){2,})(?![\d,.])"  # 1.234,50 and 1.000.000
    r"|(?P<comma_decimal>0,\d+|\d+,\d{1,2})(?![\d,.])"  # 3,5 as in much of Europe
    rf"|(?P<decimal>{DIGITS}(?:\.\d+)?|\.\d+)\.?(?:(?:[eE]|\s?(?:x|\u00d7|\*)\s?10\s?\^\s?\{{?)(?P<exponent>[-+]?\d{{1,4}})\}}?)?"
    rf"){_MAGNITUDE}"
)

# A number in running text: a minus after a word, a bracket or a digit is a dash, and a space ends the number.
IN_TEXT = re.compile(
    rf"(?P<sign>(?:(?<![\w)\]])-\s?)?(?:[{CURRENCY}]\s?)?)(?<![A-Za-z\d.])"
    r"(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+|,\d{1,2}(?![\d,]))?(?:/\d+(?!\d|\.\d))?|\.\d+)"
    rf"{_MAGNITUDE}(?:\s?%)?"
)


def value(match: "re.Match[str]") -> Fraction | None:
    """The number that `NUMBER` matched; None for a zero denominator or too many digits."""
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
    number *= MAGNITUDES.get((match["magnitude"] or "").lower(), 1)
    return -number if negative else number


def parse(text: str) -> Fraction | None:
    """The number that a text consists of: `1,234`, `$5.00`, `-3/4`, `1 1/2`, `2.5e3`, `\\frac{1}{2}`, `50%` (fifty)."""
    if len(text) > LONGEST:
        return None
    if text.isdecimal() and text.isascii():
        return Fraction(int(text))
    text = clean(text).strip("$ ").rstrip(".")
    text = text.removesuffix("%").rstrip()
    match = NUMBER.fullmatch(text.rstrip(CURRENCY).removesuffix("deg").rstrip())
    return value(match) if match else None


def rounds_to(exact: Fraction, found: Fraction, written: str, *, percent: bool = False) -> bool:
    """Whether a number is a fraction with an infinite expansion, correctly rounded to `ROUNDED` or more decimals.

    Args:
        written: the text that gave `found`; a fraction in it is not a rounding.
        percent: whether that is a percentage of the whole, which `exact` is a share of.
    """
    decimals = _DECIMALS.search(text := clean(written)) if _endless(exact) else None
    if decimals is None or "/" in text:
        return False
    places, value = len(decimals[1]), found
    if percent:
        places, value = places + 2, found / 100
    return places >= ROUNDED and round(exact, places) == value


def _endless(number: Fraction) -> bool:
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest != 1
