# ruff: noqa: E501  # one line a gold answer
"""Each kind of answer as a careful reader takes it: what is right, and what comes near and is not."""

import json
import time
from pathlib import Path

import pytest

from tpt.judges import latex
from tpt.judges.answer import Judgement, canonical, judge_answer, judge_texts
from tpt.judges.arithmetic import whole
from tpt.judges.symbolic import Symbolic
from tpt.judges.thinking import UNFINISHED
from tpt.records import Status

LABELLED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "graders" / "answers_labelled.jsonl"

# kind: gold answer, completions that give it, completions that do not
KINDS: dict[str, list[tuple[str, list[str], list[str]]]] = {
    "thinking": [
        (
            "18",
            [
                "<think>#### 5</think>\n#### 18",
                "Let me see: \\boxed{17}?</think>\n\nIt is \\boxed{18}.",
                "<reasoning>#### 17</reasoning>\n<answer>18</answer>",
                "<answer>\n#### 18\n</answer>",
                "<think>5</think><answer>She makes $18 a day.",
                "[THINK]17[/THINK]The answer is 18.",
                "<|channel|>analysis<|message|>17<|end|><|start|>assistant<|channel|>final<|message|>**18**",
            ],
            [
                "<think>#### 18",
                "<think>\\boxed{18}</think>It is \\boxed{17}.",
                "<think>The answer is 18.</think>\n\nI am not sure.",
                "<think>a</think> #### 18 <think> or",
                "18 <answer>17</answer>",
                "<answer></answer> 18",
                "[THINK]The answer is 18.",
            ],
        )
    ],
    "choice": [
        (
            "B",
            [
                "b",
                "(b)",
                "B)",
                "**B**",
                "**B.** 12 m/s",
                "\\boxed{\\textbf{(B)}\\ 12}",
                "#### B",
                "#### Option B",
                "The answer is option (B).",
                "Therefore, option B is correct.",
                "So the correct answer is choice B: the second law.",
                "A is wrong and C is wrong. The answer is B.",
                "Answer: B. The others fail.",
                "I would pick B.",
                "The best choice is therefore B.",
                "Final answer: (B) 12",
                "The answer is A. Wait, no: the answer is B.",
                "So it must be B.",
                "Die Antwort ist B.",
                "La respuesta correcta es la B.",
                "La bonne réponse est B.",
                "正确答案是B。",
                "答案选 B",
                "B is the right answer.",
                "<answer>B</answer>",
                "<answer>(B)</answer>",
                "Let us check each.\nA fails.\n\n(B)",
                "The correct option is not A but B.",
                "ANSWER: B",
            ],
            [
                "A",
                "A or B",
                "The answer is A or B.",
                "The answer is either A or B.",
                "#### A, B",
                "The answer is (A) and (B).",
                "B is tempting, but the answer is C.",
                "The answer is not B.",
                "The answer isn't B.",
                "Option B is incorrect.",
                "B is not correct.",
                "The wrong answer is B.",
                "B and D are equal.",
                "Both B and C hold.",
                "I am not sure.",
                "\\boxed{BC}",
                "\\boxed{12}",
                "A) 5\nB) 6\nC) 7",
                "The answer is A.\nThe answer is B.",
                "Is it B? No, it's C.",
            ],
        ),
        ("A", ["A", "The answer is A since it holds."], ["A train leaves at noon.", "The answer is a number.", "A thing"]),
        ("I", ["The answer is I."], ["I believe so.", "The answer is I think H."]),
        ("(c)", ["(c)", "C", "The answer is (c)."], ["(d)", "The answer is complex."]),
    ],
    "more of an expression": [
        (
            "18",
            [
                "#### 20 - 2",
                "#### 9 × 2",
                "#### 36 ÷ 2",
                "#### (10 + 8)",
                "#### 6 + 6 + 6 = 18",
                "#### 18 = 9 + 9",
                "#### 2 * (4 + 5)",
                "#### 50% of 36",
                "#### half of 36",
                "#### twice 9",
                "#### 3 less than 21",
                "#### 1.5 dozen",
                "\\boxed{3^2 \\cdot 2}",
                "\\boxed{\\frac{36}{2}\\text{ apples}}",
                "\\boxed{\\sqrt{324}}",
                "#### 18 per day",
                "#### 18 apples a day",
                "#### 18 (that is, 9 + 9)",
                "#### 18 — nine times two",
                "#### about 18",
                "#### 18 in total",
                "#### 18 more",
                "#### 18 times",
                "The answer is 18, because 9 + 9 = 18.",
                "The answer is 18, not 20.",
                "Answer: 18 eggs (out of 20).",
                "#### 18 or 18.0",
                "#### 18/1",
            ],
            [
                "#### 18 + 2", "#### x - 18", "#### x + 18", "#### 3x + 18", "#### (x+1) - 18", "#### 18sqrt3", "#### 18, -18",
                "#### 18 * 2",
                "#### 2 × 18",
                "#### 18 × 2 = 36",
                "#### 18 - 0.5",
                "#### 18/3",
                "#### 18²",
                "#### 18!!! + 1",
                "#### 18 - x",
                "#### 18n",
                "#### 18√3",
                "#### 18π cm",
                "#### 18 to 20",
                "#### 18–20",
                "#### 17 or 18",
                "#### 18 and 20",
                "#### 18; 20",
                "#### 18 hours 15 minutes",
                "#### 18 minutes and 30 seconds",
                "#### 18 feet 3 inches",
                "#### 18 dozen eggs",
                "#### 18k",
                "#### $18K",
                "#### 18 hundred",
                "#### 18 thousand dollars",
                "#### 18 × 10³",
                "#### 18e2",
                "#### 18 1/2",
                "#### 18½",
                "#### 18 and a half",
                "#### 18:1",
                "#### 18th",
                "#### 18 times as many",
                "#### 18 more than x",
                "#### 18 percent of 200",
                "\\boxed{18i}",
                "\\boxed{18^{2}}",
                "\\boxed{18_{16}}",
                "\\boxed{-18}",
                "\\boxed{\\frac{1}{18}}",
                "\\boxed{2^{18}}",
                "\\boxed{\\log_{2} 18}",
                "\\boxed{x^{18}}",
                "\\boxed{18 \\text{ or } 20}",
                "\\boxed{(18, 20)}",
                "\\boxed{18 + 2\\sqrt{3}}",
                "\\boxed{18 : 25}",
            ],
        ),
        ("18000", ["#### 18K", "#### 18k dollars", "#### $18k", "#### 18 thousand"], ["#### 18", "#### 18 K"]),
        ("18.5", ["#### 18 and a half", "#### 18 hours and 30 minutes", "#### 18½", "#### 37/2"], ["#### 18"]),
        ("216", ["#### 18 dozen", "#### 18 dozen eggs"], ["#### 18"]),
        ("1/2", ["one half", "a half", "0.5", "50%", "#### 2/4", "half"], ["half of 18", "2"]),
    ],
    "denials and bounds": [
        (
            "18",
            [
                "The answer is not 20 but 18.",
                "The answer is no longer 20; it is 18.",
                "It is not 17. The answer is 18.",
                "The answer is exactly 18.",
                "The minimum is 18",
                "So she has 18 left.",
                "The answer should be 18.",
                "The answer must be 18.",
                "The final answer would be 18 dollars.",
            ],
            [
                "The answer is not 18.",
                "It isn't 18.",
                "The answer can't be 18.",
                "It was never 18.",
                "#### less than 18",
                "#### fewer than 18",
                "#### greater than 18",
                "#### no more than 18",
                "#### at most 18",
                "#### ≥ 18",
                "#### ≤18",
                "\\boxed{\\geq 18}",
                "\\boxed{x \\le 18}",
                "\\boxed{n > 18}",
                "#### almost 18",
                "#### between 17 and 18",
                "#### from 18 to 20",
                "#### twice 18",
                "#### double 18",
                "#### half of 18",
                "#### a third of 18",
                "#### 18 or fewer",
                "#### 18 or so",
                "#### under 18",
                "#### perhaps 18",
                "The total is nearly 18.",
                "The answer issue: 18 is wrong; it is 20.",
                "The answers vary: 17 or 18",
                "The answer is 18 less than 40.",
            ],
        )
    ],
    "magnitudes and thousands": [
        (
            "2500000",
            [
                "\\boxed{2.5\\text{ million}}",
                "\\boxed{\\$2.5\\text{ million}}",
                "#### 2.5 mil",
                "#### $2.5M",
                "#### 2 500 000",
                "#### 2'500'000",
                "\\boxed{2\\,500\\,000}",
                "\\boxed{2~500~000}",
                "\\boxed{2.5 \\times 10^6}",
                "2.5×10⁶",
                "2.5 · 10^6",
                "two and a half million",
                "25 lakh",
            ],
            ["\\boxed{2.5}", "\\boxed{2.5\\text{ billion}}", "2.5×10⁷", "2 500", "#### 2.5 thousand", "2.5e-6"],
        ),
        ("1200", ["1'200", "1’200", "1,200.00", "1 200", "#### 12 hundred", "\\boxed{1{,}200}"], ["1.2", "12", "1 20 0"]),
        ("0.00016", ["1.6e-4", "1.6 \\times 10^{-4}", "1.6×10⁻⁴"], ["1.6×10⁻³", "1.6×10⁴", "1.6"]),
    ],
    "words for numbers": [
        ("42", ["forty-two", "Forty two.", "#### forty-two apples", "The answer is forty-two."], ["forty", "two", "fourteen"]),
        ("100", ["one hundred", "a hundred", "#### one hundred dollars"], ["one hundred and one", "one thousand"]),
        ("105", ["one hundred and five", "one hundred five"], ["one hundred", "five"]),
        ("0", ["zero", "#### zero", "She has zero apples left."], ["none at all", "one", "nothing"]),
        ("2/3", ["two thirds", "#### two-thirds"], ["two", "a third", "three halves"]),
        ("12", ["a dozen", "twelve", "TWELVE"], ["twelfth", "twenty"]),
        ("twelve", ["12", "\\boxed{12}", "twelve"], ["11"]),
    ],
    "units": [
        ("12 cm", ["12 cm", "12", "12 centimeters", "12cm", "\\boxed{12\\text{ cm}}", "12 centimetres."], ["12 mm", "12 in", "12 cm^2", "12 m", "120 mm", "13"]),
        ("5 m/s", ["5 m/s", "5 meters per second", "\\boxed{5\\,\\mathrm{m/s}}", "5"], ["5 m", "5 km/h", "5 mph", "18 km/h"]),
        ("2 hours", ["2 hours", "2 h", "2 hrs", "two hours", "2"], ["2 days", "2 minutes", "120"]),
        ("\\$4.50", ["$4.50", "4.5", "4.50 dollars", "$4.50 per pound"], ["€4.50", "4.50 cents", "450 cents"]),
        ("30^\\circ", ["30", "30°", "30 degrees", "\\boxed{30^{\\circ}}"], ["30 radians", "60°"]),
        ("20 \\text{ m}^2", ["20 m²", "20 square meters", "20 sq m", "\\boxed{20\\text{ m}^2}"], ["20 m", "20 cm²", "20 m³"]),
        ("6 apples", ["6", "6 apples", "six apples", "6 red apples"], ["6 oranges", "7 apples"]),
        ("25\\%", ["25%", "25 percent", "0.25", "1/4", "25"], ["2500%", "0.25%", "250"]),
    ],
    "times and dates": [
        ("3:30 PM", ["3:30 p.m.", "15:30", "3:30pm", "The answer is 3:30 PM.", "\\boxed{3{:}30\\text{ PM}}"], ["3:30 AM", "3:30", "3.5", "4:30 PM"]),
        ("7:05", ["7:05", "7:05 am", "$7{:}05$", "They arrive at 7:05."], ["7:50", "7:05 pm", "705", "14:10"]),
        ("March 3", ["March 3rd", "3 March", "the 3rd of March", "March 3, 2021", "Mar. 3"], ["March 4", "May 3", "3"]),
        ("2023-11-05", ["November 5, 2023", "5 November 2023", "2023-11-05"], ["2023-05-11", "11/05/2023", "November 5", "2023"]),
    ],
    "bases, ratios, enumerations": [
        ("1101_2", ["1101_2", "\\boxed{1101_{2}}", "1101 (base 2)", "1101 in base 2", "$1101_{\\text{two}}$"], ["1101", "13", "1101_3", "1100_2"]),
        ("A7_{16}", ["A7_{16}", "a7_{16}"], ["A7_8", "167"]),
        ("2:5", ["2:5", "2 : 5", "2 to 5", "The answer is 2:5."], ["5:2", "4:10", "2/5", "0.4"]),
        ("1, 3, 5, \\ldots", ["1,3,5,\\dots", "$1, 3, 5, \\ldots$"], ["1, 3, 5", "1, 3, 7, \\ldots"]),
    ],
    "expressions": [
        ("3\\sqrt{2}", ["3√2", "3 sqrt(2)", "3*sqrt(2)", "3sqrt2", "\\sqrt{18}", "\\boxed{3 \\sqrt 2}", "3\\sqrt(2)", "3\\sqrt2\\text{ cm}"], ["3", "3√3", "4.2426", "4.24264068711928", "2√3", "3+√2"]),
        ("\\infty", ["\\infty", "+\\infty", "∞", "infinity", "$\\infty$"], ["-\\infty", "0", "\\frac{1}{0}", "10^{100}"]),
        ("-\\infty", ["-∞", "- \\infty", "$-\\infty$", "-infinity"], ["\\infty", "+\\infty", "-1"]),
        ("e^2 - \\mathrm{e}", ["e^2-e", "e(e-1)", "\\mathrm{e}^2-\\mathrm{e}"], ["e^2", "4.67", "e^2+e"]),
        ("5\\pi", ["5π", "5 pi", "5*pi", "5\\pi", "5\\,\\pi", "\\boxed{5\\pi \\text{ cm}^2}"], ["5", "15.708", "15.70796326795", "5\\pi^2", "5 p"]),
        ("\\langle 1, -2 \\rangle", ["\\langle 1,-2\\rangle", "⟨1, -2⟩"], ["\\langle 1,2\\rangle", "(1,-2)", "\\langle -2,1\\rangle"]),
        ("(2, 5]", ["(2,5]", "2 < x \\le 5", "]2, 5]", "x \\in (2,5]", "2<x≤5"], ["[2,5]", "(2,5)", "2 \\le x \\le 5", "(2,6]", "\\{2,5\\}"]),
        ("x \\ge 4", ["[4, \\infty)", "x>=4", "4 \\le x", "x ≥ 4", "[4,+\\infty)"], ["x > 4", "(4,\\infty)", "x \\le 4", "4", "x \\ge 5"]),
        ("\\{1, 2\\}", ["{1,2}", "\\{2, 1\\}", "1, 2", "x = 1 or x = 2", "1 and 2"], ["(1,2)", "[1,2]", "\\{1\\}", "\\{1,2,3\\}", "1", "12"]),
        ("(1, 2)", ["(1,2)", "\\left(1, 2\\right)", "(x, y) = (1, 2)"], ["(2,1)", "\\{1,2\\}", "[1,2]", "1"]),
        ("\\frac{a+b}{2}", ["(a+b)/2", "\\dfrac{b+a}{2}", "\\frac12(a+b)"], ["\\frac{a-b}{2}", "a+b/2", "a+b"]),
        ("0.\\overline{36}", ["0.\\overline{36}", "4/11", "0.363636...", "0.3636"], ["0.36", "0.3\\overline{6}", "0.37"]),
        ("\\frac{5}{7}", ["5/7", "\\frac57", "0.7143", "0.714285714", "71.43%", "0.\\overline{714285}"], ["0.71", "0.714", "7/5", "5:7", "0.7142"]),
        ("y = 3x - 2", ["y=3x-2", "3x - 2", "\\boxed{y = -2 + 3x}"], ["3x+2", "y=3x", "x = 3y - 2"]),
        ("\\emptyset", ["\\varnothing", "∅"], ["0", "\\{0\\}"]),
        ("4 \\pmod{9}", ["4", "4 \\pmod 9", "\\boxed{x \\equiv 4 \\pmod{9}}"], ["5", "4 \\pmod{7}"]),
        ("\\sqrt[3]{5}", ["5^{1/3}", "\\sqrt[3]5", "\\boxed{\\sqrt[3]{5}}"], ["\\sqrt{5}", "5/3", "1.71"]),
    ],
    "words": [
        ("Yes", ["yes", "**Yes**", "Yes.", "Yes, because it is even.", "The answer is yes.", "Let me see.\n\n**Yes**", "<answer>Yes</answer>"], ["No", "No, yes is wrong", "Yes and no", "Yesterday", "The answer is no.", "Yes.\n\nNo."]),
        ("False", ["false", "The statement is:\n\nFalse", "The answer is False."], ["True", "not false", "Falsehood"]),
        ("\\text{Monday}", ["Monday", "monday.", "The answer is Monday.", "\\boxed{\\text{Monday}}", "#### Monday"], ["Sunday", "Monday or Tuesday", "The answer is not Monday."]),
        ("\\text{live}", ["live", "\\boxed{\\text{live}}"], ["evil", "\\boxed{\\text{evil}}", "l i v e s"]),
    ],
    "all sorts": [
        ('18', ['The final answer is: $\\boxed{18}$.', 'Janet makes $18 every day.', '#### 18 dollars/day', '#### $18/day', 'She has $18.', 'The answer is 18!', 'Answer: 18\n\nExplanation: 20 - 2 = 18. We used 2.', '#### 18 students passed', '#### x ≈ 18', '**Answer: 18**\n\nThis took 3 steps.', 'Answer: **18**.', '#### -(-18)', '#### +18', '#### 18 + 0', '\\boxed{18.}', '\\boxed{18 \\text{ (approx.)}}', '\\boxed{\\text{eighteen}}', '\\[ \\boxed{ \\text{Total} = 18 } \\]', '#### The answer: 18', '#### Final answer = 18', '\\(\\boxed{18\\ \\text{eggs}}\\)', "It's 18.", 'Hence 18.', '18 (because 9*2)', 'The probability is 18%', '\\boxed{18\\text{ or }18}', '\\boxed{18\\%}', '\\boxed{018}', '\\boxed{18\\times 1}', '\\boxed{\\sqrt{18}^2}', '\\boxed{\\lceil 17.2 \\rceil}', '\\boxed{17 + 1 = 18}', '\\boxed{n = 18}', '#### Answer is 18', '#### The answer is 18 eggs.', '#### She earns 18 dollars a day', '#### 18 dollars (9 eggs at $2)', '#### 18 [dollars]', '#### 18 -> done', '#### $ 18', '#### USD 18', '#### 18 USD', '#### approx. 18', '#### = 18', '#### total=18', '#### 18 each', '#### 18 left', '#### 18 years old', '#### 18 days and nights', '#### 18 km per hour', '#### 18 (or 18.0)', '#### **18** apples', '#### 18 of them', '#### 18 of each', '#### 18 less', '#### 18 dollars less than Bob', '#### 18 score', '#### 18 gross', 'So the answer is $9 \\times 2 = 18$.', 'The answer is $9 \\times 2$.', 'Final Answer: The final answer is $18$. I hope it is correct.', 'The answer is 9 + 9.', 'Therefore, 18.', "So it's 9 * 2", 'She pays 20 - 2 dollars.', 'My guess is 17, but the answer is 18.', 'The answer is 17. Actually the answer is 18.', 'It is not 20 but 18.', 'She has twice 9.', 'eighteen', 'There are eighteen of them.'], ['So, 18 is not the answer; it is 20.', 'The answer cannot be 18.', 'The answer is: 18 apples and 7 pears.', '#### 18 out of the 20', '#### 18.0000001', 'The answer is $18.50', '#### 1,8', '#### 18,5', 'Therefore the total is 18, i.e. 9 pairs.', 'The answer is between 17 and 19.', 'I get 18 or 19', '\\boxed{18 \\text{ and } 20}', '\\boxed{18,18}', '\\boxed{\\pm 18}', '\\boxed{18 \\to 20}', '\\boxed{18!}', '\\boxed{18\\text{th}}', '\\boxed{18\\ldots}', '\\boxed{18.18}', '\\boxed{18 = 20}', '\\boxed{17 + 2 = 18}', '\\boxed{18x}', '\\boxed{x}', '\\boxed{\\{18\\}}', '\\boxed{n \\ge 18}', '\\boxed{A}', '#### 18 apples, 20 pears', '#### 18 apples & 20 pears', '#### 18 apples and 20 pears', '#### around 18 or 19', '#### 18, maybe 19', '#### 18 - 20', '#### 18x18', '#### 18/20', '#### 18 over 2', '#### 18 minus', '#### 18 squared', '#### 18 cubed', '#### 18 factorial', 'The answer is 18 + 9.', 'The answer is 18. Actually the answer is 17.', 'The answer is 18? No, the answer is 20.', 'There are not 18 but 20.', 'It could be 18.', 'Neither 17 nor 18.', "She doesn't have 18.", 'more than 18 eggs were sold', 'She sold at least 18.', 'She has twice 18.', 'She has 18 times 2.', 'The answer is eighty.', 'The answer is minus eighteen.']),
        ('18.5', ['The answer is $18.50'], []),
        ('-18', ['#### −18', 'The answer is minus eighteen.', 'negative 18'], []),
        ('0.18', ['The probability is 18%'], []),
        ('3/4', ['\\boxed{\\frac{3}{4}}', 'three quarters', '75%', '3 out of 4'], ['3 to 4']),
        ('1/3', ['33.33%', '0.3333'], ['0.33', '33%']),
        ('C', ['The answer is (C) because (A) and (B) fail.', 'The correct answer is: C', 'Answer: C) 7', '\\boxed{\\text{C}}', '\\boxed{C}', 'The answer is $\\boxed{C}$.', '**C) 7**', 'Correct answer: C', 'Choice C is the best.', 'My choice: C', 'Thus, (C) is correct.', 'The correct option is (C), not (B).', "I'd go for C."], ['Of A, B, C and D, only C works.', 'The answer is C or D', 'Answer: not C', 'C?', "So the answer can't be C.", 'It is either B or C']),
        ('D', ['La risposta è D', '정답은 D입니다', 'Ответ: D', '答えは D です', 'Correct answer is D!'], []),
        ('A', ['Answer: A because of friction', 'A is the answer.', 'A.', 'A) yes'], []),
        ('x^2+1', ['\\boxed{x^{2}+1}', 'x²+1', '1 + x^2'], ['x^2-1']),
        ('\\frac{\\sqrt{3}}{2}', ['√3/2', 'sqrt(3)/2', '\\boxed{\\frac{\\sqrt 3}{2}}'], ['0.866']),
        ('\\frac{\\pi}{4}', ['pi/4', 'π/4 radians'], ['45^\\circ']),
        ('2\\pi r', ['2πr'], []),
        ('\\ln 2', ['ln(2)', 'ln 2'], ['0.693']),
        ('e', ['\\mathrm{e}'], ['2.718']),
        ('i', ['i'], []),
        ('1+i', ['i+1'], []),
        ('(1,2)', ['The point is (1, 2).'], []),
        ('[0,1]', ['0 \\le x \\le 1'], []),
        ('(-\\infty,0)\\cup(1,\\infty)', ['x<0 or x>1', '(-∞,0) ∪ (1,∞)'], ['x < 0 \\text{ or } x \\ge 1']),
        ('\\mathbb{R}', ['\\mathbb{R}'], []),
        ('(0,\\infty)', ['x>0'], ['x>1']),
        ('12:30', [], ['12:30 pm']),
        ('8:00 AM', ['8:00 a.m.'], ['8 AM']),
        ('10 km', ['10 km'], ['10 miles', '10,000 m']),
        ('3 hours', ['3 hours', 'three hours'], []),
        ('$5', ['5 dollars'], ['5 cents']),
        ('5', ['5 kg'], []),
        ('100 cm', [], ['1 m']),
        ('60 mph', ['60 miles per hour'], ['60 km/h']),
        ('7 \\text{ inches}', ['7"'], []),
        ('45 minutes', ['45 min'], ['45 seconds']),
        ('No', ['no.', 'The answer is no.'], ['Not sure']),
        ('Yes', ['Yes, it does.'], []),
        ('True', ['true.'], []),
        ('Paris', ['The answer is Paris.', 'paris'], ['London, not Paris']),
        ('Saturday', ['**Saturday**'], ['It was a Saturday.']),
        ('<think>', [], ['x']),
        ('24', ['<think>\nlet me</think>24', '\\boxed{4!}', '4!'], []),
        ('0', ['\\boxed{0}', '-0', '0 apples'], []),
        ('1000', ['1e3', '10^3', '1 thousand', '1,000'], ['1.000']),
        ('1000000', ['1M'], []),
        ('-1/2', ['-0.5', '-\\frac12', '\\frac{-1}{2}'], ['1/2']),
        ('2^{10}', ['1024'], []),
        ('1024', ['2^{10}'], []),
        ('\\sqrt{16}', ['4'], []),
        ('\\binom{6}{2}', ['15'], []),
        ('\\dfrac{7}{3}', ['2\\frac{1}{3}', '2 1/3', '2.3333'], ['2.33']),
        ('80', ['The answer is eighty.'], []),
        ('110', ['one hundred ten'], []),
        ('1,234', ['one thousand two hundred thirty-four'], []),
        ('21', ['twenty one'], []),
        ('7', ['Let x = 7.', 'x + 2 = 9, so x = 7.', '7/1', '7.0e0', 'seven (7)', '7 (seven)', '#7', 'No. 7', '7)', '(7', '7 m', '7m', '7 mm', '7h', '7%', '$7$', '£7', '7¢', '7€', '7.'], ['x=7 and y=3', '(7, 3)', '7, 3', '7:3', '0x7', 'VII', '7e', '7i', '7j', '7K', '0.7', '.7', '70', '77']),
        ('x=3', ['3', 'x = 3'], ['y=3']),
        ('x = 3 \\text{ and } y = 4', ['x=3, y=4'], []),
        ('2,3', ['3,2', '2 and 3'], ['2, 3, 4']),
        ('\\pm 3', ['±3', '3 or -3', '3, -3'], ['3']),
        ('3 \\pm \\sqrt{2}', ['3±√2'], ['3+\\sqrt{2}']),
        ('\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}', ['\\begin{bmatrix}1\\\\2\\end{bmatrix}'], ['\\begin{pmatrix}2\\\\1\\end{pmatrix}', '(1,2)']),
        ('a', [], ['b']),
        ('k', ['k'], []),
        ('\\alpha', ['α'], []),
        ('n-1', ['n - 1'], ['1-n']),
        ('n!', ['n!'], []),
        ('2^n', ['2^{n}'], ['2^{n+1}']),
        ('\\frac{1}{x}', ['x^{-1}', '1/x'], []),
        ('\\sin x', ['sin(x)'], ['\\cos x']),
        ('|x|', ['\\left|x\\right|'], []),
        ('A, C', ['A and C'], []),
        ('AC', [], ['A']),
        ('10^{-3}', ['0.001', '1/1000'], ['10^3']),
        ('6.02 \\times 10^{23}', ['6.02e23', '6.02×10²³'], ['6.02 \\times 10^{22}', '6.022 \\times 10^{23}']),
        ('9.8 \\text{ m/s}^2', ['9.8 m/s^2', '9.8'], ['9.8 m/s']),
        ('300 \\text{ K}', ['300 K'], ['300 °C']),
        ('5 \\text{ mL}', ['5 ml'], ['5 L']),
        ('2.4 \\text{ kg}', ['2.4 kilograms'], ['2.4 g']),
        ('10 \\text{ N}', ['10 newtons'], []),
        ('1.5 \\text{ hours}', ['1 hour 30 minutes'], ['1.5 days']),
        ('\\$1,200', ['$1200', '1.2K'], []),
        ('15\\%', ['0.15', '15 percent'], ['1.5%']),
        ('4', ['\\log_2 16', '\\sqrt{16}', '\\boxed{\\log_{2} 16}'], ['4\\sqrt{2}', '4\\log 2']),
    ],
    "refuted, bounded, or another quantity": [
        ("36", ["20 * 2 - 4 = 36 is correct.", "So it takes them 36 hours, not 72.", "36 students are too short.", "36 boys did not pass.", "He sold 36 instead of 40.", "36 is the smallest."],
         ["36 is wrong.", "36 is too large.", "36 is obviously incorrect.", "I think 36 is not right.", "36 isn't the answer.", "36 can't be it.", "36 would be wrong.", "The answer of 36 is wrong.", "36 is impossible.", "36 does not work.", "36 fails the test.", "The answer is 36 too many.", "The answer is anything but 36.", "Wrong answer: 36", "Incorrect answer: 36", "the square of 36", "36 less than it", "36 more than that"]),
        ("20", ["20 at the end", "Note: 20", "In either case: 20", "By equation (5), the total is 20.", "There are 20 problems.", "The figure is 20."],
         ["20+", "#### 20 ± 1", "#### 20 pairs and a half", "20 hours and a quarter", "20 doubled", "20 halved", "20 at most", "20 at least", "20 minimum", "20 per 3", "20-something", "20ish", "20::3", "Step 20", "Problem 20", "See equation (20).", "(see Example 20)", "question #20", "The answer issue: 20", "The answer key: 20"]),
        ("20.5", ["20 hours and a half", "20 pairs and a half"], []),
        ("14:30", ["at 14:30"], ["before 14:30", "after 14:30"]),
        ("May 8", ["the 8th of May"], ["before May 8"]),
    ],
    "other languages": [
        ("27", ["La réponse est 27.", "Die Antwort lautet 27.", "La respuesta es 27.", "A resposta é 27.", "La risposta è 27.", "答案是27。", "答えは27です。", "정답은 27입니다.", "Ответ: 27", "Всего 27 рублей.", "Insgesamt sind es 27 Äpfel.", "总共有27个苹果。"],
         ["La réponse n'est pas 27.", "Die Antwort ist nicht 27.", "La respuesta no es 27.", "答案不是27。", "Ответ не 27.", "moins de 27", "weniger als 27", "más de 27", "meno di 27", "少于27", "mindestens 27", "au moins 27", "al menos 27", "entre 26 et 27", "27 oder 28", "26 o 27", "27或28"]),
        ("C", ["A resposta correta é a letra C.", "La opción correcta es la C.", "L'option correcte est C.", "Alternativa C", "Opción C", "故选C。", "正解はCです。", "Die korrekte Antwort ist Option C.", "The correct statement is C.", "I'd say C."],
         ["La respuesta no es C.", "La réponse n'est pas C.", "Die Antwort ist nicht C.", "答案不是C", "L'option C est fausse."]),
        ("A", ["A. Both are reversible."], ["A. B. C. D."]),
    ],
    "one thing in several spellings": [
        ("1250000", ["1_250_000", "1'250'000"], ["1_25", "1_250_001", "12_50_000_", "1_250_000_000"]),
        ("\\binom{6}{2}", ["15", "\\binom62", "C(6,2)", "6 choose 2", "\\dbinom{6}{2}", "\\binom{6}{4}"], ["\\binom{6}{3}", "C(2,6)", "P(6,2)"]),
        ("C(4,3)", ["C(4,3)"], ["4", "(3,4)"]),  # a point
        ("\\langle 1, -2 \\rangle", ["<1, -2>", "$< 1, -2 >$", "\\boxed{<1,-2>}"], ["<1, 2>", "1 < -2", "<1, -2, 0>"]),
        ("-5^\\circ C", ["\\boxed{-5^\\circ\\text{C}}", "-5^\\circ\\mathrm{C}"], ["\\boxed{-5^\\circ\\text{F}}"]),
        ("\\frac{7}{12}", ["seven twelfths"], ["seventh", "the twelfth"]),
    ],
    "turns and long texts": [
        ("18", ["#### 18\n\nQuestion: 2 + 2?\n#### 4", "The answer is 18.\n\nQ: 2 + 2?\nA: The answer is 4.", "#### 18\n<|im_start|>user\nThanks! 5 more?"], ["#### 17\n\nQuestion: 9 + 9?\n#### 18"]),
        ("18", ["#### 18\n" + "That is all. " * 3000, "\\boxed{18}" + "\nGood." * 9000, "#### 18 #### 18"], ["#### 17\n" + "So. " * 9000, "#### 17 #### 18"]),
    ],
}  # fmt: skip

