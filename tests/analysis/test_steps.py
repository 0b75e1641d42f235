"""Steps of solutions, between tokens and beside each other."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tpt.analysis.alignment import align, edits, form, is_local_slip
from tpt.analysis.steps import UNITS, step_ends, steps
from tpt.prompt import Decoder

TEXT = "Zoe has 3.5 + 5 = 8.5 kites. She sells 2!\n\n  So  6.5 are left\n#### 6.5"


def test_steps_are_lines_and_sentences() -> None:
    assert steps(TEXT) == ["Zoe has 3.5 + 5 = 8.5 kites.", "She sells 2!", "So 6.5 are left", "#### 6.5"]
    assert steps(TEXT, "lines") == ["Zoe has 3.5 + 5 = 8.5 kites. She sells 2!", "So 6.5 are left", "#### 6.5"]


@pytest.fixture(scope="module")
def tokenizer(smollm2: Path) -> PreTrainedTokenizerBase:
    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(smollm2)
    return found


@pytest.mark.parametrize("unit", ["lines", "sentences"])
def test_a_real_vocabulary_is_cut_where_the_steps_end(tokenizer: PreTrainedTokenizerBase, unit: str) -> None:
    decode = Decoder(tokenizer)
    ids = [*tokenizer.encode(TEXT), tokenizer.eos_token_id]
    ends = step_ends(ids, decode, unit)
    parts = [decode(ids[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    assert [" ".join(part.split()) for part in parts] == steps(TEXT, unit)
    assert "".join(parts) == TEXT
    assert ends[-1] == len(ids), "the end token belongs to the last step"


@settings(max_examples=50, deadline=None)
@given(text=st.text("ab .\n3é😀", max_size=40))
@pytest.mark.parametrize("unit", UNITS)
def test_cuts_ascend_and_leave_no_token_out(tokenizer: PreTrainedTokenizerBase, text: str, unit: str) -> None:
    ids = [*tokenizer.encode(text), tokenizer.eos_token_id]
    ends = step_ends(ids, Decoder(tokenizer), unit)
    assert ends == sorted(set(ends))
    assert ends[0] > 0
    assert ends[-1] == len(ids)


RIGHT = ["Ann has 12 + 3 = 15 pens.", "She gives away 5: 15 - 5 = 10.", "#### 10"]


@pytest.mark.parametrize(
    ("wrong", "changed", "local"),
    [
        (["Ann has 12 + 3 = 16 pens.", "She gives away 5: 16 - 5 = 11.", "#### 11"], [0, 1, 2], True),
        (["Ann has 12 + 3 = 15 pens.", "She gives away 5: 15 - 5 = 9.", "#### 9"], [1, 2], True),
        (["Ann has 12 * 3 = 36 pens.", "She gives away 5: 36 - 5 = 31.", "#### 31"], [0, 1, 2], True),
        (["Ann has 12 + 3 = 15 pens.", "She gives away 5: 15 - 5 = 10.", "#### 15"], [2], True),
        (["Ann has 12 + 3 = 15 pens.", "#### 15"], [1, 2], False),  # a step is missing
        (["Ann has 12 + 3 = 16 pens.", "Her friend has 16 * 5 = 80.", "#### 80"], [0, 1, 2], False),  # does not follow
        (RIGHT, [], False),
    ],
)
def test_a_local_slip_is_one_changed_step_from_which_the_rest_follows(
    wrong: list[str], changed: list[int], local: bool
) -> None:
    aligned = align(wrong, RIGHT)
    assert [place for place, one in enumerate(aligned) if not one.same] == changed
    assert is_local_slip(aligned) is local


def test_steps_are_matched_by_their_form_across_others_that_are_left_out() -> None:
    aligned = align(["Ann has 12 + 3 = 16 pens.", "#### 16"], RIGHT)
    assert [(one.wrong, one.right) for one in aligned] == [
        ("Ann has 12 + 3 = 16 pens.", RIGHT[0]),
        ("", RIGHT[1]),
        ("#### 16", RIGHT[2]),
    ]
    assert aligned[0].edits == 1
    assert aligned[0].same_form


def test_edits_within_a_step_by_hand() -> None:
    assert edits("12 + 3 = 15", "12 * 3 = 36") == 2
    assert edits("a b c", "a c") == edits("a c", "a b c") == 1
    assert form("12.5 + 3 = 1,000") == "0 + 0 = 0"


STEPS = st.lists(st.sampled_from([*RIGHT, "x", "3", "So 4."]), max_size=6)


@given(STEPS, STEPS)
def test_an_alignment_holds_every_step_of_both_in_order(wrong: list[str], right: list[str]) -> None:
    aligned = align(wrong, right)
    assert [one.wrong for one in aligned if one.wrong] == wrong
    assert [one.right for one in aligned if one.right] == right
    assert all((one.edits == 0) == one.same for one in aligned)
