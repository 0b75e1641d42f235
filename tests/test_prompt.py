"""Text becomes tokens in one place and one way."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from tpt import files
from tpt.chat import DATE
from tpt.errors import ModelError
from tpt.judges.thinking import final_part
from tpt.prompt import Decoder, encode_completion, end_ids, render
from tpt.records import Problem
from tpt.settings.model import AS_IT_IS
from tpt.tasks import make
from tpt.tasks.base import Task

PROBLEM = Problem("p", "What is 2 + 2?", "4")


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


def word_problems(shots: int) -> Task:
    return make(OmegaConf.create({"name": "word_problems", "few_shot": shots}))


def test_worked_examples_are_earlier_turns(tokenizer: Any) -> None:
    text = tokenizer.decode(render(PROBLEM, word_problems(2), tokenizer, AS_IT_IS))
    assert text.count("<|im_start|>user") == 3
    assert text.count("<|im_start|>assistant") == 3
    assert text.endswith("<|im_start|>assistant\n")
    assert text.index("#### ") < text.index("What is 2 + 2?")


def test_there_is_no_system_message(tokenizer: Any) -> None:
    assert "system" not in tokenizer.decode(render(PROBLEM, word_problems(1), tokenizer, AS_IT_IS))


def test_all_problems_share_the_few_shot_prefix(tokenizer: Any) -> None:
    one = render(PROBLEM, word_problems(3), tokenizer, AS_IT_IS)
    other = render(Problem("q", "Who has 5 hats?", "5"), word_problems(3), tokenizer, AS_IT_IS)
    shared = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    assert shared > 0.8 * len(one)


def test_a_beginning_token_is_written_once(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"bos_token": "<|im_start|>"})
    tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    ids = render(PROBLEM, word_problems(0), tokenizer, AS_IT_IS)
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_a_model_without_a_chat_template_gets_plain_paragraphs(tiny_model: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = None
    text = tokenizer.decode(render(PROBLEM, word_problems(1), tokenizer, AS_IT_IS))
    assert text.endswith("What is 2 + 2?\n\n")


def test_a_solution_ends_with_the_end_token_and_has_no_beginning_token(tokenizer: Any) -> None:
    ids = encode_completion("2 + 2 = 4\n#### 4", tokenizer, tokenizer.eos_token_id)
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids[:-1]) == "2 + 2 = 4\n#### 4"


def test_the_first_end_token_is_the_one_that_the_chats_turns_end_with(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    pad = tokenizer.pad_token_id
    files.write_json(tmp_path / "generation_config.json", {"eos_token_id": [pad, tokenizer.eos_token_id]})
    assert end_ids(tokenizer, tmp_path, AS_IT_IS) == [tokenizer.eos_token_id, pad]
    files.write_json(tmp_path / "generation_config.json", {"eos_token_id": tokenizer.eos_token_id})
    assert end_ids(tokenizer, tmp_path, AS_IT_IS) == [tokenizer.eos_token_id]


def test_an_end_of_turn_that_no_config_names_is_found_in_the_template(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn_end|>"]})
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<|turn_end|>\n{% endfor %}{{ eos_token }}"
    )
    files.write_json(tmp_path / "generation_config.json", {"eos_token_id": tokenizer.eos_token_id})
    turn_end = tokenizer.convert_tokens_to_ids("<|turn_end|>")
    assert end_ids(tokenizer, tmp_path, AS_IT_IS) == [turn_end, tokenizer.eos_token_id]


def test_a_template_that_writes_the_date_gives_the_same_prompt_every_day(tiny_model: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = "{{ strftime_now('%H:%M:%S') }} {% for m in messages %}{{ m['content'] }}{% endfor %}"
    assert tokenizer.decode(render(PROBLEM, word_problems(0), tokenizer, AS_IT_IS)).startswith(DATE)


def test_an_end_token_that_the_config_alone_names_is_used(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.eos_token = tokenizer.chat_template = None
    files.write_json(tmp_path / "config.json", {"eos_token_id": 5, "text_config": {"eos_token_id": 7}})
    assert end_ids(tokenizer, tmp_path, AS_IT_IS) == [5]
    files.write_json(tmp_path / "config.json", {"eos_token_id": None, "text_config": {"eos_token_id": [7, 8]}})
    assert end_ids(tokenizer, tmp_path, AS_IT_IS) == [7, 8]
    files.write_json(tmp_path / "generation_config.json", {"eos_token_id": 9})
    assert end_ids(tokenizer, tmp_path, AS_IT_IS) == [9]


def test_a_checkpoint_that_names_no_end_token_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="names no token that ends a completion") as caught:
        end_ids(tokenizer, tmp_path, AS_IT_IS)
    assert "generation_config.json" in caught.value.hint


def test_an_end_token_that_the_tokenizer_appends_does_not_end_the_prompt(tiny_model: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = None
    plain = render(PROBLEM, word_problems(1), tokenizer, AS_IT_IS)
    start, end = ("<|im_start|>", 1), ("<|im_end|>", 2)
    both = TemplateProcessing(single="<|im_start|> $A <|im_end|>", special_tokens=[start, end])
    tokenizer.backend_tokenizer.post_processor = both
    assert tokenizer.encode("a")[-1] == tokenizer.eos_token_id
    assert render(PROBLEM, word_problems(1), tokenizer, AS_IT_IS) == [1, *plain]
    assert encode_completion("4", tokenizer, 2) == [*tokenizer.encode("4", add_special_tokens=False), 2]


NEEDS_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}{{ raise_exception('The first turn must be a system turn.') }}{% endif %}"
)
NO_TEXT = "{% for m in messages %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"
ONE_TURN = "{% if messages | length > 1 %}{{ raise_exception('Only one turn, please.') }}{% endif %}"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (NEEDS_SYSTEM, "refuses this prompt: The first turn must be a system turn"),
        (ONE_TURN + "{{ messages[0]['content'] }}", "refuses this prompt: Only one turn, please"),
        ("{% for m in messages %}{{ m.text.strip() }}{% endfor %}", "refuses this prompt: .*text"),
        ("{% for m in messages %}{{ 1 + m['content'] }}{% endfor %}", "refuses this prompt: unsupported operand"),
        ("{% for m in messages %}", "refuses this prompt"),
        (NO_TEXT, "leaves out a part of this prompt"),
        ("{{ messages[-1]['content'] }}", "leaves out a part of this prompt"),
    ],
    ids=["system turn", "one turn", "undefined", "type", "syntax", "parts", "last turn alone"],
)
def test_a_template_that_does_not_take_the_prompt_is_refused_in_words(
    tiny_model: Path, template: str, said: str
) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=rf"the chat template of .*tiny-random.* {said}") as caught:
        render(PROBLEM, word_problems(1), tokenizer, AS_IT_IS)
    assert "task.few_shot=0" in caught.value.hint


def test_a_template_that_trims_or_wraps_the_text_is_taken(tiny_model: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = "{% for m in messages %}<{{ m['content'] | trim | replace('\n', '\n  ') }}>{% endfor %}"
    assert tokenizer.decode(render(PROBLEM, word_problems(1), tokenizer, AS_IT_IS)).endswith("What is 2 + 2?>")


def test_special_tokens_are_no_text_except_tags_of_thinking(tiny_model: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]", "<|note|>"]})
    ids = tokenizer.encode("[THINK]5[/THINK]<|note|>18<|im_end|>", add_special_tokens=False)
    text = Decoder(tokenizer)(ids)
    assert text.replace(" ", "") == "[THINK]5[/THINK]18"
    assert (final_part(text) or "").strip() == "18"


@pytest.mark.slow
def test_smollm2_ends_its_turns_with_im_end(smollm2: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(smollm2)
    ids = end_ids(tokenizer, smollm2, AS_IT_IS)
    assert tokenizer.convert_ids_to_tokens(ids[0]) == "<|im_end|>"
    assert tokenizer.decode(render(PROBLEM, word_problems(1), tokenizer, AS_IT_IS)).endswith("<|im_start|>assistant\n")