PAIRS = [
    (kind, gold, text, right)
    for kind, some in KINDS.items()
    for gold, rights, wrongs in some
    for texts, right in ((rights, True), (wrongs, False))
    for text in texts
]


@pytest.fixture(scope="module")
def judgements() -> list[Judgement]:
    return list(judge_texts((gold, text) for _, gold, text, _ in PAIRS))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_answer_is_read_as_a_careful_reader_reads_it(kind: str, judgements: list[Judgement]) -> None:
    differ = [
        (gold, text[:80], str(found.lenient), found.rule, "should be right" if right else "should not be right")
        for (of_kind, gold, text, right), found in zip(PAIRS, judgements, strict=True)
        if of_kind == kind and (found.lenient is Status.CORRECT) is not right
    ]
    assert not differ


def test_the_strict_reader_stays_the_papers_except_for_thinking() -> None:
    for text, strict in (
        ("<think>#### 5</think>\n18 it is.\n#### 18", Status.CORRECT),
        ("#### 5\n#### 18", Status.WRONG),
        ("<think>#### 18</think> #### 5", Status.WRONG),
        ("<think>#### 18", Status.NO_ANSWER),
        ("<answer>18</answer>", Status.NO_ANSWER),
        ("#### $18", Status.NO_ANSWER),
        ("#### 18 - 2", Status.CORRECT),  # as the paper's replication reads it
    ):
        assert judge_answer(gold="18", pred=text).strict is strict, text
    for gold in ("18 dollars", "2^4", "twelve", "(B)", "10:30"):  # what is no number is read as text
        assert judge_answer(gold=gold, pred=f"so\n#### {gold}\nor").strict is Status.CORRECT
        assert judge_answer(gold=gold, pred="#### 18").strict is Status.WRONG


