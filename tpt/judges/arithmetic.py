"""The value of a piece of text, computed exactly: `18 - 2`, `18²`, `2 less than 20`, `half of 18`, `18 dozen`.

A number followed by more of an expression is not the answer, so the whole expression is read here: signs and the words
for them, magnitudes, percentages, units, quantities in two units. There are no floats, only the few rules below are
evaluated, and nothing grows large: a result of more than `BITS` bits counts as no number.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from tpt.judges import numbers, units, words
from tpt.judges.units import Unit

BITS = 8_192  # in a numerator or a denominator
DEPTH = 12  # of nested brackets
FACTORIAL = 500

_NUMBER = re.compile(
    rf"(?P<dots>\d{{1,3}}(?:\.\d{{3}})+,\d{{1,2}}|\d{{1,3}}(?:\.\d{{3}}){{2,}})(?![\d,.])"  # 1.234,50 and 1.000.000
    r"|(?P<comma_decimal>0,\d+|\d+,\d{1,2})(?![\d,.])"  # 3,5 as in much of Europe
    rf"|(?P<decimal>{numbers.DIGITS}(?:\.\d+)?|\.\d+)\.?(?:[eE](?P<exponent>[-+]?\d{{1,4}})(?![\w.]))?"
)
_MIXED = re.compile(r"(\d{1,20})(?:\s+|\s+and\s+)(\d{1,9})\s?/\s?(\d{1,9})(?![\d.])")
_AND_PART = re.compile(r"\s+and\s+(?=(?:an?|one|two|three)[\s-]+(?:half|third|quarter|fifth|eighth|tenth)|half)", re.I)
_WORD = re.compile(r"\s*([^\W\d_]+|[¢$€£¥₹])(\.(?=\s*(?:\d|$)))?")
_MAGNITUDE = re.compile(rf"\s{{0,3}}({'|'.join(numbers.MAGNITUDES)})s?(?![a-z])\.?(?!\w)", re.I)
_GLUED = {"K": 10**3, "k": 10**3, "M": 10**6, "B": 10**9}
_CURRENCY_BEFORE = re.compile(r"\s*(?:(?:US|CA|AU)?\$|[€£¥₹]|(?:Rs|USD|EUR|GBP|INR)\b\.?)\s*")
_SUM = re.compile(r"\s*([+-](?!\s*[+])|plus\b|minus\b)\s*", re.I)
_PRODUCT = re.compile(
    r"\s*(\*(?!\*)|/|[x×](?=\s*[\d(.$])|times(?=\s+[\d(.a-z])|multiplied\s+by\b|divided\s+by\b|mod(?:ulo)?(?=\s+\d)"
    r"|choose(?=\s+\d)|out\s+of\b|of\b)\s*(?:the\s+)?",
    re.I,
)
_POWER = re.compile(r"\s*(?:\^|\*\*)\s*")
_RAISED = re.compile(r"\s+(squared|cubed)\b", re.I)
_COMPARED = re.compile(r"\s+(more|greater|less|fewer)\s+than\s+", re.I)
_FOLD = re.compile(r"(twice|double|triple)\s+(?=[\d$€£]|(?:the\s+)?sum\b)", re.I)
_SUM_OF = re.compile(r"(?:the\s+)?(sum|product)\s+of\s+", re.I)
_POINT = re.compile(r"\s+point\s+(\d{1,9})(?!\w)", re.I)
_ROUND = re.compile(r"(floor|ceil)\s*\(", re.I)
_AND = re.compile(r"\s*(?:,?\s*and\s+|,\s*)?(?=[-\d$])")
_SLASH = re.compile(r"\s{0,3}/\s{0,3}(?=[A-Za-z]{2}|[hsmd]\b)")
_EXPONENT = re.compile(r"\s?\^\s?[({]?\s?(-?\d)\s?[)}]?(?!\d)")
_NEGATION = re.compile(r"'t\b")
_ORDINAL = re.compile(r"\s?(?:st|nd|rd|th|ish)(?![a-z])", re.I)
_BRACKETS = {"(": ")", "{": "}"}

# Words that could follow a number as the name of what is counted, but never do, because they mean something else.
_OTHER_WORDS = (
    "a an and or but nor to of in on at by for from with without per plus minus times more less fewer greater over "
    "under above below than then left remaining remain remains so since because as which that who if is are was "
    "were be been will would can could not it its this these those there each every apiece altogether total choose "
    "mod modulo remainder remainders point out up until till through between squared cubed pi sqrt root log ln sin "
    "cos tan exp factorial divided multiplied while when where after before during within the his her their my your "
    "our some half x i r does do did cannot fails too doubled halved tripled minimum maximum"
)
_NO_NOUN = frozenset(_OTHER_WORDS.split())
_NOUNS = 3


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit.

    Attributes:
        value: the number; 50 for `50%`.
        unit: the units of measure, see `tpt.judges.units`; () for none.
        nouns: other words that say what is counted.
        percent: whether it is a percentage.
        rounded: an approximation given next to the exact number: 3.33 in `10/3 ≈ 3.33`.
    """

    value: Fraction
    unit: Unit = ()
    nouns: frozenset[str] = frozenset()
    percent: bool = False
    rounded: Fraction | None = None


