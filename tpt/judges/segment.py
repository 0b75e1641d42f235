"""The quantity that a marked piece of text names: `$18 per day`, `9 * 2 = 18`, `After 3 weeks: **18** eggs`.

None if it does not clearly name a number: an expression (`4\\pi`, `2x`), several answers (`5 or 6`), a time (`10:30`),
a bound (`less than 18`), a denial (`not 18`).
"""

import re
from dataclasses import replace
from fractions import Fraction

from tpt.judges import arithmetic, numbers, words
from tpt.judges.arithmetic import Quantity
from tpt.judges.dress import clean

SHORT = 400  # most characters of a piece that are read
NUMBERS = 12  # the last ones in a sentence that are looked at

_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">", '"': '"', "'": "'", "“": "”", "«": "»", "$": "$", "*": "*", "_": "_"}
_FRONT = re.compile(r"^[\s*_:\"',;.~≈`#]+(?![\d])|^[\s*_:\"',;~≈`#]+|^(?:[-=]>|→|⇒)\s*")
_BACK = re.compile(r"[^\w)\]}%$€£¥₹¢!+\-=<>/^|\\√°]+$")
_LABEL = re.compile(
    r"^\W*(?:(?:the|my|so|final|correct)\s+){0,3}(?:answer|total|result)s?\b\s*"
    r"(?:(?:is|are)\b|:|=|[-\u2013\u2014]{1,2}(?=\s|\d)|(?!\s*[a-z]))\s*",
    re.I,
)
_LEAD = re.compile(
    r"^(?:(?:is|it is|it's|approximately|approx\.?|about|around|roughly|exactly|precisely|only|just|simply|definitely"
    r"|therefore|thus|so|given by|an?\s+total\s+of|(?:the\s+)?total\s+of|equal to|equals|also|the number|the value"
    r"|positive|≈|~)[\s:,]\s*)+",
    re.I,
)
_MONEY = re.compile(r"(?<!\w)\$(?=\s?-?\d)")
_LIST = re.compile(r"[\[({\]]\s*-?[\d.]+\s*[,;].*[\])}\[]|[\[\](]\s*-?[\d.]+\s*[,;]\s*-?[\d.]+\W*")
_ARROW = re.compile(r"\s*(?:=>|->|→|⇒)\s*[A-Za-z]{2}")
_ITALIC = re.compile(r"[*_](?=\s+[A-Za-z]{2}|[.,;:!?]|$)")
_MINUS = re.compile(r"^(?:minus|negative)\s+(?=[$€£]?[\da-z])", re.I)
_OPTION = re.compile(r"^\(?[A-J]\)\s*(?=\S)")  # `(D) 5`
_BOLD = re.compile(r"\*\*([^*\n]{0,80}\d[^*\n]{0,80})\*\*")
_SENTENCE = re.compile(r"(?<=[^\W\d][.!?])\s+(?=[A-Z(*$])|(?<=\d[.!?])\s+(?=[A-Z(*$])|[。！]")
_EQUALS = re.compile(r"(?<![<>!=])[=≈](?![>=])")
_OTHER_RELATION = re.compile(r"[<>≤≥≠∈∨∧∪]|!=|==")
_COEFFICIENT = re.compile(r"[-+*/^\d\s.()]*\d[-+*/^\d\s.()]*[a-zA-Z][-+*/^\d\s.()]*")
_NAME = re.compile(r"[A-Za-z]")
_VARIABLE = re.compile(r"[^\d=]{0,40}")
_AFTER_COLON = re.compile(r"[A-Za-z)]\s?:\s*(?=[-$€£]?\s?\d)")
_WORD = re.compile(r"[A-Za-z]{2}")

