"""How a test function is taken apart."""

from tpt.judges.code.calls import assertions


def test_calls_and_assertions_are_taken_apart() -> None:
    test = (
        "def check(candidate):\n    assert candidate(nums = [1, 2]) == 3\n"
        "    assert is_same_list(candidate(list_node([1])), list_node([1]))\n"
        "    assert abs(candidate(1) - candidate(2)) < 1e-5\n"
    )
    assert assertions(test) == [
        (["candidate(nums=[1, 2])"], "_values[0] == 3"),
        (["candidate(list_node([1]))"], "is_same_list(_values[0], list_node([1]))"),
        (["candidate(1)", "candidate(2)"], "abs(_values[0] - _values[1]) < 1e-05"),
    ]


def test_a_test_that_does_more_than_assert_is_not_guessed_at() -> None:
    assert assertions("def check(candidate):\n    x = 1\n    assert candidate(x) == 1") is None
    assert assertions("def check(candidate):\n    assert 1 == 1") is None
    assert assertions("def check(candidate:") is None
    assert assertions("def other(candidate):\n    assert candidate(1)") is None
    assert assertions("import os\ndef check(candidate):\n    assert candidate(1)") is None
