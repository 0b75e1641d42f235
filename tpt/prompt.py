"""The only place where text becomes tokens, both for thinking and for training."""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt import chat, models
from tpt.chat import Message
from tpt.errors import ConfigError, ModelError
from tpt.judges.thinking import closed_at, final_part, is_tag, left_open
from tpt.records import Problem
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SERVER
from tpt.settings.sampling import SampleConfig
from tpt.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PARAGRAPH = "\n\n"  # what separates the turns of a plain-text prompt
TAIL = 16  # tokens at a prompt's end that contain a tag which opens thinking
LONGEST = 4  # tokens in which a tokenizer may spell one character


def render(problem: Problem, task: Task, tokenizer: "PreTrainedTokenizerBase", model: ModelConfig) -> list[int]:
    """Token ids of the prompt for one problem.

    Args:
        model: says how its prompts are written.
    """
    return encode_prompt(messages(problem, task, model), tokenizer, model)


def messages(problem: Problem, task: Task, model: ModelConfig) -> list[Message]:
    """The prompt for one problem as a chat.

    Worked examples are earlier turns. There is a system message only if `model.system` or the task has one, since some
    models (Gemma 2) do not support it; if both have one, the task's follows the model's.
    """
    system = "\n\n".join(filter(None, [model.system, task.system_turn(problem)]))
    turns: list[Message] = [{"role": "system", "content": system}] if system else []
    for question, solution in task.worked_examples():
        turns.append({"role": "user", "content": task.instruct(question)})
        turns.append({"role": "assistant", "content": solution})
    return [*turns, {"role": "user", "content": task.user_turn(problem)}]


def encode_prompt(turns: list[Message], tokenizer: "PreTrainedTokenizerBase", model: ModelConfig) -> list[int]:
    """Token ids of a chat, up to where the assistant's answer begins.

    Without a chat template, the turns become plain paragraphs.

    Raises:
        ModelError: the chat template refuses this chat, or leaves out part of it.
    """
    if chat.template_of(tokenizer, model):
        # The template writes the BOS token if the model needs one; encoding must not add a second one.
        text = chat.in_template(turns, tokenizer, model, add_generation_prompt=True)
        return list(tokenizer.encode(text, add_special_tokens=False))
    return _encode_beginning(PARAGRAPH.join(turn["content"] for turn in turns) + PARAGRAPH, tokenizer)


def stop_strings(
    settings: SampleConfig, task: Task, tokenizer: "PreTrainedTokenizerBase", model: ModelConfig
) -> tuple[str, ...]:
    """The texts before which completions are cut: those of the settings, else what the prompt makes necessary.

    A model that continues plain text goes on to the next problem, as the worked examples do.

    Raises:
        ConfigError: nothing in the prompt marks where a worked example ends.
    """
    if settings.stop is not None:
        return tuple(settings.stop)
    if model.source == SERVER or chat.template_of(tokenizer, model):
        return ()
    if not any(PARAGRAPH in solution for _, solution in task.worked_examples()):
        return (PARAGRAPH,)
    beginning = task.instruct("\0").partition("\0")[0]
    if not beginning.strip():
        raise ConfigError(
            f"worked examples of {task.name} contain blank lines, and nothing else marks where one ends",
            "say which texts end a solution: think.stop=[...] and evaluate.stop=[...]",
        )
    return (PARAGRAPH + beginning,)


def check_examples(task: Task, tokenizer: "PreTrainedTokenizerBase", model: ModelConfig) -> None:
    """Check that a model that continues plain text is shown what to write.

    Raises:
        ModelError: it is not.
    """
    if not task.worked_examples() and not chat.template_of(tokenizer, model):
        raise ModelError(
            f"{model.name} has no chat template, so its prompts are plain text, and there are no worked examples "
            f"(task.few_shot={task.few_shot}): nothing shows the model what a solution looks like or where it ends",
            "set task.few_shot=3 (with task=qa, task.shots); for a model trained on chats, give its template: "
            "model.template_file=FILE",
        )


