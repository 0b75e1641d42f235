"""Where a completion's program is."""

import pytest

from tpt.judges.code.program import Language, extract, fenced

PROGRAM = "n = int(input())\nprint(n + 1)\n"
GLUED = PROGRAM.rstrip()
QUOTING = 'HELP = """\n```python\nprint(2)\n```\n"""\nprint(HELP)\n'  # a program with a fence in a string
LABELS = (
    "python3.11", "Python 3", "Python 3.12", "py", "PYTHON", "pypy3", 'python title="x.py"', "python linenums=\"1\"",
    "python {1,3-4}", "python{1,3}", "python:main.py", "python,linenos", "{.python .numberLines}",
    "{#id .python}", "{python}",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rule", "source"),
    [
        (f"We add one.\n```python\n{PROGRAM}```\n", "fence", PROGRAM),
        (f"```python\nprint(0)\n```\nBetter:\n```py\n{PROGRAM}```", "fence", PROGRAM),
        (f"```Python3 \n{PROGRAM}```", "fence", PROGRAM),
        (f"~~~python\n{PROGRAM}~~~", "fence", PROGRAM),
        (f"1. So:\n   ```python\n{PROGRAM}   ```", "fence", PROGRAM),
        (f"```python\n{PROGRAM}```\nIt prints\n```\n4\n```", "fence", PROGRAM),
        (f"```cpp\nint main() {{}}\n```\n```python\n{PROGRAM}```", "fence", PROGRAM),
        (f"````python\n{PROGRAM}```\n````", "fence", f"{PROGRAM}```\n"),
        (f"```\n{PROGRAM}```", "unlabelled_fence", PROGRAM),
        (f"```python\n{PROGRAM}", "open_fence", PROGRAM),
        (PROGRAM, "plain", PROGRAM),
        # labels
        *((f"```{label}\n{PROGRAM}```", "fence", PROGRAM) for label in LABELS),
        # thinking
        (f"<think>\n```python\nx = 1\n</think>\n```python\n{PROGRAM}```", "fence", PROGRAM),
        (f"```python\nx = 1\n```\n</think>\nSo:\n```python\n{PROGRAM}```", "fence", PROGRAM),
        (f"Draft:\n```python\nx = 1\nSo:\n```python\n{PROGRAM}```", "fence", PROGRAM),
        # marks glued to other text
        (f"```python\n{GLUED}```", "glued_fence", GLUED),
        (f"```python\n{GLUED}```\nIt prints\n```\n4\n```", "glued_fence", GLUED),
        (f"```python\n{GLUED}``` which prints 4.", "glued_fence", GLUED),
        (f"```python\n{GLUED}  # done```\nIt prints\n```\n4\n```", "glued_fence", f"{GLUED}  # done"),
        (f"**Program:**```python\n{PROGRAM}```", "glued_fence", PROGRAM),
        (f"```python\nx = 1\n```\nBetter:\n```python\n{GLUED}```", "glued_fence", GLUED),
        # an empty last block
        (f"```python\n{PROGRAM}```\n```python\n```", "fence", PROGRAM),
        (f"```python\n{PROGRAM}```\n```python\n\n", "fence", PROGRAM),
        (f"```\n{PROGRAM}```\n```\n```", "unlabelled_fence", PROGRAM),
        # marks in strings and comments of the program
        (f"```python\n{QUOTING}```", "fence", QUOTING),
        (f"```python\n{QUOTING}```\nIt prints\n```\n4\n```", "fence", QUOTING),
        (
            "```python\nprint('```')  # ``` is a mark\n# ```\nprint(1)\n```",
            "fence",
            "print('```')  # ``` is a mark\n# ```\nprint(1)\n",
        ),
        ('```python\nprint("""\n```\nThe quotes never end.', "fence", 'print("""\n'),
        ("```python\nprint('it\\'s')\n```\nIt's done.", "fence", "print('it\\'s')\n"),
        # nested and indented fences
        (f"````markdown\n# Solution\n```python\n{PROGRAM}```\n````", "fence", PROGRAM),
        (f"```markdown\n# Solution\n```python\n{PROGRAM}```\n```", "fence", PROGRAM),
        (
            "1. So:\n\n   ```python\n   for x in 1, 2:\n       print(x)\n   ```",
            "fence",
            "for x in 1, 2:\n    print(x)\n",
        ),
        ("- ```python\n  for x in 1, 2:\n      print(x)\n  ```", "fence", "for x in 1, 2:\n    print(x)\n"),
        ("  ```python\nif x:\n  print(x)\n  ```", "fence", "if x:\n  print(x)\n"),
        ("> ```python\n> if x:\n>     print(x)\n>\n> ```", "fence", "if x:\n    print(x)\n\n"),
        (f"```python\r\n{PROGRAM}```\r\n", "fence", PROGRAM),
        # what is cut off is still more of a program than an example of output
        (f"It reads\n```\n4\n```\n```python\n{PROGRAM}", "open_fence", PROGRAM),
        ("#!/usr/bin/env python3\nimport sys\nfor line in sys.stdin:\n    print(line)", "plain", None),
    ],
)
def test_the_last_fenced_block_of_the_language_is_the_program(text: str, rule: str, source: str | None) -> None:
    found = extract(text, "python")
    assert found is not None
    assert (found.rule, found.source) == (rule, text if source is None else source)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "The answer is 7.",
        "I would read n and print it plus one.\nThat is all.",
        "```python\n```",
        "```java\nclass Main {}\n```",
        "    indented from the start",
        f"<think>\nPerhaps\n```python\n{PROGRAM}```\nor",
        f"<think>\nPerhaps\n```python\n{PROGRAM}```\n</think>\nI do not know.",
        f"```python2\n{PROGRAM}```",
        f"```python 2.7\n{PROGRAM}```",
        "```python-repl\n>>> 1\n```",
        "```pythonic\n1\n```",
        "The program must start with ```python\nand end well.",
    ],
)
def test_what_is_no_program_is_not_taken_for_one(text: str) -> None:
    assert extract(text, "python") is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("```cpp\nint main() {}\n```", "fence"),
        ("```c++\nint main() {}\n```", "fence"),
        ("```C++17\nint main() {}\n```", "fence"),
        ('```cpp title="x"\nint main() {}\n```', "fence"),
        ("```cpp\nint main() {}```", "glued_fence"),
        ("```cpp\n/*\n```\n*/\nint n = 1'000;\nint main() {}\n```", "fence"),
        ('```cpp\nauto s = R"(\n```\n)";\nint main() {}\n```', "fence"),
        ("// a comment\n#include <cstdio>\nint main() {}", "plain"),
    ],
)
def test_cpp_is_found_too(text: str, rule: str) -> None:
    found = extract(text, "cpp")
    assert found is not None
    assert found.rule == rule
    assert "int main() {}" in found.source


