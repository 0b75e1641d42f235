"""A chat template of the model's or of one's own, its variables, and the system message."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from tpt import chat
from tpt.errors import ConfigError, ModelError
from tpt.prompt import end_ids, render
from tpt.records import Problem
from tpt.runs.folder import Run
from tpt.settings.compose import compose
from tpt.settings.config import Config
from tpt.settings.model import AS_IT_IS, ModelConfig
from tpt.tasks.base import Task
from tpt.train.export import rehearse

PROBLEM = Problem("p", "What is 2 + 2?", "4")
# As Qwen3's, SmolLM3's and others: thinks unless it is told not to.
THINKS = (
    "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


@pytest.fixture(scope="module")
def task() -> Task:
    return compose(["task.few_shot=1", "sampler.engine=transformers"]).task


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


def model(**values: Any) -> ModelConfig:
    return ModelConfig(name="mine", **values)


def own(tmp_path: Path, text: str) -> str:
    (tmp_path / "chat.jinja").write_text(text, encoding="utf-8")
    return str(tmp_path / "chat.jinja")


def test_variables_reach_the_template(tokenizer: Any, task: Task) -> None:
    tokenizer.chat_template = THINKS
    silent = model(template={"enable_thinking": False})
    chat.check(tokenizer, silent)
    assert tokenizer.decode(render(PROBLEM, task, tokenizer, silent)).endswith("<|assistant|><think>\n\n</think>\n\n")
    assert tokenizer.decode(render(PROBLEM, task, tokenizer, AS_IT_IS)).endswith("<|assistant|>")


@pytest.mark.parametrize("name", ["enable_thinkin", "messages", "tokenize", "eos_token", "m"])
def test_a_variable_that_the_template_does_not_read_is_refused(tokenizer: Any, name: str) -> None:
    tokenizer.chat_template = THINKS
    with pytest.raises(ModelError, match=f"sets {name}, a variable that the chat template of mine does not"):
        chat.check(tokenizer, model(template={name: False}))


def test_the_nearest_variable_is_named(tokenizer: Any) -> None:
    tokenizer.chat_template = THINKS
    with pytest.raises(ModelError) as caught:
        chat.check(tokenizer, model(template={"enable_thinkin": False}))
    assert caught.value.hint == "did you mean 'enable_thinking'?"


def test_a_template_of_ones_own_takes_the_place_of_the_models(
    tokenizer: Any, task: Task, tiny_model: Path, tmp_path: Path
) -> None:
    mine = model(template_file=own(tmp_path, THINKS))
    chat.check(tokenizer, mine)
    assert tokenizer.decode(render(PROBLEM, task, tokenizer, mine)).startswith("<|user|>")
    assert end_ids(tokenizer, tiny_model, mine)[0] == tokenizer.eos_token_id
    out = tmp_path / "out"
    rehearse(tiny_model, out, mine)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for m in mesages %}{{ m['content'] }}{% endfor %}", "reads mesages, a variable to which nothing gives"),
        ("{% for m in messages %}{{ m['content'] }}", "cannot be read: .*endfor"),
        (" \n", "is empty"),
    ],
)
def test_a_wrong_template_of_ones_own_is_refused(tokenizer: Any, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ModelError, match=f"(?s)chat.jinja.* {said}"):
        chat.check(tokenizer, model(template_file=own(tmp_path, text)))


def test_what_a_template_of_ones_own_may_do_without_is_not_asked_for(tokenizer: Any, tmp_path: Path) -> None:
    optional = "{% if mood is defined %}{{ mood }}{% endif %}{{ tone | default('') }}{{ strftime_now('%Y') }}"
    chat.check(tokenizer, model(template_file=own(tmp_path, optional + "{{ messages }}{{ bos_token }}")))
    needs = model(template_file=own(tmp_path, "{{ messages }}{{ mood }}"), template={"mood": "calm"})
    chat.check(tokenizer, needs)


@pytest.mark.parametrize("text", ["{{ messages[0]['content'] }}", "Answer:", "{{ messages | length }}"])
def test_a_template_that_drops_a_message_is_refused(tokenizer: Any, task: Task, tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match=r"chat\.jinja leaves out a part of this prompt"):
        render(PROBLEM, task, tokenizer, model(template_file=own(tmp_path, text)))


def test_a_template_file_that_is_not_there_is_refused_before_anything_is_done(
    tiny_config: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"model.template_file=.*nowhere.jinja: there is no such file"):
        Run.of(tiny_config(f"model.template_file={tmp_path / 'nowhere.jinja'}"))


def test_a_changed_template_is_another_run(tiny_config: Callable[..., Config], tmp_path: Path) -> None:
    names = [Run.of(tiny_config(f"model.template_file={own(tmp_path, text)}")).name for text in ("a", "b")]
    assert len({*names, Run.of(tiny_config()).name}) == 3


def test_a_system_message_comes_first(tokenizer: Any, task: Task) -> None:
    tokenizer.chat_template = THINKS
    text = tokenizer.decode(render(PROBLEM, task, tokenizer, model(system="Be brief.")))
    assert text.startswith("<|system|>Be brief.")
    plain = tokenizer.decode(render(PROBLEM, task, tokenizer, model(system="Be brief.", chat=False)))
    assert plain.startswith("Be brief.\n\n")


def test_a_template_that_takes_no_system_message_says_so(tokenizer: Any, task: Task) -> None:
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + THINKS
    )
    with pytest.raises(ModelError, match="System role not supported") as caught:
        render(PROBLEM, task, tokenizer, model(system="Be brief."))
    assert "model.system" in caught.value.hint


def test_a_model_with_a_template_can_be_prompted_in_plain_text(tokenizer: Any, task: Task) -> None:
    text = tokenizer.decode(render(PROBLEM, task, tokenizer, model(chat=False)))
    assert text.endswith(f"#### 12\n\n{task.instruct(PROBLEM.question)}\n\n")
    assert "<|im_start|>" not in text


@pytest.mark.parametrize(
    ("values", "said"), [({"chat": True}, "model.chat=true"), ({"template": {"a": 1}}, "model.template has settings")]
)
def test_settings_of_a_template_that_is_not_there_are_refused(
    tokenizer: Any, values: dict[str, Any], said: str
) -> None:
    tokenizer.chat_template = None
    with pytest.raises(ModelError, match=f"{said}, but mine has no chat template"):
        chat.check(tokenizer, model(**values))