def test_unfinished_thinking_is_no_answer_and_is_named() -> None:
    found = judge_answer(gold="18", pred="<think>So #### 18, or \\boxed{18}?")
    assert (found.status, found.rule) == (Status.NO_ANSWER, UNFINISHED)
    assert "thinking" in found.reason
    assert judge_answer(gold="18", pred="18").rule != UNFINISHED


def test_what_is_not_read_of_a_long_text_is_said() -> None:
    found = judge_answer(gold="18", pred="It is 18. " + "Well. " * 20_000)
    assert found.lenient is Status.NO_ANSWER
    assert "120,010 characters" in found.reason
    marked = judge_answer(gold="18", pred="The answer is 18. " + "Well. " * 20_000)
    assert marked.lenient is Status.CORRECT  # a mark is found however far up it stands


@pytest.mark.parametrize(
    "same",
    [
        ["18", "$18", "18.00", "\\boxed{18}", "18 dollars", "20 - 2", "eighteen"],
        ["0.5", "1/2", "\\frac{1}{2}", "one half"],
        ["B", "(B)", "b)", "\\text{(B)}"],
        ["2\\sqrt{3}", "2√3", "2 \\sqrt 3", "$2\\sqrt{3}$"],
        ["10:30", "10:30.", "\\text{10:30}"],
        ["Monday", "monday", "**Monday**."],
    ],
)
def test_equal_answers_have_one_canonical_form(same: list[str]) -> None:
    assert len({canonical(text) for text in same}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "#### $18",
        "\\boxed{9 \\cdot 2}",
        "She pays 20 - 2 dollars.",
        "It is 9 * 2 = 18 in all.",
        "There are eighteen of them.",
        "18",
    ],
)
def test_a_vote_on_lenient_answers_counts_what_was_read(text: str) -> None:
    assert canonical(judge_answer(gold="18", pred=text).lenient_answer) == "18"


