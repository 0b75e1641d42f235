"""What a completion says once its thinking is done, whatever the tags of its model family."""

import pytest

from tpt.judges.thinking import final_part, in_answer_tags, left_open

FINISHED = [
    "<think>\n#### 5\n</think>\n\n18",
    "#### 5</think>18",  # the chat template put the opening tag into the prompt
    "<think></think>18",
    "<thinking>5</thinking>18",
    "<Thought>5</Thought>18",
    "<reasoning>\n#### 17\n</reasoning>\n18",
    "<seed:think>5</seed:think>18",
    "◁think▷ #### 17 ◁/think▷ 18",
    "[THINK]5[/THINK]18",
    "<|begin_of_thought|>5<|end_of_thought|>18",
    "<|START_THINKING|>5<|END_THINKING|>18",
    "<think>a <think> b </think> c </think> 18",
    "steps </think> 2 </analysis> 18",
    "<|channel|>analysis<|message|>#### 17<|end|><|start|>assistant<|channel|>final<|message|>18",
    "analysisMaybe #### 17assistantfinal18",  # the same without its special tokens
]


@pytest.mark.parametrize("text", FINISHED)
def test_the_final_part_stands_behind_the_last_closing_tag(text: str) -> None:
    assert (final_part(text) or "").strip() == "18"


@pytest.mark.parametrize(
    "text",
    [
        "<think> so \\boxed{18}",
        "<think>5</think> No. <think> #### 18",
        "<reasoning>18",
        "[THINK] 18",
        "◁think▷18",
        "<|channel|>analysis<|message|>#### 18",
        "analysisWe get #### 18",
    ],
)
def test_unfinished_thinking_has_no_final_part(text: str) -> None:
    assert final_part(text) is None


@pytest.mark.parametrize("text", ["", "#### 18", "analysis of it gives 18", "I think that x < 18 > y", "a < think"])
def test_a_text_without_thinking_is_final_as_a_whole(text: str) -> None:
    assert final_part(text) == text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so <answer>18</answer> bye", "18"),
        ("so <answer>18", "18"),  # `</answer>` was the stop string
        ("<answer>17</answer> or <answer>18</answer>.", "18"),
        ("<answer></answer> 18", ""),
        ("18</answer>", "18</answer>"),
        ("no tags: 18", "no tags: 18"),
        ("<|begin_of_solution|>18<|end_of_solution|>", "18"),
    ],
)
def test_an_answer_in_its_tags_is_that_and_no_more(text: str, answer: str) -> None:
    assert in_answer_tags(text) == answer


@pytest.mark.parametrize(
    ("prompt", "opened"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>\n"),
        ("<|Assistant|><think>", "<think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),  # a template that was told not to think
        ("Write <think> first.\nassistant\n", ""),
        ("", ""),
    ],
)
def test_a_prompt_may_leave_thinking_open(prompt: str, opened: str) -> None:
    assert left_open(prompt) == opened


def test_what_a_prompt_began_counts_as_unfinished_thinking() -> None:
    assert final_part(left_open("assistant\n<think>\n") + "so #### 18") is None
