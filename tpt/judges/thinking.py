"""What a completion says after its thinking.

Reasoning models think in a separate block before they answer. Its contents (drafts, quotations of the required format,
`#### 5` in an example) are not part of the answer, so no reader may take an answer from it.
"""

import re

UNFINISHED = "unfinished_thinking"  # the rule in the verdict on a completion that never finishes thinking

_NAME = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|analysis|reflection|scratchpad|inner_monologue)"
_OPENING = (
    rf"<\s?{_NAME}\s?>|◁think▷|\[THINK\]|<\|(?:begin_of_thought|start_thinking|begin_think|think)\|>"
    r"|<\|channel\|>(?:analysis|commentary)\b"
)
_CLOSING = (
    rf"<\s?/\s?{_NAME}\s?>|◁/think▷|\[/THINK\]|<\|(?:end_of_thought|end_thinking|end_think|/think)\|>"
    r"|<\|channel\|>final\b[^<\n]{0,40}(?:<\|message\|>)?"
)
_TAG = re.compile(rf"(?P<closing>{_CLOSING})|(?:{_OPENING})", re.IGNORECASE)
_LEFT_OPEN = re.compile(rf"(?:{_OPENING})\s*\Z", re.IGNORECASE)
# Harmony's channels as they appear when the tokenizer has left its special tokens out of the text.
_BARE_ANALYSIS = re.compile(r"analysis(?=[A-Z0-9\"'(*$\\])")
_BARE_FINAL = "assistantfinal"

_ANSWER = re.compile(r"<\s?(/?)\s?(?:answer|final_answer|\|begin_of_solution\||\|end_of_solution\|)\s?>", re.IGNORECASE)


def is_tag(token: str) -> bool:
    """Whether a token is a tag that opens or closes thinking."""
    return _TAG.fullmatch(token) is not None


def left_open(prompt: str) -> str:
    """The opening tag that a prompt ends with, including the space after it; "" if it does not end with one.

    Some chat templates begin the model's thinking for it. A completion of such a prompt is read with the tag in front:
    without it, a completion that ends while thinking would look like an answer.
    """
    found = _LEFT_OPEN.search(prompt)
    return found[0] if found else ""


def closed_at(text: str) -> int | None:
    """Where the last tag that closes thinking begins; None if there is none."""
    places = [tag.start() for tag in _TAG.finditer(text) if tag["closing"]]
    return places[-1] if places else None


def final_part(text: str) -> str | None:
    """What follows the last tag that closes thinking; the whole text if it has no tags; None for unfinished thinking.

    A closing tag may come alone: some chat templates put the opening one into the prompt, see `left_open`.
    """
    tags = list(_TAG.finditer(text)) if any(sign in text for sign in "<[◁") else []
    if tags:
        return text[tags[-1].end() :] if tags[-1]["closing"] else None
    if _BARE_ANALYSIS.match(text):
        _, mark, final = text.rpartition(_BARE_FINAL)
        return final if mark else None
    return text


def in_answer_tags(text: str) -> str:
    """The contents of the last `<answer>`; the whole text if it has no such tag.

    They end with the closing tag or, e.g. if that is the stop string, with the text.
    """
    start, end = None, len(text)
    for tag in _ANSWER.finditer(text):
        if tag[1] or "end_of" in tag[0].lower():
            end = min(end, tag.start())
        else:
            start, end = tag.end(), len(text)
    return text if start is None else text[start:end]
