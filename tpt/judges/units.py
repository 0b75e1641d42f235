"""Units of measure, so that 12 cm is not 12 inches and 18 hours and 30 minutes is not 18.

Units are distinguished, not converted: if the question asks for hours, an answer in minutes is not accepted. Only a
single quantity in two units (`2 hours 30 minutes`) is added up, in its first unit.
"""

from fractions import Fraction

Unit = tuple[tuple[str, int], ...]  # symbols with their exponents, in order: km/h is (("h", -1), ("km", 1))

_PREFIXES = {"kilo": "k", "centi": "c", "milli": "m", "mega": "M", "giga": "G", "nano": "n", "micro": "µ", "deci": "d"}
_METRIC = {
    "m": "meter metre", "g": "gram gramme", "L": "liter litre", "eV": "electronvolt", "V": "volt", "W": "watt",
    "J": "joule", "Hz": "hertz", "Pa": "pascal", "N": "newton", "A": "ampere amp", "mol": "mole", "F": "farad",
    "C": "coulomb", "Ω": "ohm", "B": "byte", "s": "second sec",
}  # fmt: skip
_OTHERS = {
    "min": "minute min", "h": "hour hr h", "day": "day", "week": "week wk", "month": "month", "year": "year yr",
    "in": "in inch inches", "ft": "foot feet ft", "yd": "yard yd", "mi": "mile mi",
    "pound": "pound lb £ gbp quid", "oz": "ounce oz", "ton": "ton tonne",
    "gal": "gallon gal", "qt": "quart qt", "pt": "pint pt", "cup": "cup", "L": "l", "mL": "ml", "cL": "cl", "dL": "dl",
    "$": "dollar $ usd us$ buck", "¢": "cent ¢ penny pennies", "€": "euro € eur", "¥": "yen ¥ jpy",
    "₹": "rupee ₹ rs inr", "元": "yuan 元 rmb cny 人民币", "ruble": "ruble rouble руб рублей рубля", "美元": "美元",
    "deg": "deg degree", "degC": "degC celsius", "degF": "degF fahrenheit", "K": "K kelvin", "rad": "radian rad",
}  # fmt: skip
_SPEEDS = {"mph": (("h", -1), ("mi", 1)), "kmh": (("h", -1), ("km", 1)), "kph": (("h", -1), ("km", 1))}
_POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
_PARTS = {  # units that are used together, in terms of the smallest
    "week": ("time", 604_800), "day": ("time", 86_400), "h": ("time", 3_600), "min": ("time", 60), "s": ("time", 1),
    "year": ("months", 12), "month": ("months", 1),
    "mi": ("feet", 63_360), "yd": ("feet", 36), "ft": ("feet", 12), "in": ("feet", 1),
    "km": ("meters", 10**6), "m": ("meters", 1000), "cm": ("meters", 10), "mm": ("meters", 1),
    "kg": ("grams", 10**6), "g": ("grams", 1000), "mg": ("grams", 1), "pound": ("pounds", 16), "oz": ("pounds", 1),
    "$": ("money", 100), "€": ("money", 100), "¢": ("money", 1), "L": ("liters", 1000), "mL": ("liters", 1),
    "gal": ("cups", 16), "qt": ("cups", 4), "pt": ("cups", 2), "cup": ("cups", 1),
}  # fmt: skip


def _names() -> dict[str, str]:
    names: dict[str, str] = {}
    for symbol, words in _METRIC.items():
        for prefix, short in {"": "", **_PREFIXES}.items():
            names |= {short + symbol: short + symbol}
            names |= {f"{prefix}{word}{s}": short + symbol for word in words.split() for s in ("", "s")}
    for symbol, others in _OTHERS.items():
        names |= {f"{word}{s}": symbol for word in others.split() for s in ("", "s") if len(word) > 1 or not s}
    return names


_NAMES = _names()


def known(word: str) -> str | None:
    """The symbol of a unit that a word names: `kilometers` is `km`; the case of short ones counts (`mm`, `Mm`)."""
    return _NAMES.get(word) or (_NAMES.get(word.lower()) if len(word) > 1 else None)


def speed(word: str) -> Unit | None:
    """The unit of `mph` and the like."""
    return _SPEEDS.get(word.lower())


def power(word: str) -> int:
    """2 for `square`, 3 for `cubic`, else 0."""
    return _POWERS.get(word.lower(), 0)


def make(exponents: dict[str, int]) -> Unit:
    """The unit of symbols with exponents."""
    return tuple(sorted((symbol, exponent) for symbol, exponent in exponents.items() if exponent))


def part(of: Unit, smaller: Unit) -> Fraction | None:
    """One `smaller` in units `of`, if people use both together (an inch is 1/12 foot); else None."""
    if len(of) != 1 or len(smaller) != 1 or of[0][1] != 1 or smaller[0][1] != 1:
        return None
    large, small = _PARTS.get(of[0][0]), _PARTS.get(smaller[0][0])
    if large is None or small is None or large[0] != small[0] or small[1] >= large[1]:
        return None
    return Fraction(small[1], large[1])