def whole(text: str) -> Quantity | None:
    """The quantity that a cleaned text consists of, from its first to its last character; None if it is not one."""
    found = prefix(text)
    return found[0] if found and not text[found[1] :].strip(" .") else None


def prefix(text: str) -> tuple[Quantity, int] | None:
    """The quantity that a cleaned text begins with, and where it ends: as much of an expression as can be computed."""
    read = text[: numbers.LONGEST]
    try:
        found = _Parser(read).expression(0, 0)
    except (ZeroDivisionError, _NoNumberError):
        return None
    return None if found and found[1] == len(read) < len(text) else found  # cut off in the middle


class _NoNumberError(Exception):
    """The text is not a number, or is one too large to be computed here."""


class _Parser:
    """A recursive-descent parser; each rule returns what it read and where that ends, or None if it does not apply."""

    def __init__(self, text: str) -> None:
        self.text = text

    def expression(self, at: int, depth: int) -> tuple[Quantity, int] | None:
        """Sums and differences, and `2 less than 20`."""
        left = self.product(at, depth)
        while left and (sign := _SUM.match(self.text, left[1])):
            right = self.product(sign.end(), depth)
            if right is None:
                break
            negative = sign[1].lower() in ("-", "minus")
            left = _joined(left[0], right[0], _difference if negative else _sum), right[1]
        if left and (compared := _COMPARED.match(self.text, left[1])):
            other = self.expression(compared.end(), depth + 1) if depth < DEPTH else None
            if other:
                less = compared[1].lower() in ("less", "fewer")
                return _joined(other[0], left[0], _difference if less else _sum), other[1]
        return left

    def product(self, at: int, depth: int) -> tuple[Quantity, int] | None:
        """Products, quotients, `half of 18`, `18 mod 5`, and adjacent brackets."""
        left = self.power(at, depth)
        while left:
            place = left[1]
            if operator := _PRODUCT.match(self.text, place):
                right = self.power(operator.end(), depth)
                name = " ".join(operator[1].lower().split())
            elif self.text[place : place + 1] == "(" and self.text[place - 1 : place].isalnum() | (
                self.text[place - 1 : place] == ")"
            ):
                right, name = self.power(place, depth), "*"
            else:
                return left
            if right is None or not (found := _PRODUCTS[name](left[0], right[0])):
                return left
            left = _small(found), right[1]
        return left

    def power(self, at: int, depth: int) -> tuple[Quantity, int] | None:
        """A sign, a power, a factorial, a percent sign."""
        at = self._behind_spaces(at)
        if self.text[at : at + 1] in ("-", "+"):
            rest = self.power(at + 1, depth + 1) if depth < DEPTH else None
            return (_negative(rest[0]), rest[1]) if rest and self.text[at] == "-" else rest
        base = self.atom(at, depth)
        if base is None:
            return None
        quantity, at = base
        if raised := _POWER.match(self.text, at):
            found = self.power(raised.end(), depth + 1) if depth < DEPTH else None
            # The unit after the exponent belongs to the whole power, as in `10^8 m/s`.
            return found and (replace(found[0], value=_power(quantity.value, found[0].value)), found[1])
        if named := _RAISED.match(self.text, at):
            return Quantity(_power(quantity.value, Fraction(2 if named[1].lower() == "squared" else 3))), named.end()
        return self.units(quantity, at, depth)

    def atom(self, at: int, depth: int) -> tuple[Quantity, int] | None:
        """A number in digits or words, or the contents of brackets."""
        money: dict[str, int] = {}
        if sign := _CURRENCY_BEFORE.match(self.text, at):
            if symbol := units.known(sign[0].strip(" .")[-3:].lstrip("SAU")):
                money = {symbol: 1}
            at = sign.end()
        minus = bool(money) and self.text[at : at + 1] == "-"
        found = self._bare(at + minus, depth, bool(money))
        if found is None:
            return None
        quantity = _negative(found[0]) if minus else found[0]
        return (replace(quantity, unit=units.make(money)) if money else quantity), found[1]

    def _bare(self, at: int, depth: int, money: bool) -> tuple[Quantity, int] | None:
        opening = self.text[at : at + 1]
        if opening in _BRACKETS:
            return self._bracketed(at + 1, _BRACKETS[opening], depth)
        if rounding := _ROUND.match(self.text, at):
            inner = self._bracketed(rounding.end(), ")", depth)
            by = math.floor if rounding[1].lower() == "floor" else math.ceil
            return inner and (Quantity(Fraction(by(inner[0].value))), inner[1])
        if fold := _FOLD.match(self.text, at) or _SUM_OF.match(self.text, at):
            return self._in_words(fold, depth)
        if mixed := _MIXED.match(self.text, at):
            number = int(mixed[1]) + Fraction(int(mixed[2]), int(mixed[3]))
            return Quantity(number), mixed.end()
        if match := _NUMBER.match(self.text, at):
            value = _number(match)
            end = match.end() - match[0].endswith(".")
            return value and self._magnified(*value, end, money)
        spelled = words.parse_prefix(self.text, at)
        return self._magnified(spelled[0], spelled[1], money) if spelled else None

    def _behind_spaces(self, at: int) -> int:
        while self.text[at : at + 1].isspace():
            at += 1
        return at

    def _bracketed(self, at: int, closing: str, depth: int) -> tuple[Quantity, int] | None:
        inner = self.expression(at, depth + 1) if depth < DEPTH else None
        if inner is None:
            return None
        end = self._behind_spaces(inner[1])
        return (inner[0], end + 1) if self.text[end : end + 1] == closing else None

    def _in_words(self, opening: "re.Match[str]", depth: int) -> tuple[Quantity, int] | None:
        """`twice 9`, `the sum of 9 and 9`."""
        first = self.power(opening.end(), depth + 1) if depth < DEPTH else None
        name = opening[1].lower()
        if first is None or name in ("twice", "double", "triple"):
            return first and (_scaled(first[0], Fraction(3 if name == "triple" else 2)), first[1])
        joined = _AND.match(self.text, first[1])
        second = self.power(joined.end(), depth + 1) if joined else None
        if second is None:
            return None
        combine = _sum if name == "sum" else _product
        return _joined(first[0], second[0], combine), second[1]

    def _magnified(self, value: Fraction, end: int, money: bool) -> tuple[Quantity, int]:
        """With `million`, `dozen`, `K` and the like, `and a half`, `point 5`."""
        if point := _POINT.match(self.text, end):
            value, end = value + Fraction(int(point[1]), 10 ** len(point[1])), point.end()
        if joint := _AND_PART.match(self.text, end):
            part = words.parse_prefix(self.text, joint.end())
            if part:
                value, end = value + part[0], part[1]
        if magnitude := _MAGNITUDE.match(self.text, end):
            return Quantity(value * numbers.MAGNITUDES[magnitude[1].lower()]), magnitude.end()
        letter = self.text[end : end + 1 + money].strip()
        after = self.text[end + 1 + money : end + 2 + money] if len(letter) == 1 else "?"
        if money and self.text[end : end + 1] in _GLUED:  # $12K
            letter, after, end = self.text[end], self.text[end + 1 : end + 2], end - 1
        if letter in _GLUED and not after.isalnum() and (money or letter in "Kk" or letter == "M"):
            return Quantity(value * _GLUED[letter]), end + 1 + money
        return Quantity(value), end

    def units(self, quantity: Quantity, at: int, depth: int) -> tuple[Quantity, int]:
        """The quantity with the percent sign, factorial, units and nouns that follow it."""
        if _ORDINAL.match(self.text, at):
            raise _NoNumberError
        behind = self.text[at : at + 8].lstrip(" ")[:2]
        if behind[:1] == "!" and behind != "!=":
            return Quantity(_factorial(quantity.value)), self.text.index("!", at) + 1
        if behind[:1] == "%":
            at = self.text.index("%", at) + 1
            quantity = replace(quantity, percent=True)
        unit, nouns, end = self._unit(at)
        if not unit and not nouns:
            return quantity, at
        if quantity.unit and not any(exponent > 0 for _, exponent in unit):
            unit = units.make(dict(quantity.unit) | dict(unit))  # $18 per day
        elif quantity.unit and unit != quantity.unit:
            return replace(quantity, nouns=nouns), end
        counted = replace(quantity, unit=unit, nouns=nouns)
        if joint := _AND_PART.match(self.text, end):  # 18 hours and a half
            part = words.parse_prefix(self.text, joint.end())
            return (replace(counted, value=counted.value + part[0]), part[1]) if part else (counted, end)
        return self._in_two_units(counted, end, depth) if unit and depth < DEPTH else (counted, end)

    def _in_two_units(self, first: Quantity, at: int, depth: int) -> tuple[Quantity, int]:
        """`2 hours (and) 30 minutes` in hours; only the first if the second is a separate quantity."""
        start = _AND.match(self.text, at)
        found = self._plain(start.end(), depth) if start else None
        if found is None:
            return first, at
        second, end = found
        size = units.part(first.unit, second.unit)
        if size is None:
            return first, at
        return replace(first, value=first.value + second.value * size), end

    def _plain(self, at: int, depth: int) -> tuple[Quantity, int] | None:
        found = self._bare(at, depth + 1, money=False)
        return found and self.units(found[0], found[1], depth + 1)

    def _unit(self, at: int) -> tuple[Unit, frozenset[str], int]:
        """Units and nouns after a number: `km/h`, `square meters`, `dollars per day`, `red apples`."""
        exponents: dict[str, int] = {}
        nouns: set[str] = set()
        power, sign, end = 1, 1, at
        place = self._over(at) or at
        sign = 1 if place == at else -1
        while word := _WORD.match(self.text, place):
            name, lower = word[1], word[1].lower()
            if lower in ("per", "a", "an") and sign == 1 and self._unit_follows(word.end(), any_noun=lower == "per"):
                sign, place = -1, word.end()
                continue
            if units.power(name) and self._unit_follows(word.end()):
                power, place = units.power(name), word.end()
                continue
            symbol = units.known(name)
            if speed := units.speed(name):
                exponents |= dict(speed)
                end = word.end()
            elif symbol and not (lower == "in" and self._in_is_a_word(word)):
                exponent, end = self._exponent(word.end()) or (power, word.end())
                exponents[symbol] = exponents.get(symbol, 0) + sign * exponent
                power = 1
            elif len(name) == 1 or lower in _NO_NOUN or len(nouns) == _NOUNS or _NEGATION.match(self.text, word.end()):
                break
            else:
                nouns.add(_stem(lower))
                end = word.end() - bool(word[2])
            place = self._over(end) or end
            sign = sign if place == end else -1
        return _degrees(units.make(exponents)), frozenset(nouns), end

    def _unit_follows(self, at: int, any_noun: bool = False) -> bool:
        word = _WORD.match(self.text, at)
        return word is not None and (any_noun or units.known(word[1]) is not None)

    def _in_is_a_word(self, word: "re.Match[str]") -> bool:
        """Whether `in` is the preposition and not inches, which end with a dot or at the end of the text."""
        return not word[2] and self.text[word.end() :].strip(" .)*") != "" and self.text[word.end()] != "^"

    def _exponent(self, at: int) -> tuple[int, int] | None:
        found = _EXPONENT.match(self.text, at)
        return (int(found[1]), found.end()) if found else None

    def _over(self, at: int) -> int | None:
        """The position after a slash that is followed by a unit: `km / h`."""
        found = _SLASH.match(self.text, at)
        return found.end() if found else None