_NUMBER = r"[-$€£¥₹]?\s?(?:\d|(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b)"
# Directly after a number: what makes it a different number, or a part of something.
_CONTINUED = re.compile(
    r"\s*(?:\d|[+±*^=<>≤≥≠|\\√πΠ·_∞²³%]|[或至到~]\s?\d|/(?!\s*[A-Za-z]{2})|-\s*(?:\d|[a-z]\b)|[:;]+\s*[-$€£]?\d|[\d(\[{]\d*x"
    r"|(?:pi|sqrt|root|log|ln|sin|cos|tan|exp|mod|modulo|choose|point|plus|minus|divided|multiplied|squared|cubed"
    r"|remainders?|factorial|e\d*|over(?=\s+\d))(?![a-z])|→\s*\d"
    r"|times\s+(?:as|the)\b|(?:doubled|halved|tripled|minimum|maximum|at\s+least|at\s+most)\b|per\s+\d"
    r"|(?:of|out\s+of)\s+(?:the\s+)?\d|to\s+[-$]?\d|[-–]?\s?(?:st|nd|rd|th|ish|something|odd)\b"
    r"|or\s+(?:more|less|fewer|so|higher|above|over|greater|lower|below|under|most|fewer)\b)",
    re.I,
)
_LETTER = re.compile(r"\s*\(?[A-Za-zΑ-ω](?![\w'])(?!\s+[A-Za-z]{2,})")  # a variable: `18 n`; but `18 a day`
_GLUED = re.compile(r"[A-Za-zΑ-ω]|[\u0300-\u036f]")
# Later in the same sentence: another quantity besides it.
_ANOTHER = re.compile(
    rf"(?:(?:,|;|&|\b(?:and|or|ou|oder|o|или)\b)\s*(?:[A-Za-z']+\s+){{0,2}}?|(?:\bto\b|\bplus\b|\s[-+*/])\s*)"
    rf"(?={_NUMBER})",
    re.I,
)
_BESIDE = re.compile(r"[^.;\n]{0,40}?\b(?:each|per|apiece|an?|every|left|remaining|over)\b", re.I)
_OR_MORE = re.compile(r"\bor\s+(?:more|less|fewer|so|higher|above|over|greater|lower|below|under)\b", re.I)
# "18 is wrong" denies it, and so does "18 does not work", but "18 boys do not sing" answers how many.
_REFUTED = re.compile(
    r"\s*(?:(?:is|are|was|were|would\s+be|must\s+be|seems?)\s+(?:\w+ly\s+|therefore\s+|also\s+|far\s+)?"
    r"(?:not\s+(?:the\s+)?(?:\w+\s+)?(?:answer|right|correct|true|possible|valid)|wrong|incorrect|false|impossible"
    r"|invalid))\b",
    re.I,
)
_BARE_REFUTED = re.compile(
    r"\s*(?:(?:is|are|was|were|does|do|did|can|could|would)(?:\s+(?:not|(?:\w+\s+)?too)\b|n?'t\b)|cannot\b|fails\b"
    r"|too\s+(?:many|much|few|little|small|large|big|high|low|long|short)\b)",
    re.I,
)
_OF = re.compile(r"\s(?:out\s+)?of\s+(?:the\s+|these\s+|those\s+)?\d", re.I)
# "18 more than Bob" may be the answer; "18 more than 20" or "18 more than x" is a different number.
_THAN = re.compile(
    r"\b(?:more|less|fewer|greater|larger|smaller|higher|lower|older|younger)\s+than\b"
    r"(?=.*\d|\s+[a-z]\b(?!')|\s+(?:half|twice)\b|\s+(?:it|that|this)\W*$)",
    re.I,
)
_CLAUSE_END = re.compile(
    r"[.;!?](?:\s|$)|\b(?:since|because|which|where|when|while|if|given|but|not|rather|instead)\b|[(\n—]"
)
_REMARK = re.compile(r"\s*[\[(]([^()\[\]]{0,200})[)\]]")
_CLAUSE = re.compile(
    r"\s*(?:[,;:—]|--|\s-\s)?\s*\b(?:since|because|as|for|so|which|where|when|while|if|due|given|by|after|from|but|not)\b"
    r"|\s*[.;!?](?:\s|$)",
    re.I,
)
_REFUSED_REMARK = re.compile(r"\s*(?:or|and|mod|modulo|to|plus|minus|±|[+*/^])\b", re.I)