def test_different_answers_have_different_canonical_forms() -> None:
    texts = [
        "18",
        "-18",
        "1.8",
        "50%",
        "B",
        "C",
        "2\\sqrt{3}",
        "3\\sqrt{2}",
        "10:30",
        "10:31",
        "Monday",
        "x",
        "less than 18",
    ]
    assert len({canonical(text) for text in texts}) == len(texts)
    assert canonical("") == canonical("  ") == ""


@pytest.mark.parametrize(
    "bomb",
    ["1e999999999", "10**10**10", "9" * 100_000, "9^9^9^9", "(" * 5000 + "1" + ")" * 5000, "100000!", "1/0", "2^-1e9"],
)
def test_arithmetic_that_would_grow_is_not_computed(bomb: str) -> None:
    assert whole(bomb) is None
    assert judge_answer(gold="7", pred=f"#### {bomb}").lenient is not Status.CORRECT
    canonical(bomb)


REPEATED = [
    "1 ", "(1/", "- ", "5 and ", "and 5 ", "hundred and ", "half of ", "5 hours ", "m/", "0.333...", "'000", "A or ",
    "answer is B ", "答案", "answer ", "10:30 ", "May 5 ", "<think>", "</think>", "\nQuestion: ", '"', "= 5 ", "5 (",
]  # fmt: skip