def _encode_beginning(text: str, tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids of a text to be continued: with what the tokenizer puts before it (BOS), not after it (EOS)."""
    ids = list(tokenizer.encode(text))
    own = list(tokenizer.encode(text, add_special_tokens=False))
    begins = next((at for at in range(len(ids) - len(own) + 1) if ids[at : at + len(own)] == own), 0)
    return ids[: begins + len(own)]


def appended(tokenizer: "PreTrainedTokenizerBase") -> int:
    """How many tokens the tokenizer itself puts after a text, such as an end token."""
    return len(tokenizer.encode("a")) - len(_encode_beginning("a", tokenizer))


class Decoder:
    """Token ids as text, and the ids before a stop string.

    The text leaves out all special tokens except thinking tags: to some tokenizers these are special tokens, and
    without them thoughts would be read as part of the answer.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        special = {one: token.content for one, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._left_out = {one for one, content in special.items() if not is_tag(content)}
        self._tokenizer = tokenizer

    def __call__(self, ids: list[int]) -> str:
        """The text of some tokens."""
        return self.whole([one for one in ids if one not in self._left_out])

    def whole(self, ids: list[int]) -> str:
        """The text of some tokens, special ones included."""
        return str(self._tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def until(self, ids: list[int], length: int) -> int:
        """How many tokens come before the character at `length` of their text, those left out that reach beyond it."""
        text = self.whole(ids)[:length]
        # While a character is incomplete the text may be longer than it will be, by less than `LONGEST`.
        first = bisect_left(range(len(ids) + 1), length + 1, key=lambda count: len(self.whole(ids[:count])))
        likely = range(min(len(ids), first + LONGEST), -1, -1)
        return next(count for count in likely if text.startswith(self.whole(ids[:count])))

    def opened_by(self, prompt_ids: list[int]) -> str:
        """What a prompt has already written of the model's thinking: its opening tag, or ""."""
        return left_open(self.whole(prompt_ids[-TAIL:]))

    def thinking(self, prompt_ids: list[int], ids: list[int]) -> int:
        """How many tokens at the beginning of a completion are its thinking, with its tags: all, if it never ends."""
        text = self.whole(ids)
        final = final_part(self.opened_by(prompt_ids) + text)
        if final is None:
            return len(ids)
        end = max(0, len(text) - len(final))
        count = self.until(ids, end) if end else 0
        return count + (len(self.whole(ids[:count])) < end)  # with a token that reaches beyond the tag

    def without_thinking(self, prompt_ids: list[int], ids: list[int]) -> list[int] | None:
        """The tokens of a completion after its thinking; None if it never ends.

        If the prompt has opened the thinking, they begin with the tag that closes it.
        """
        first = self.thinking(prompt_ids, ids)
        opened = self.opened_by(prompt_ids)
        if first == len(ids) and final_part(opened + self.whole(ids)) is None:
            return None
        if opened:
            closed = closed_at(opened + self.whole(ids))
            return ids if closed is None else ids[self.until(ids, closed - len(opened)) :]
        while 0 < first < len(ids) and self.whole([ids[first]]).isspace():
            first += 1
        return ids[first:]

    def cut(self, ids: list[int], stop: Sequence[str]) -> list[int] | None:
        """The tokens before the first stop string; None if their text contains none.

        If the stop string begins inside a token, what that token has before it is encoded by itself, or left out if
        no tokens give exactly that text.
        """
        text = self.whole(ids)
        found = [at for one in stop if (at := text.find(one)) >= 0]
        if not found:
            return None
        before = text[: min(found)]
        kept = ids[: self.until(ids, len(before))]
        rest = before[len(self.whole(kept)) :]
        filled = [*kept, *self._tokenizer.encode(rest, add_special_tokens=False)] if rest else kept
        return filled if self.whole(filled) == before else kept

    def stopped(self, ids: list[int], stop: Sequence[str]) -> bool:
        """Whether there is a stop string at the end of some tokens that had none before the last one."""
        if not stop:
            return False
        end = self.whole(ids[-max(len(one.encode()) for one in stop) - LONGEST :])
        return any(one in end for one in stop) and self.cut(ids, stop) is not None


def encode_completion(text: str, tokenizer: "PreTrainedTokenizerBase", end_id: int) -> list[int]:
    """Token ids, including the end token, of a completion not sampled by this model (e.g. written by a human)."""
    return [*tokenizer.encode(text, add_special_tokens=False), end_id]


def end_ids(tokenizer: "PreTrainedTokenizerBase", model_dir: Path, model: ModelConfig) -> list[int]:
    """The tokens that end a completion; the first one ends this model's chat turns, or its plain texts.

    Raises:
        ModelError: neither the generation config, the tokenizer nor the config names one.
    """
    ids = _ids(models.read_json(model_dir / "generation_config.json").get("eos_token_id"))
    ids += _ids(tokenizer.eos_token_id)
    if not ids:
        config = models.read_json(model_dir / "config.json")
        ids = _ids(config.get("eos_token_id")) or _ids((config.get("text_config") or {}).get("eos_token_id"))
    ids = list(dict.fromkeys(ids))
    if not ids:
        raise ModelError(
            f"the checkpoint {model_dir} names no token that ends a completion",
            "name it in the folder's generation_config.json: eos_token_id",
        )
    turn_end = _turn_end(tokenizer, ids, model)
    return [turn_end, *(one for one in ids if one != turn_end)]


def _ids(named: Any) -> list[int]:
    """Token ids as configs give them: one, several, or none."""
    return [] if named is None else [int(one) for one in named] if isinstance(named, list) else [int(named)]


def _turn_end(tokenizer: "PreTrainedTokenizerBase", ids: list[int], model: ModelConfig) -> int:
    """The first end token or special token that the chat template writes after an assistant's turn."""
    if not chat.template_of(tokenizer, model):
        return tokenizer.eos_token_id if tokenizer.eos_token_id in ids else ids[0]
    answer = "Four."
    turns: list[Message] = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": answer}]
    after = chat.in_template(turns, tokenizer, model, add_generation_prompt=False).rpartition(answer)[2]
    # Some models' configs name only the end of a document, which never appears in chat turns.
    ends = {*ids, *(one for one, token in tokenizer.added_tokens_decoder.items() if token.special)}
    return next((one for one in tokenizer.encode(after, add_special_tokens=False) if one in ends), ids[0])