# Directly before a number: denials, bounds, factors, guesses.
_BEFORE = re.compile(
    r"(?:\b(?:not|never|neither|before|after|until|nor|cannot|than|nearly|almost|(?<!rounds\s)(?<!rounded\s)(?<!round\s)up\s+to|at\s+least|at\s+most|over|under|above|below"
    r"|between|within|beyond|exceeds?|exceeding|minimum\s+of|maximum\s+of|as\s+(?:many|much|few|little)\s+as"
    r"|no\s+more|unlike|instead\s+of|rather\s+than|anything\s+but|close\s+to|near|twice|thrice|double|triple|half"
    r"|maybe|perhaps|possibly|might\s+be|could\s+be|log|ln|sqrt|sin|cos|tan|exp|squared?"
    r"|(?:half|third|quarter|fifth|percent|squared?|cubed?|root|factor|multiple|divisor|reciprocal)\s+of"
    # the number of a step, not a quantity
    r"|(?:problem|question|exercise|step|equation|eq\.|figure|section|part|case|note|theorem|lemma|example)\s*\#?(?!\s*:)"
    r"|(?:wrong|incorrect)\s+answer(?:\s+is)?|answer\s+(?:issue|key|sheet)(?:\s+\w+)?"
    # other languages' denials and bounds
    r"|pas|nicht|kein|não|не|no\s+es|non\s+è|(?:moins|plus|menos|más|mais)\s+de|(?:meno|più)\s+di|(?:mehr|weniger)\s+als"
    r"|mindestens|höchstens|au\s+(?:moins|plus)|al\s+menos|como\s+máximo|almeno|менее|более|меньше|больше)"
    r"|不是|并非|不到|少于|多于|小于|大于|至少|至多|最多|超过"
    r"|n't(?:\s+\w+)?|n’t|%\s+of|\d\s*(?:to|or|ou|oder|o|или|或|至|到|bis)|(?:between|entre|zwischen|между)\s+\S{1,20}\s+(?:and|et|y|e|und|и)"
    r"|[<>≤≥≠±√|^_\\×*/!]|[A-Za-z]\(|(?:(?<![A-Za-z])[A-Za-z]|[)\]}])\s*[-+])"
    r"(?:\s+(?:be|est|ist|é|a|an|the|about|exactly|simply|just|equal\s+to|actually|really))?[\s\"'(\[{*$€£~:]*$",
    re.I,
)
_VARIABLE_BEFORE = re.compile(r"(?<![A-Za-z'])[A-Za-z]\s*$")
_FACTOR = re.compile(r"\b(?:twice|double|triple|half of)\s+$", re.I)
_BUT_NOT = re.compile(
    r"(?:,\s+(?:and\s+|but\s+)?not|(?<=\w)\s+(?:rather\s+than|instead\s+of))\s+[^,.;]{1,30}[.!]?$", re.I
)
_ADJUNCT = re.compile(r"\b(?:every|per|each)\s+$", re.I)
_CONCLUSION = re.compile(
    r"\b(?:so|which\s+(?:is|makes|gives|equals|comes\s+to|leaves)|that\s+is|that's|i\.e\.|thus|hence|therefore|making"
    r"|giving|leaving|totall?ing|equals?|it\s+is|it's|is|are|be|gives)\b[,:]?\s+",
    re.I,
)


def bare(segment: str) -> str:
    """A marked piece of text without its label ("Answer:"), formatting and brackets; "" if nothing is left."""
    if segment.isdecimal():
        return segment
    text = clean(segment)
    for _ in range(6):
        before = text
        text = _BACK.sub("", _FRONT.sub("", text.strip()))
        text = _LABEL.sub("", text)
        if _in_a_pair(text) and not _LIST.fullmatch(text):
            text = text[1:-1]
        if text == before:
            break
    if text.count("$") % 2 == 0 and text.count("$") != len(_MONEY.findall(text)):
        text = text.replace("$", "")  # mathematics
    return _MINUS.sub("-", text.strip())


def _in_a_pair(text: str) -> bool:
    """Whether brackets or quotes enclose the whole text."""
    inner = text[1:-1]
    return len(text) > 1 and _PAIRS.get(text[0]) == text[-1] and text[0] not in inner and text[-1] not in inner


def plain_number(segment: str) -> Fraction | None:
    """The number that a piece of text names, without its unit."""
    quantity = read(segment)
    return quantity.value if quantity else None


def read(segment: str) -> Quantity | None:
    """The quantity that a marked piece of text names: as a whole, at its start, or after an equals sign or words."""
    if segment.isdecimal() and segment.isascii() and len(segment) <= numbers.LONGEST:
        return Quantity(Fraction(int(segment)))
    text = _OPTION.sub("", bare(_bold(segment[: 2 * SHORT])))
    if len(text) > SHORT and not numbers.NUMBER.match(text):
        text = text[:SHORT]
    return _text(text)


def read_sentence(sentence: str) -> Quantity | None:
    """The last quantity in a sentence of running text, unless it is denied, a bound or part of a rate."""
    text = bare(sentence)
    if _EQUALS.search(text) and not _OTHER_RELATION.search(text):
        return _equation(text, running=True)
    return _last(text)


def denied(before: str) -> bool:
    """Whether what comes before a number denies it, bounds it or multiplies it."""
    return _BEFORE.search(before[-60:]) is not None


def _bold(segment: str) -> str:
    """The bold part of a sentence with one bold number: "She makes **$18** in 9 days"."""
    found = list(_BOLD.finditer(segment))
    if len(found) != 1 or not _WORD.match(segment.lstrip(" #")):
        return segment
    bold = found[0]
    apart = denied(segment[: bold.start()]) or not harmless(segment[bold.end() :])
    return segment if apart else bold[1]