@pytest.mark.parametrize("gold", ["7", "B", "10:30", "Yes"])
def test_a_text_of_one_thing_over_and_over_is_read_quickly(gold: str) -> None:
    with Symbolic(workers=1, deadline=1) as symbolic:
        for unit in REPEATED:
            started = time.process_time()
            judge_answer(gold=gold, pred=unit * (100_000 // len(unit)), symbolic=symbolic)
            judge_answer(gold=gold, pred="#### " + unit * (250 // len(unit)), symbolic=symbolic)
            assert time.process_time() - started < 10, unit  # a fraction of a second, were nothing quadratic


@pytest.mark.parametrize(
    "unit", ["\\frac{1}{", "sqrt(", "√", "^2", "x<", "[1,2] \\cup ", "\\text{", "(", "{", "_{", "a = "]
)
def test_comparing_what_is_written_costs_no_more_for_hostile_formulas(unit: str) -> None:
    text = unit * (300 // len(unit))
    started = time.process_time()
    for other in (text, "x + 1", "(2, 5]"):
        latex.same_special(text, other)
        latex.spans(text)
        latex.differ_in_kind(text, other)
        canonical(text)
    assert time.process_time() - started < 10


EXCEPTIONS = {
    "Answer: see above. 18": "labelled wrong; the one number of the text is what it gives for an answer",
}


@pytest.mark.skipif(not LABELLED.exists(), reason="the shared data is not beside this checkout")
def test_it_agrees_with_the_answers_labelled_by_hand() -> None:
    rows = [json.loads(line) for line in LABELLED.open()]
    found = judge_texts((row["gold"], row["completion"]) for row in rows)
    differ = [
        row for row, one in zip(rows, found, strict=True) if (one.lenient is Status.CORRECT) is not row["correct"]
    ]
    assert [row for row in differ if row["completion"] not in EXCEPTIONS] == []
