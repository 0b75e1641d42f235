"""How samples differ: counted by hand, and what holds for any texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpt.analysis.structure import operations, shape
from tpt.analysis.variety import distinct, distinct_answers, distinct_n, self_bleu, words

TEXTS = st.lists(st.text("ab c.\n", max_size=30), min_size=1, max_size=6)


def test_words_are_words_numbers_and_single_signs() -> None:
    assert " ".join(words("Ann has 12*3=36.\n#### 36")) == "Ann has 12 * 3 = 36 . # # # # 36"


def test_distinct_n_by_hand() -> None:
    texts = ["a b a", "a b"]
    assert distinct_n(texts, 1) == 2 / 5
    assert distinct_n(texts, 2) == 2 / 3  # ab, ba, ab: no pair spans two texts
    assert distinct_n(texts, 3) == 1
    assert distinct_n(texts, 4) is None


@given(TEXTS, st.integers(1, 3))
def test_distinct_n_is_a_share_and_repeating_all_texts_halves_it(texts: list[str], n: int) -> None:
    once, twice = distinct_n(texts, n), distinct_n(texts * 2, n)
    if once is None:
        assert twice is None
    else:
        assert 0 < once <= 1
        assert twice == pytest.approx(once / 2)


@given(st.text("abcdef ", min_size=8, max_size=20), st.integers(2, 5))
def test_equal_texts_are_as_little_distinct_and_as_much_alike_as_can_be(text: str, count: int) -> None:
    found = distinct_n([text] * count, 1)
    if found is not None:
        assert found == pytest.approx(len(set(words(text))) / (count * len(words(text))))
        assert self_bleu([text] * count, 0) == pytest.approx(100)


def test_self_bleu_is_higher_where_texts_are_more_alike() -> None:
    alike = ["Zoe has 7 + 5 = 12 kites .", "Zoe has 7 + 5 = 12 hats .", "Zoe has 7 + 5 = 12 drums ."]
    unlike = ["Zoe has 7 + 5 = 12 kites .", "We add five to seven first", "The answer must be twelve"]
    one, other = self_bleu(alike, 0), self_bleu(unlike, 0)
    assert one is not None
    assert other is not None
    assert one > other
    assert self_bleu(alike[:1], 0) is None


def test_self_bleu_of_a_draw_depends_on_the_seed_alone() -> None:
    texts = [f"{a} + {b} = {a + b} so the answer is {a + b}" for a in range(5) for b in range(5)]
    assert self_bleu(texts, 1, most=3) == self_bleu(texts, 1, most=3)
    assert self_bleu(texts, 1, most=3) != self_bleu(texts, 2, most=3)


def test_equal_numbers_are_one_answer_and_no_answer_is_none() -> None:
    assert distinct_answers(["18", "$18", "18.00", "", " "]) == 1
    assert distinct_answers(["18", "19", "Monday", "Monday", "1/2", "0.5"]) == 4
    assert distinct(["+", "", "+", "+*"]) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12*3=36", "*"),
        ("Ann has 12 * 3 = 36 pens, then 36 - 4 = 32.\nSo 32 / 2 = 16\n#### 16", "*-/"),
        ("- 7 apples + 5 apples = 12 apples", "+"),
        ("\\(3 \\times 4 = 12\\), 12 ÷ 4 = 3, 3 \u2212 1 = 2, 2**3 = 8", "*/-^"),
        ("7 x 5 = 35", "*"),
        ("a well-known step-by-step way: x = 5 - 3", ""),
        ("10-3 apples are left", ""),
        ("", ""),
    ],
)
def test_operations_are_those_of_the_equations_that_are_written(text: str, expected: str) -> None:
    assert operations(text) == expected


PROGRAM = """
def solve(n):
    total = 0
    for i in range(n):
        total += i * 2
    return total
print(solve(int(input())))
"""
SAME = '''"""Sums."""
# twice each

def f(count):
  """Of them."""

  s = 7   # start
  for step in range( count ):
    s += step * 3
  return s

print(f(int(
    input())))
'''


def test_names_values_comments_and_spacing_are_no_part_of_a_programs_shape() -> None:
    without = SAME.replace('"""Sums."""\n', "").replace('  """Of them."""\n', "")
    assert shape(without, "python") == shape(PROGRAM, "python")


@pytest.mark.parametrize(
    "other",
    [
        PROGRAM.replace("+=", "-="),
        PROGRAM.replace("    return", "        return"),
        PROGRAM.replace("total += i", "total += n"),
        PROGRAM.replace("for i in range(n)", "while i in range(n)"),
    ],
)
def test_programs_that_do_something_else_have_another_shape(other: str) -> None:
    assert shape(other, "python") != shape(PROGRAM, "python")


def test_programs_in_cpp_have_a_shape_too() -> None:
    one = "int main() { int a; cin >> a; /* no\n*/ cout << a + 1; }"
    other = "int main() {\n  int b;\n  cin >> b; // yes\n  cout << b + 2;\n}\n"
    assert shape(one, "cpp") == shape(other, "cpp")
    assert shape(one, "cpp") != shape(one.replace("+", "-"), "cpp")


@given(st.text())
def test_no_text_is_too_odd_to_have_a_shape(text: str) -> None:
    assert shape(text, "python") == shape(f"# a comment\n\n{text}", "python") or "\n" in text or "\r" in text
    shape(text, "cpp")
    operations(text)


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "-" * 100_000 + "1", '"' * 100_001, "x = " + "9" * 100_000, " " * 100_000]
)
def test_texts_that_would_exhaust_a_parser_do_not_take_long(text: str) -> None:
    shape(text, "python")
    operations(text + "=")