def _text(text: str) -> Quantity | None:
    whole = arithmetic.whole(text)
    if whole or _LIST.fullmatch(text):
        return whole
    lead = _LEAD.sub("", text)
    head = arithmetic.prefix(lead)
    if head and _CLAUSE.match(lead, head[1]):
        return head[0] if harmless(lead[head[1] :], head[0]) else _concluded(lead)
    return _sentences(text) if _SENTENCE.search(text.rstrip()) else _sentence(text, lead)


def _sentences(text: str) -> Quantity | None:
    """The first of several sentences that contains a number."""
    parts = _SENTENCE.split(text)
    counted = [bare(one) for one in parts if any(c.isdigit() for c in one) or words.IN_TEXT.search(one)]
    return _text(counted[0]) if counted and counted[0] != text else None


def _sentence(text: str, lead: str) -> Quantity | None:
    if _EQUALS.search(text):
        return None if _OTHER_RELATION.search(text) else _equation(text, running=False)
    return _phrase(lead)


def _equation(text: str, running: bool) -> Quantity | None:
    """The right side of an equation, or the left one if the right is a name; None if two numbers contradict."""
    parts = re.split(r"[,;]\s*(?=[A-Za-z])|[,;]\s|\b(?:and|or)\b", text)
    named = [part for part in parts if re.match(r"\W*[A-Za-z]\w{0,3}\s*=", part)]
    if len(named) > 1:  # x = 18, y = 7
        values = {quantity.value if (quantity := _equation(part, running)) else None for part in named}
        return _equation(named[0], running) if len(values) == 1 else None
    exact, sign, rounded = text.rpartition("≈")
    if sign and (found := _text(exact)):
        near = arithmetic.prefix(bare(rounded))
        return replace(found, rounded=near[0].value if near and _agree(found, near[0]) else None)
    return _exact_equation(text, running)


def _exact_equation(text: str, running: bool) -> Quantity | None:
    *others, right = [bare(side) for side in _EQUALS.split(text)]
    if not others[-1] and len(others) == 1:
        return _last(right) if running else _phrase(right)
    computed = _ending(others[-1])
    if computed and (certain := _computed(computed, right)):
        return certain
    found = _last(right) if running else _phrase(_LEAD.sub("", right))
    if found is None:
        return _left_side(others, right, running)
    left = arithmetic.whole(others[-1]) if len(others) == 1 and not running else None
    contradicted = left is not None and not _agree(left, found)
    return None if contradicted or (left is None and _COEFFICIENT.fullmatch(others[-1])) else found


def _ending(text: str) -> Quantity | None:
    """The expression that a text ends with: `150 - 30` in "So they add 150 - 30"."""
    for match in list(numbers.IN_TEXT.finditer(text[-SHORT:]))[-NUMBERS:]:
        if found := arithmetic.whole(text[-SHORT:][match.start() :]):
            return None if denied(text[-SHORT:][: match.start()]) else found
    return None


def _computed(left: Quantity, right: str) -> Quantity | None:
    """The right side's number if it equals the left side, whatever words follow it: 3 more than Tory.

    `96 / 12 = 8 dozen` may mean 8 or 96.
    """
    found = arithmetic.prefix(right)
    if found is None or "round" in right or re.match(r"\s*(?:[-+*/^=<>(\\√π]|or\b|\d|[a-zA-Z]\b)", right[found[1] :]):
        return None
    if found[0].value == left.value:
        return found[0]
    plain = numbers.NUMBER.match(right)
    same = plain is not None and numbers.parse(re.match(r"[-$\d.,]*", right)[0].rstrip(".,")) == left.value  # type: ignore[index]
    return replace(found[0], rounded=left.value) if same else None


def _left_side(others: list[str], right: str, running: bool) -> Quantity | None:
    """What `18 = x`, "or 160 = Y" and `50 apples = 40 + 10` (of what cannot be computed) name."""
    if running:
        return _last(others[-1]) if _NAME.fullmatch(right) else None
    first = arithmetic.prefix(others[0])
    if first is None or len(others) > 1 or not harmless(others[0][first[1] :], first[0]):
        return None
    named = _VARIABLE.fullmatch(right) and not words.parse_prefix(right)
    return first[0] if named or arithmetic.prefix(right) else None


def _agree(left: Quantity, right: Quantity) -> bool:
    """Whether both sides of an equals sign are equal; the right one may be rounded to the decimals it has."""
    sides = {left.value, left.value * 100} if right.percent and not left.percent else {left.value}
    places = next((place for place in range(7) if (right.value * 10**place).denominator == 1), 6)
    return any(
        side == right.value or (side.denominator != 1 and abs(side - right.value) < Fraction(1, 10**places))
        for side in sides
    )


