"""Text becomes tokens in one place and one way."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from transformers import AutoTokenizer

from tpt import files
from tpt.prompt import DATE, encode_completion, end_ids, render
from tpt.records import Problem
from tpt.tasks import make
from tpt.tasks.base import Task

PROBLEM = Problem("p", "What is 2 + 2?", "4")


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


def word_problems(shots: int) -> Task:
    return make(OmegaConf.create({"name": "word_problems", "few_shot": shots}))


def test_worked_examples_are_earlier_turns(tokenizer: Any) -> None:
    text = tokenizer.decode(render(PROBLEM, word_problems(2), tokenizer))
    assert text.count("<|im_start|>user") == 3
    assert text.count("<|im_start|>assistant") == 3
    assert text.endswith("<|im_start|>assistant\n")
    assert text.index("#### ") < text.index("What is 2 + 2?")


def test_there_is_no_system_message(tokenizer: Any) -> None:
    assert "system" not in tokenizer.decode(render(PROBLEM, word_problems(1), tokenizer))


def test_all_problems_share_the_few_shot_prefix(tokenizer: Any) -> None:
    one = render(PROBLEM, word_problems(3), tokenizer)
    other = render(Problem("q", "Who has 5 hats?", "5"), word_problems(3), tokenizer)
    shared = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    assert shared > 0.8 * len(one)


def test_a_beginning_token_is_written_once(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"bos_token": "<|im_start|>"})
    tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    ids = render(PROBLEM, word_problems(0), tokenizer)
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_a_model_without_a_chat_template_gets_plain_paragraphs(tiny_model: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = None
    text = tokenizer.decode(render(PROBLEM, word_problems(1), tokenizer))
    assert text.endswith("What is 2 + 2?\n\n")


def test_a_solution_ends_with_the_end_token_and_has_no_beginning_token(tokenizer: Any) -> None:
    ids = encode_completion("2 + 2 = 4\n#### 4", tokenizer, tokenizer.eos_token_id)
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids[:-1]) == "2 + 2 = 4\n#### 4"


def test_the_first_end_token_is_the_one_that_the_chats_turns_end_with(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    pad = tokenizer.pad_token_id
    files.write_json(tmp_path / "generation_config.json", {"eos_token_id": [pad, tokenizer.eos_token_id]})
    assert end_ids(tokenizer, tmp_path) == [tokenizer.eos_token_id, pad]
    files.write_json(tmp_path / "generation_config.json", {"eos_token_id": tokenizer.eos_token_id})
    assert end_ids(tokenizer, tmp_path) == [tokenizer.eos_token_id]


def test_an_end_of_turn_that_no_config_names_is_found_in_the_template(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn_end|>"]})
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<|turn_end|>\n{% endfor %}{{ eos_token }}"
    )
    files.write_json(tmp_path / "generation_config.json", {"eos_token_id": tokenizer.eos_token_id})
    turn_end = tokenizer.convert_tokens_to_ids("<|turn_end|>")
    assert end_ids(tokenizer, tmp_path) == [turn_end, tokenizer.eos_token_id]


def test_a_template_that_writes_the_date_gives_the_same_prompt_every_day(tiny_model: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = "{{ strftime_now('%H:%M:%S') }} {% for m in messages %}{{ m['content'] }}{% endfor %}"
    assert tokenizer.decode(render(PROBLEM, word_problems(0), tokenizer)).startswith(DATE)


@pytest.mark.slow
def test_smollm2_ends_its_turns_with_im_end(smollm2: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(smollm2)
    ids = end_ids(tokenizer, smollm2)
    assert tokenizer.convert_ids_to_tokens(ids[0]) == "<|im_end|>"
    assert tokenizer.decode(render(PROBLEM, word_problems(1), tokenizer)).endswith("<|im_start|>assistant\n")
