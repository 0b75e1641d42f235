"""Where a completion ends, token by token: before a stop string, and after its thinking."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tpt import records
from tpt.errors import ConfigError, DataError, ModelError
from tpt.models import locate
from tpt.prompt import Decoder, check_examples, encode_completion, stop_strings
from tpt.records import Example, Sample
from tpt.settings.compose import compose
from tpt.settings.model import AS_IT_IS, ModelConfig
from tpt.settings.sampling import SampleConfig
from tpt.stages.think import as_samples
from tpt.tasks.base import Task
from tpt.think.base import Draw, Prompt, completed
from tpt.think.branching import common_prefix
from tpt.train.data import Examples, collate

END = 2
TOKENIZER = AutoTokenizer.from_pretrained(locate(ModelConfig(name="tiny-random", source="random")))
DECODE = Decoder(TOKENIZER)
TEXTS = st.text("ab \n.#4é😀", max_size=40)


def draw(*stop: str) -> Draw:
    return Draw(1, 1.0, 1.0, 99, (END,), stop=stop)


def trained(ids: list[int], stop: tuple[str, ...]) -> tuple[Sample, list[int]]:
    """The sample that some sampled tokens become, and the tokens that training on it predicts."""
    prompt = Prompt("p", [5, 6], 0)
    [sample] = as_samples(prompt, [completed(ids, draw(*stop), DECODE)], "")
    row = Example("p", "self", 1, sample.prompt_ids, sample.completion_ids, sample.text)
    return sample, collate([row], 0)["labels"].tolist()


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.lists(st.text("ab \n.#é😀", min_size=1, max_size=3), min_size=1, max_size=2, unique=True))
def test_what_is_trained_is_what_was_sampled_before_the_stop_string_and_an_end_token(
    text: str, stop: list[str]
) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    before = min((text.split(one, maxsplit=1)[0] for one in stop), key=len)
    sample, target = trained(ids, tuple(stop))
    if before == text:
        assert (sample.finish_reason, target) == ("length", ids)
        return
    assert (sample.finish_reason, sample.text) == ("stop_string", before)
    assert target == sample.completion_ids == [*DECODE.cut(ids, stop), END]  # type: ignore[misc]  # there is a stop
    assert DECODE(target[:-1]) == before
    shared = len(common_prefix([ids, target[:-1]]))
    assert not before.startswith(DECODE.whole(ids[: shared + 1])), "only a token that the stop string begins in is lost"


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(3, 511), max_size=30), st.text("ab \ne", min_size=1, max_size=2))
def test_bytes_that_are_no_text_are_cut_before_the_stop_string_too(ids: list[int], stop: str) -> None:
    kept = DECODE.cut(ids, [stop])
    text = DECODE.whole(ids)
    assert (kept is None) == (stop not in text)
    if kept is not None:
        assert text[: text.find(stop)].startswith(DECODE.whole(kept))
        assert stop not in DECODE.whole(kept)


@settings(deadline=None, max_examples=100)
@given(TEXTS, st.text("ab \n.é", min_size=1, max_size=3))
def test_a_stop_string_is_seen_with_the_token_that_completes_it(text: str, stop: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    seen = [count for count in range(1, len(ids) + 1) if DECODE.stopped(ids[:count], (stop,))]
    there = [count for count in range(1, len(ids) + 1) if stop in DECODE.whole(ids[:count])]
    assert seen[:1] == there[:1]


def test_an_end_token_before_the_stop_string_ends_the_completion() -> None:
    ids = TOKENIZER.encode("one\n\ntwo", add_special_tokens=False)
    assert completed([ids[0], END, *ids], draw("\n\n"), DECODE).finish_reason == "stop"
    assert completed([*ids, END], draw("\n\n"), DECODE).finish_reason == "stop_string"


# Plain-text prompts


@pytest.fixture(scope="module")
def task() -> Task:
    return compose(["task.few_shot=2", "sampler.engine=transformers"]).task


PLAIN = ModelConfig(name="base", chat=False)


def test_a_plain_text_prompt_is_continued_up_to_where_its_worked_examples_end(task: Task) -> None:
    assert stop_strings(SampleConfig(), task, TOKENIZER, AS_IT_IS) == ()
    assert stop_strings(SampleConfig(), task, TOKENIZER, PLAIN) == ("\n\n",)
    assert stop_strings(SampleConfig(stop=[]), task, TOKENIZER, PLAIN) == ()
    assert stop_strings(SampleConfig(stop=["Q:"]), task, TOKENIZER, AS_IT_IS) == ("Q:",)


def test_blank_lines_in_worked_examples_end_nothing(task: Task) -> None:
    class Spaced(type(task)):  # type: ignore[misc]  # a class that is only known here
        def worked_examples(self) -> list[tuple[str, str]]:
            return [("Q?", "One.\n\nTwo.")]

        def instruct(self, question: str) -> str:
            return f"{self.opening}{question}"

    spaced = Spaced(name="spaced")
    spaced.opening = "Problem: "
    assert stop_strings(SampleConfig(), spaced, TOKENIZER, PLAIN) == ("\n\nProblem: ",)
    spaced.opening = ""
    with pytest.raises(ConfigError, match="worked examples of spaced contain blank lines") as caught:
        stop_strings(SampleConfig(), spaced, TOKENIZER, PLAIN)
    assert "think.stop=" in caught.value.hint


def test_a_base_model_without_worked_examples_is_refused(task: Task) -> None:
    bare = compose(["task.few_shot=0", "sampler.engine=transformers"]).task
    with pytest.raises(ModelError, match=r"base has no chat template.*no worked examples \(task\.few_shot=0\)"):
        check_examples(bare, TOKENIZER, PLAIN)
    check_examples(bare, TOKENIZER, ModelConfig(name="chats"))
    check_examples(task, TOKENIZER, PLAIN)


# Thinking


def tokens(text: str) -> list[int]:
    return encode_completion(text, TOKENIZER, END)


@settings(deadline=None)
@given(TEXTS, st.sampled_from(["", "\n\n", " "]), st.text("ab.#4", min_size=1, max_size=20))
def test_dropped_thinking_leaves_the_tokens_of_the_answer(thoughts: str, gap: str, answer: str) -> None:
    ids = tokens(f"<think>{thoughts}</think>{gap}{answer}")
    kept = DECODE.without_thinking([5, 6], ids)
    assert kept is not None and kept == ids[len(ids) - len(kept) :], "the very tokens that were sampled"
    assert answer.endswith(DECODE(kept)) or DECODE(kept).strip() == answer
    assert DECODE.thinking([5, 6], ids) + len(kept) <= len(ids)
    assert "</think>" in DECODE(ids[: DECODE.thinking([5, 6], ids)])


def test_thinking_that_the_prompt_opened_is_closed_at_once() -> None:
    prompt = TOKENIZER.encode("assistant\n<think>\n", add_special_tokens=False)
    ids = tokens("2 + 2 is 4\n</think>\n\n4")
    kept = DECODE.without_thinking(prompt, ids)
    assert kept is not None
    assert DECODE(kept).startswith("</think>")
    assert DECODE(ids[: len(ids) - len(kept)]) == "2 + 2 is 4\n"


@pytest.mark.parametrize(("prompt", "text"), [("", "<think> 2 + 2"), ("<think>\n", "2 + 2")])
def test_thinking_that_never_ends_leaves_nothing_to_train_on(prompt: str, text: str) -> None:
    before, ids = TOKENIZER.encode(prompt, add_special_tokens=False), tokens(text)
    assert DECODE.without_thinking(before, ids) is None
    assert DECODE.thinking(before, ids) == len(ids)


def test_a_completion_without_thinking_is_trained_on_as_a_whole() -> None:
    ids = tokens("2 + 2 = 4")
    assert DECODE.without_thinking([5], ids) == ids
    assert DECODE.thinking([5], ids) == 0


def test_training_without_thoughts_trains_on_the_answers_alone(tmp_path: Path) -> None:
    texts = ["<think>2 + 2</think>4", "4", "<think>never ends"]
    rows = [Example(f"p{at}", "self", 1, [5, 6], tokens(text), text) for at, text in enumerate(texts)]
    records.write(tmp_path / "examples.parquet", Example, rows)
    whole = Examples(tmp_path / "examples.parquet", 99)
    answers = Examples(tmp_path / "examples.parquet", 99, DECODE.without_thinking)
    assert (len(whole), whole.left_out) == (3, 0)
    assert [one.completion_ids for one in (answers[0], answers[1])] == [tokens("4")] * 2
    assert (answers.labels, answers.left_out) == ([len(tokens("4"))] * 2, 1)
    records.write(tmp_path / "examples.parquet", Example, rows[2:])
    with pytest.raises(DataError, match="none of the 1 examples finishes its thinking"):
        Examples(tmp_path / "examples.parquet", 99, DECODE.without_thinking)