def _degrees(unit: Unit) -> Unit:
    """`degrees Celsius` is one unit."""
    names = [symbol for symbol, _ in unit]
    return (("degC", 1),) if names == ["deg", "degC"] else (("degF", 1),) if names == ["deg", "degF"] else unit


def _stem(noun: str) -> str:
    return noun.removesuffix("s").removesuffix("e")


def _number(match: "re.Match[str]") -> tuple[Fraction] | None:
    if match["dots"]:
        return (Fraction(match["dots"].replace(".", "").replace(",", ".")),)
    if match["comma_decimal"]:
        return (Fraction(match["comma_decimal"].replace(",", ".")),)
    exponent = int(match["exponent"] or 0)
    if abs(exponent) > numbers.LONGEST:
        return None
    return (Fraction(re.sub(r"[,\s]", "", match["decimal"])) * Fraction(10) ** exponent,)


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _small(quantity: Quantity) -> Quantity:
    if _bits(quantity.value) > BITS:
        raise _NoNumberError
    return quantity


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        return _root(base, exponent)
    if abs(exponent) * _bits(base) > BITS and base not in (0, 1, -1):
        raise _NoNumberError
    if base in (0, 1, -1):
        exponent = exponent if base == 0 else Fraction(exponent.numerator % 2)
    return base ** min(int(exponent), BITS)


