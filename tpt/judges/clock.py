"""Times of day and dates, which look like numbers but are not: `10:30`, `2:45 p.m.`, `July 4th`, `2024-05-06`.

A time without a.m. or p.m. is on the 24-hour clock, so `14:45` is `2:45 PM`, and `12:00 pm` is not certain to be
`12:00`. A date without a year agrees with that day in any year that the answer adds. `05/06/2024` can be two dates.
"""

import re
from dataclasses import dataclass

from tpt.judges.dress import clean

LONGEST = 200  # characters of a text that can be a moment with little around it

_TIME = re.compile(
    r"(?<![\d:.])(\d{1,2})\s?:\s?([0-5]\d)(?:\s?:\s?([0-5]\d))?(?![\d:])\s*(?:([ap])\.?\s?m\b\.?)?", re.I
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(?P<month{n}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?P<day{n}>\d{{1,2}})(?:st|nd|rd|th)?"
_YEAR = r"(?:\s*,?\s*(?P<year{n}>\d{{4}}))?"
_DATE = re.compile(
    "|".join(
        (
            r"\b" + (_MONTH + r"\s+(?:the\s+)?" + _DAY + r"(?!\d|:)" + _YEAR).format(n=1),
            (r"(?<![\d:/.-])" + _DAY + r"\s+(?:of\s+)?" + _MONTH + _YEAR).format(n=2),
            r"(?<![\d-])(?P<year3>\d{4})-(?P<month3>\d{2})-(?P<day3>\d{2})(?![\d-])",
        )
    ),
    re.I,
)
_AROUND = re.compile(
    r"(?:on|at|by|is|it|the|of|in|it's|about|exactly|\W|(?:mon|tues|wednes|thurs|fri|satur|sun)day)*", re.I
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time (`parts` are hour, minute, second) or a date (year or 0, month, day); `half` is "a", "p" or ""."""

    parts: tuple[int, int, int]
    half: str = ""
    date: bool = False

    def agrees(self, answer: "Moment") -> bool:
        """Whether an answer names this moment, which is the gold answer."""
        if self.date != answer.date:
            return False
        if self.date:
            return self.parts[1:] == answer.parts[1:] and self.parts[0] in (0, answer.parts[0])
        if self.half == answer.half:
            return self.parts == answer.parts
        if "p" in (self.half, answer.half) and "" in (self.half, answer.half):
            plain = self if not self.half else answer
            return plain.parts[0] >= 13 and self._of_24() == answer._of_24()
        return self._of_24() == answer._of_24()

    def _of_24(self) -> tuple[int, int, int]:
        hour, minute, second = self.parts
        return (hour % 12 + (12 if self.half == "p" else 0) if self.half else hour, minute, second)


def whole(text: str) -> Moment | None:
    """The moment that a text consists of, except for small words, weekdays and punctuation around it."""
    plain = clean(text) if len(text) <= LONGEST else ""
    match = _DATE.search(plain) or _TIME.search(plain)
    if match is None or not _AROUND.fullmatch(plain[: match.start()]) or not _AROUND.fullmatch(plain[match.end() :]):
        return None
    return _moment(match)


def last(text: str) -> tuple[Moment, int] | None:
    """The last moment that a text names, and where it begins in the cleaned text."""
    plain = clean(text)
    found = [*_DATE.finditer(plain), *_TIME.finditer(plain)]
    match = max(found, key=lambda one: one.start(), default=None)
    moment = _moment(match) if match else None
    return (moment, match.start()) if match and moment else None


def _moment(match: "re.Match[str]") -> Moment | None:
    groups = match.groupdict()
    if not groups:
        hour, minute, second = (int(part or 0) for part in match.groups()[:3])
        return Moment((hour, minute, second), (match[4] or "").lower()) if hour <= 24 else None
    form = next(n for n in "123" if groups[f"day{n}"])
    month, day, year = (groups[f"{part}{form}"] for part in ("month", "day", "year"))
    number = int(month) if month.isdecimal() else 1 + _MONTHS.index(month[:3].lower())
    return Moment((int(year or 0), number, int(day)), date=True) if number <= 12 and int(day) <= 31 else None