@pytest.mark.parametrize("language", ["python", "cpp"])
def test_a_fenced_program_is_read_strictly(language: Language) -> None:
    found = extract("Reasoning.\n" + fenced("x = 1", language), language)
    assert found is not None
    assert (found.rule, found.source) == ("fence", "x = 1\n")


@pytest.mark.parametrize(
    "source", [QUOTING, "# ```\nprint(1)\n", "print('````')\n", "print('<think>')\n", "print(1)  # </think>\n"]
)
def test_a_fenced_program_may_have_fences_and_tags_in_its_strings(source: str) -> None:
    found = extract(fenced(source, "python"), "python")
    assert found is not None
    assert (found.rule, found.source) == ("fence", source)


def test_a_program_is_plain_although_its_strings_have_fences_and_prose() -> None:
    found = extract(f'"""Adds one.\n\nFor example:\n\n```\n{PROGRAM}```\nand so on.\n"""\n{PROGRAM}', "python")
    assert found is not None
    assert found.rule == "plain"


@pytest.mark.parametrize("piece", ["//\n", "/**/", "/*", 'R"x(', "\\'", "``` ", "# x```"])
def test_a_long_text_without_a_program_is_read_in_no_time(piece: str) -> None:
    # Of the lines `//` one regular expression once took twice as long for each more.
    assert extract(piece * 20_000 + "` no", "cpp") is None