def _root(base: Fraction, exponent: Fraction) -> Fraction:
    """A power whose value is rational, such as `4^(1/2)`; any other is not computed here."""
    if exponent not in (Fraction(1, 2), Fraction(-1, 2)) or base <= 0:
        raise _NoNumberError
    root = Fraction(math.isqrt(base.numerator), math.isqrt(base.denominator))
    if root * root != base:
        raise _NoNumberError
    return root if exponent > 0 else 1 / root


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= FACTORIAL:
        raise _NoNumberError
    return Fraction(math.factorial(int(value)))


def _negative(quantity: Quantity) -> Quantity:
    return replace(quantity, value=-quantity.value)


def _scaled(quantity: Quantity, by: Fraction) -> Quantity:
    return replace(quantity, value=quantity.value * by)


def _sum(left: Fraction, right: Fraction) -> Fraction:
    return left + right


def _difference(left: Fraction, right: Fraction) -> Fraction:
    return left - right


def _product(left: Fraction, right: Fraction) -> Fraction:
    return left * right


def _joined(left: Quantity, right: Quantity, combine: Callable[[Fraction, Fraction], Fraction]) -> Quantity:
    unit = left.unit or right.unit
    if left.unit and right.unit and left.unit != right.unit:
        raise _NoNumberError  # apples and pears
    return _small(Quantity(combine(left.value, right.value), unit, left.nouns | right.nouns))