def _phrase(text: str) -> Quantity | None:
    """The quantity at the start of a phrase, else the one in its conclusion, else its last one."""
    head = arithmetic.prefix(text)
    if head:
        return head[0] if harmless(text[head[1] :], head[0]) else _concluded(text)
    if "\\" in text or _OTHER_RELATION.match(text):
        return None
    return _behind_words(text)


def _concluded(text: str) -> Quantity | None:
    """What follows the last "so", "which is", ... that comes before a number."""
    for conclusion in reversed(list(_CONCLUSION.finditer(text))):
        rest = _LEAD.sub("", text[conclusion.end() :])
        found = arithmetic.prefix(rest)
        if found and harmless(rest[found[1] :], found[0]):
            return found[0]
    return None


def _behind_words(text: str) -> Quantity | None:
    """The number after a colon ("Total after 3 weeks: 20"), else the last one ("After 3 weeks he has $20")."""
    colons = list(_AFTER_COLON.finditer(text))
    if len(colons) > 1:
        return None
    if colons and not denied(text[: colons[0].start() + 1]):
        rest = text[colons[0].end() :]
        found = arithmetic.prefix(rest)
        return found[0] if found and harmless(rest[found[1] :], found[0]) else None
    return _last(text)


def _last(text: str) -> Quantity | None:
    """The last quantity of a text, if nothing before or after it changes its meaning."""
    found: list[tuple[int, Quantity, int]] = []
    place = 0
    text = _BUT_NOT.sub("", text[-SHORT:])
    pattern = numbers.IN_TEXT if numbers.IN_TEXT.search(text) else words.IN_TEXT
    starts = [match for match in pattern.finditer(text) if pattern is numbers.IN_TEXT or match[0].lower() != "one"]
    for match in starts[-NUMBERS:]:
        if match.start() < place:
            continue  # part of the preceding expression
        factor = _FACTOR.search(text[: match.start()])
        start = factor.start() if factor else match.start()
        one = arithmetic.prefix(text[start:])
        place = start + one[1] if one else match.end()
        found.append((start, one[0], place) if one else (start, Quantity(Fraction(0)), -1))
    if len(found) > 1 and _ADJUNCT.search(text[: found[-1][0]]):
        found.pop()
    if not found:
        return None
    start, quantity, end = found[-1]
    subtracted = text[start] == "-" and _VARIABLE_BEFORE.search(text[:start])  # x - 6
    if end < 0 or subtracted or denied(text[:start]) or not harmless(text[end:], quantity):
        return None
    return quantity


def harmless(rest: str, quantity: Quantity | None = None) -> bool:
    """Whether what follows a quantity leaves it unchanged: nothing, words or a remark, but no more of an expression.

    Args:
        quantity: the quantity, which may be repeated: `1/2 (or 0.5)`.
    """
    rest = _ITALIC.sub("", rest[:SHORT].lstrip("\"'$”»`"), count=1)
    if _ARROW.match(rest) or not rest.strip(" .") or rest[0] == "\n":
        return True
    counted = quantity is not None and (quantity.unit or quantity.nouns)  # no variable can follow a unit
    glued = _GLUED.match(rest) and not _WORD.match(rest)
    if glued or _CONTINUED.match(rest) or (_LETTER.match(rest) and not counted):
        return not glued and _again(rest, quantity)
    if remark := _REMARK.match(rest):
        refused = _REFUSED_REMARK.match(remark[1]) and not _again(remark[1], quantity)
        return not refused and harmless(rest[remark.end() :], quantity)
    if _REFUTED.match(rest) or (_BARE_REFUTED.match(rest) and not counted):
        return False
    clause = _CLAUSE_END.split(rest, maxsplit=1)[0]
    if _OR_MORE.search(clause) or _THAN.search(clause) or _OF.match(" " + clause):
        return False
    return all(
        _BESIDE.match(clause, another.end()) or _again(clause[another.start() :], quantity)
        for another in _ANOTHER.finditer(clause)
    )


def _again(text: str, quantity: Quantity | None) -> bool:
    """Whether another quantity that follows is the same one again."""
    if quantity is None:
        return False
    start = re.match(r"[^\w+$.-]*(?:or|i\.e\.|that is|about|approximately|simply)?[^\w+$.-]*(?=[\d$.-])", text)
    found = arithmetic.prefix(text[start.end() :]) if start else None
    if found is None:
        return False
    share = found[0].value / 100 if found[0].percent and not quantity.percent else found[0].value
    return share == quantity.value
