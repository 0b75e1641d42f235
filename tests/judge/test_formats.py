"""The formats in which models really give answers: each line a statement about the lenient reader."""

import time

import pytest

from tpt.judges.answer import Judgement, judge_answer, judge_texts
from tpt.judges.gold import gold_answer
from tpt.judges.symbolic import is_formula
from tpt.records import Status

# gold answer, completions that give it, completions that do not
NUMBERS: list[tuple[str, list[str], list[str]]] = [
    (
        "18",
        [
            "#### Total: $18 per day",
            "#### Janet makes **$18** every day for 5 days",
            "#### **Answer:** 18",
            "#### [Answer: 18]",
            "#### [Answer]\n18",
            "#### Final Answer:\nJanet makes $18 a day.",
            "#### <18>",
            '#### "18"',
            "#### `18`",
            "#### __18__",
            "#### 9 * 2 = <<9*2=18>>18",
            "#### 18 (= 2 * 9)",
            "#### 18 eggs = 2 * 9",
            "#### 18 = 9*2",
            "#### => 18",
            "#### 18 => done",
            "#### \u2248 18",
            "#### 18!",
            "#### 18</s>",
            "#### 18<end_of_turn>",
            "#### 18<|eot_id|>",
            "#### \u200b18",
            "#### Rs. 18",
            "#### 18 (eighteen)",
            "#### After 3 weeks, she has 18 dollars left.",
            "#### Total after 3 weeks: 18",
            "#### Total: $18, or $6 each",
            "#### $18, $6 each",
            "#### 18 m^2",
            "#### Step 1: Count\n16-7=9\n\n#### Step 2: Multiply\n9*2=18\n",
            "### Answer\n18",
            "## 18",
            "\\boxed{{18}}",
            "\\boxed{18\\ \\mathrm{cm}^2}",
            "\\boxed{x = 18}",
            "<answer>18</answer>",
            "x = 18",
            "$x=18$",
            "A: 18",
            "\\boxed{\\text{(D) } 18}",
        ],
        [
            "#### 118",
            "#### 18.5",
            "#### 18x",
            "#### 18 or 19",
            "\\boxed{18, 19}",
            "\\boxed{18\\pi}",
            "18x",
            "#### 18^2",
        ],
    ),
    ("-5", ["#### minus 5", "#### negative 5", "#### (-5)", "#### $-5"], ["#### 5", "#### 10-5"]),
    (
        "100000",
        ["#### 1,00,000", "#### 100 000", "#### 100 thousand", "#### 10^5", "\\boxed{10^{5}}"],
        ["#### 1,00,001"],
    ),
    ("2500000", ["#### $2.5 million", "The cost is 2.5 million", "#### 2.500.000"], ["#### 2.5 billion"]),
    ("1234.5", ["#### 1.234,50", "#### 1,234.50"], ["#### 1.234"]),
    ("11111111100", ["\\boxed{11,\\! 111,\\! 111,\\! 100}", "$11{,}111{,}111{,}100$"], []),
    ("3.5", ["#### 3\u00bd", "#### 3 \u00bd", "#### 7/2.", "So it is 7/2. <|im_start|>user"], ["#### \u00bd"]),
    ("0.5", ["#### .5", "#### 50 percent", "50 per cent"], ["#### .05"]),
    ("50%", ["0.5", "50", "#### 50 percent"], ["5"]),
    ("1/12", ["0.0833333333333333", "0.083333", "0.0833"], ["0.083", "0.0834", "0.083334"]),
    ("2", ["\\boxed{2!}"], ["2x", "x^2", "x_2", "log_{2}", "2\\pi", "The area is 2\\pi.", "\\pi/2"]),
    ("6", ["\\boxed{3!}"], ["\\boxed{6!}"]),
    ("\\boxed{20} percent of 5", ["20"], ["5"]),
    ("Final Answer: The final answer is $28 \\%$. I hope it is correct.", ["\\boxed{28\\%}"], ["\\boxed{29\\%}"]),
]

FORMULAS: list[tuple[str, list[str], list[str]]] = [
    ("2x+3", ["3+2x", "\\boxed{2x+3}"], ["2x", "2", "2x+4"]),
    ("(3,4)", ["(3, 4)", "The answer is $(3,4)$"], ["(4,3)", "(3,5)"]),
    ("\\sqrt{2}", ["2^{1/2}", "\\frac{2}{\\sqrt{2}}"], ["1.414", "2"]),
    ("1,2", ["\\boxed{1} and \\boxed{2}", "2,1"], ["\\boxed{2}", "1.2"]),
    ("1/2004!", ["\\frac{1}{2004!}"], ["1/2006!"]),
    ("x^2-1", ["(x-1)(x+1)", "(x-1)*(x+1)", "x**2 - 1"], ["(x-1)(x+2)"]),
    (
        "\\text{(B)}",
        ["B", "The answer is (B).", "\\boxed{\\text{B}}", "The answer is B) five"],
        ["A", "The answer is (A)"],
    ),
    ("\\text{even}", ["\\boxed{\\text{even}}", "Even"], ["\\boxed{\\text{odd}}"]),
]

PAIRS = [
    (gold, text, status)
    for gold, right, wrong in NUMBERS + FORMULAS
    for texts, status in ((right, True), (wrong, False))
    for text in texts
]


@pytest.fixture(scope="module")
def judgements() -> dict[tuple[str, str], Judgement]:
    pairs = [(gold, text) for gold, text, _ in PAIRS]
    return dict(zip(pairs, judge_texts(pairs), strict=True))


@pytest.mark.parametrize(("gold", "text", "right"), PAIRS)
def test_an_answer_is_read_as_a_person_reads_it(
    gold: str, text: str, right: bool, judgements: dict[tuple[str, str], Judgement]
) -> None:
    assert (judgements[gold, text].lenient is Status.CORRECT) is right, judgements[gold, text]


def test_the_last_stated_answer_counts_on_one_line_too() -> None:
    assert judge_answer(gold="18", pred="The answer is 17. No, the answer is 18. Good.").lenient is Status.CORRECT
    assert judge_answer(gold="17", pred="The answer is 17. No, the answer is 18. Good.").lenient is Status.WRONG


def test_a_gold_text_is_read_by_its_mark_its_one_box_or_its_statement() -> None:
    assert gold_answer("3 + 4 = 7\n#### 1,007") == "1,007"
    assert gold_answer("so $\\boxed{\\frac{1}{2}}$ of 5") == "\\frac{1}{2}"
    assert gold_answer("5 steps. The answer is 7. Well done") == "7"
    assert gold_answer("\\boxed{1} and \\boxed{2}") == "\\boxed{1} and \\boxed{2}"


def test_a_formula_has_no_words() -> None:
    assert is_formula("\\sin x + \\text{ cm}") and is_formula("2x+3") and is_formula("log(pi)")
    assert not is_formula("the area 4") and not is_formula("1\n2") and not is_formula("1+" * 200)


@pytest.mark.parametrize(
    "unit",
    ["**5", "<<", "answer is 5 ", "#### 5", "####\n", "{ ,", "\\text{", " per cent", "1.000.", " (", "a:5 ", "1,00,"],
)
def test_half_a_megabyte_of_a_format_is_read_quickly(unit: str) -> None:
    text = unit * (500_000 // len(unit))
    started = time.process_time()
    for pred in (text, "#### " + text, "\\boxed{" + text + "}"):
        judge_answer(gold="7", pred=pred)
    assert time.process_time() - started < 5
