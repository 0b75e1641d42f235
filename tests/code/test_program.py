"""Where a completion's program is."""

import pytest

from tpt.judge.code.program import Language, extract, fenced

PROGRAM = "n = int(input())\nprint(n + 1)\n"


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
    ],
)
def test_what_is_no_program_is_not_taken_for_one(text: str) -> None:
    assert extract(text, "python") is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("```cpp\nint main() {}\n```", "fence"),
        ("```c++\nint main() {}\n```", "fence"),
        ("// a comment\n#include <cstdio>\nint main() {}", "plain"),
    ],
)
def test_cpp_is_found_too(text: str, rule: str) -> None:
    found = extract(text, "cpp")
    assert found is not None
    assert found.rule == rule


@pytest.mark.parametrize("language", ["python", "cpp"])
def test_a_fenced_program_is_read_strictly(language: Language) -> None:
    found = extract("Reasoning.\n" + fenced("x = 1", language), language)
    assert found is not None
    assert (found.rule, found.source) == ("fence", "x = 1\n")