def _times(left: Quantity, right: Quantity) -> Quantity:
    exponents = dict(left.unit)
    for symbol, exponent in right.unit:
        exponents[symbol] = exponents.get(symbol, 0) + exponent
    shares = 100 ** (left.percent + right.percent)  # 90 * 10% is 9
    return Quantity(left.value * right.value / shares, units.make(exponents))


def _over(left: Quantity, right: Quantity) -> Quantity:
    exponents = dict(left.unit)
    for symbol, exponent in right.unit:
        exponents[symbol] = exponents.get(symbol, 0) - exponent
    return Quantity(left.value / right.value, units.make(exponents))


def _of(left: Quantity, right: Quantity) -> Quantity | None:
    """`half of 18`, `18% of 50`; `18 of 20` is nothing to compute."""
    if left.percent:
        return _scaled(right, left.value / 100)
    return _scaled(right, left.value) if left.value.denominator != 1 and not left.unit else None


def _modulo(left: Quantity, right: Quantity) -> Quantity:
    return Quantity(left.value % right.value)


def _choose(left: Quantity, right: Quantity) -> Quantity | None:
    n, k = left.value, right.value
    whole_numbers = n.denominator == k.denominator == 1 and k >= 0 and 0 <= n <= FACTORIAL
    return Quantity(Fraction(math.comb(int(n), int(k)))) if whole_numbers else None


_PRODUCTS: dict[str, Callable[[Quantity, Quantity], Quantity | None]] = {
    "*": _times, "x": _times, "×": _times, "times": _times, "multiplied by": _times,
    "/": _over, "divided by": _over, "out of": _over, "of": _of, "mod": _modulo, "modulo": _modulo, "choose": _choose,
}  # fmt: skip
