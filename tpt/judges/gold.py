"""What a gold answer is: a number, a quantity, a choice, a time or date, a ratio, a word, or an expression."""

import re
from dataclasses import dataclass
from functools import lru_cache

from tpt.judges import arithmetic, choice, clock, numbers
from tpt.judges import segment as segments
from tpt.judges.arithmetic import Quantity
from tpt.judges.clock import Moment
from tpt.judges.dress import clean
from tpt.judges.reader import ANSWER_IS, BOXED, last_boxed

_LIST = re.compile(r"[\s$]*-?\d+,\s?-?\d[\s$]*|.*[(\[{][^()]*\d,\s?-?\d{1,2}[^\d,].*")
_VARIABLE = re.compile(r"\d[a-zA-Z]$")  # in a gold answer, `4m` is four times m and `4 m` is a length
MODULUS = re.compile(r"\\pmod\s*(?:\{[^{}]*\}|\w+)|\(\s*mod\s[^()]*\)|\\mod(?![a-z])[^,]*$")
_RATIO = re.compile(r"(\d{1,9})((?:\s?(?::|\\colon|\bto\b)\s?\d{1,9})+)")
YES_NO = frozenset(("yes", "no", "true", "false"))


def gold_answer(gold: str) -> str:
    """The answer in a gold text: what follows its last `####`, its one box, its "answer is", or all of it."""
    _, mark, answer = gold.rpartition("####")
    if mark:
        return answer.strip()
    boxes = len(BOXED.findall(gold))
    if boxes == 1:
        answer = last_boxed(gold)[0] or gold
    elif not boxes and (stated := ANSWER_IS.findall(gold)):
        answer = re.split(r"[.!]\s", stated[-1])[0]
    return answer.strip()


def readable_gold(gold: str) -> bool:
    """Whether a gold text's answer is a number."""
    return is_number(gold_answer(gold))


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold answer and what it is; an expression or words if all other fields are empty."""

    text: str
    quantity: Quantity | None = None
    letter: str | None = None
    moment: Moment | None = None
    ratio: tuple[int, ...] = ()
    word: str = ""


@lru_cache(4096)
def read_gold(gold_text: str) -> Gold:
    """Read the answer in a gold text and determine what it is."""
    text = gold_answer(gold_text)
    if text.isdecimal():
        return Gold(text, quantity=_gold_quantity(text))
    if moment := clock.whole(text):
        return Gold(text, moment=moment)
    if letter := choice.gold_letter(text):
        return Gold(text, letter=letter)
    if parts := read_ratio(text):
        return Gold(text, ratio=parts)
    if quantity := _gold_quantity(text):
        return Gold(text, quantity=quantity)
    word = wording(text)
    plain = word.replace(" ", "").replace("-", "")
    is_word = (
        (len(plain) > 2 or word.casefold() in YES_NO)
        and plain.isalpha()
        and bool(re.search("[aeiouy]", plain, re.I))
        and "\\" not in word
    )
    return Gold(text, word=word.casefold() if is_word else "")


@lru_cache(4096)
def is_number(gold: str) -> bool:
    """Whether a gold answer is just a number: neither `18 dollars` nor `2^4`."""
    return not _LIST.fullmatch(gold) and numbers.parse(gold) is not None


def _gold_quantity(gold: str) -> Quantity | None:
    """The quantity that a gold answer is; `1,2` is a list in a gold answer, though a model may mean 1.2 by it."""
    if gold.isdecimal():
        return segments.read(gold)
    text = MODULUS.sub("", gold).strip()
    if _LIST.fullmatch(text) or _VARIABLE.search(text.strip("$ ")):
        return None
    bare = segments.bare(text)
    named = re.fullmatch(r"[a-zA-Z]\s*=\s*([^=]+)", bare)
    return arithmetic.whole(named[1].strip() if named else bare)


def read_ratio(text: str) -> tuple[int, ...]:
    """The numbers of a ratio, `3:4` or `3 to 4`, not reduced: 6:8 may be a different answer."""
    match = _RATIO.fullmatch(clean(text).strip(" $."))
    return tuple(int(part) for part in re.findall(r"\d+", match[0])) if match else ()


def wording(text: str) -> str:
    """The words of a marked piece of text, without label and formatting."""
    return segments.bare(text).rstrip("!")
